"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.search.transfer.protocol import compared_with_sources
from jaxnas.search.transfer.sources import greedy_portfolio
from jaxnas.search.transfer.weighted_sources import rank_weighted
from jaxnas.strategies.wrappers.in_order import in_order
from jaxnas.strategies.wrappers.prior_guided import prior_guided
from jaxnas.strategies.wrappers.warm_started import warm_started

__all__ = [
    "compared_with_sources",
    "greedy_portfolio",
    "in_order",
    "prior_guided",
    "rank_weighted",
    "warm_started",
]
