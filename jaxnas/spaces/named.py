"""Search spaces by name."""

from typing import Any

from jaxnas import catalog
from jaxnas.spaces.base import Space


def space_named(name: str) -> Space:
    """Returns the search space of a name, or of `file.py:NAME`, a space itself.

    Raises ValueError on an unknown name.
    """
    return checked_space(catalog.found("a space", name, catalog.SPACES), name)


def checked_space(found: Any, name: str = "space") -> Space:
    """Returns the object found under a name. Raises ValueError if it is not a search space."""
    missing = [method for method in ("decisions", "sample", "mutate", "index", "arch_at") if not hasattr(found, method)]
    if missing:
        raise ValueError(f"Expected {name} to be a search space, got {type(found).__name__} without {missing[0]}.")
    return found
