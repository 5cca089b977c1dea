"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.correlation import rank_correlation
from jaxnas.search.one_shot.named import method_named as method
from jaxnas.search.one_shot.pack import supernet_pack
from jaxnas.search.one_shot.regularizers import entropy
from jaxnas.search.one_shot.result import OneShotResult

__all__ = [
    "Method",
    "OneShotResult",
    "entropy",
    "method",
    "rank_correlation",
    "supernet_pack",
]
