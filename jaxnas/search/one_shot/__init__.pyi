"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.catalog import method as method
from jaxnas.search.one_shot.base import Method as Method
from jaxnas.search.one_shot.correlation import rank_correlation as rank_correlation
from jaxnas.search.one_shot.pack import supernet_pack as supernet_pack
from jaxnas.search.one_shot.regularizers import entropy as entropy
from jaxnas.search.one_shot.result import OneShotResult as OneShotResult
