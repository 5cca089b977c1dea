"""One-shot methods by name."""

from collections.abc import Callable

from jaxnas import catalog
from jaxnas.search.one_shot.base import Method


def method_named(name: str) -> Callable[..., Method]:
    """Returns the factory `(space, ...) -> Method` of a one-shot method's name, or of `file.py:NAME`.

    Raises ValueError on an unknown name.
    """
    return catalog.factory("method", name, catalog.ONE_SHOT)
