"""Predictors by name."""

from collections.abc import Callable

from jaxnas import catalog
from jaxnas.predictors.base import Predictor


def predictor_named(name: str) -> Callable[..., Predictor]:
    """Returns the factory `(space, ...) -> Predictor` of a name, or of `file.py:NAME`.

    Raises ValueError on an unknown name.
    """
    return catalog.factory("predictor", name, catalog.PREDICTORS)
