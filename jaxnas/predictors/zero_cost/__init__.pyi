"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.predictors.zero_cost.composites import log_rank as log_rank
from jaxnas.predictors.zero_cost.composites import rank_sum as rank_sum
from jaxnas.predictors.zero_cost.composites import vote as vote
from jaxnas.predictors.zero_cost.pack import build_pack as build_pack
from jaxnas.predictors.zero_cost.proxy import Pass as Pass
from jaxnas.predictors.zero_cost.proxy import Proxy as Proxy
from jaxnas.predictors.zero_cost.scores import proxy_scores as proxy_scores
