"""Common parts of predictors by regressors with scikit-learn's methods: seeds, missing scores, missing features."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.base import Array


class Regressor(Protocol):
    """A regressor with the methods of scikit-learn's."""

    def fit(self, X: np.ndarray, y: np.ndarray, /) -> object: ...  # noqa: N803
    def predict(self, X: np.ndarray, /) -> np.ndarray: ...  # noqa: N803


def seed_of(key: jax.Array) -> int:
    """Returns a seed below 2**31 for libraries without keys."""
    return int(jax.random.bits(key, (), jnp.uint32)) >> 1


def fitted(regressor: Any, features: Array, y: Array) -> Any:
    """Returns a regressor, fitted to the architectures that have a score; None if none has a score."""
    known = np.isfinite(np.asarray(y))
    if not known.any():
        return None
    regressor.fit(np.asarray(features)[known], np.asarray(y)[known])
    return regressor


def nothing_known(features: Array) -> np.ndarray:
    """Returns NaN for each architecture, float32[m]."""
    return np.full(len(features), np.nan, np.float32)


def where_known(predict: Callable[[np.ndarray], np.ndarray], features: Array, count: int) -> np.ndarray:
    """Returns the results of `predict` for the rows without a NaN, NaN for others: float32[count, m]."""
    rows = np.asarray(features)
    known = np.isfinite(rows).all(-1)
    found = np.full((count, len(rows)), np.nan, np.float32)
    if known.any():
        found[:, known] = predict(rows[known])
    return found
