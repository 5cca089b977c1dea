"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.search.transfer.portfolio import greedy_portfolio as greedy_portfolio
from jaxnas.search.transfer.protocol import compared_with_sources as compared_with_sources
from jaxnas.search.transfer.weighted_sources import rank_weighted as rank_weighted
from jaxnas.strategies.wrappers.in_order import in_order as in_order
from jaxnas.strategies.wrappers.prior_guided import prior_guided as prior_guided
from jaxnas.strategies.wrappers.warm_started import warm_started as warm_started
