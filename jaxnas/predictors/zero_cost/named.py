"""Zero-cost proxies by name."""

from jaxnas import catalog
from jaxnas.predictors.zero_cost.proxy import Proxy


def proxy_named(name: str) -> Proxy:
    """Returns the zero-cost proxy of a name, or of `file.py:NAME`. Raises ValueError on an unknown name."""
    found = catalog.found("a proxy", name, catalog.PROXIES)
    if not hasattr(found, "source") or not hasattr(found, "score"):
        raise ValueError(f"{catalog.OWN['proxy']} Expected {name} to be a Proxy, got {type(found).__name__}.")
    return found
