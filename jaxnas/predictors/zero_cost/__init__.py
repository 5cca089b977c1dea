"""Zero-cost proxies: scores of architectures that are not trained. Public as `jn.proxies`.

For example `jn.proxies.proxy_scores(space, archs, task, "nwot,synflow")`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Pass": "predictors.zero_cost.proxy",
    "Proxy": "predictors.zero_cost.proxy",
    "build_pack": "predictors.zero_cost.pack",
    "log_rank": "predictors.zero_cost.composites",
    "proxy_scores": "predictors.zero_cost.scores",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
