"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.predictors.zero_cost.composites import log_rank
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.predictors.zero_cost.pack import build_pack
from jaxnas.predictors.zero_cost.proxy import Pass
from jaxnas.predictors.zero_cost.proxy import Proxy
from jaxnas.predictors.zero_cost.scores import proxy_scores

__all__ = [
    "Pass",
    "Proxy",
    "build_pack",
    "log_rank",
    "proxy_named",
    "proxy_scores",
]
