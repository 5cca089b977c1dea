"""One-shot search: one network for all architectures of a space, and methods to choose by it. Public as `jn.oneshot`.

For example `jn.oneshot.rank_correlation(result.supernets, table)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Method": "search.one_shot.base",
    "OneShotResult": "search.one_shot.result",
    "entropy": "search.one_shot.regularizers",
    "method": "catalog",
    "rank_correlation": "search.one_shot.correlation",
    "supernet_pack": "search.one_shot.pack",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
