"""What earlier tasks taught: tables of one space as sources for a search on another task. Public as `jn.transfer`.

For example `jn.transfer.warm_started(strategy, archs)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "compared_with_sources": "search.transfer.protocol",
    "greedy_portfolio": "search.transfer.sources",
    "in_order": "strategies.wrappers.in_order",
    "prior_guided": "strategies.wrappers.prior_guided",
    "rank_weighted": "search.transfer.weighted_sources",
    "warm_started": "strategies.wrappers.warm_started",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
