"""Zero-cost proxies: scores of architectures that are not trained. Public as `jn.proxies`.

For example `jn.proxies.proxy_scores(space, archs, task, "nwot,synflow")`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
