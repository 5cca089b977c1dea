"""Strategies by name."""

from collections.abc import Callable

from jaxnas import catalog
from jaxnas.strategies.base import Strategy


def strategy_named(name: str) -> Callable[..., Strategy]:
    """Returns the factory `(space, ...) -> Strategy` of a name, or of `file.py:NAME`.

    Raises ValueError on an unknown name.
    """
    return catalog.factory("strategy", name, catalog.STRATEGIES)
