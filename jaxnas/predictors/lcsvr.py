"""Support vector regression on the curve of a training that was stopped."""

import functools
from typing import Any

import jax
import numpy as np

from jaxnas.checks import checked_number
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, no_features
from jaxnas.predictors.regressors import fitted, where_known
from jaxnas.spaces.base import Space

CITES = ("baker2018accelerating",)


@functools.cache
def lcsvr(space: Space, *, penalty: float = 10.0, nu: float = 0.5) -> Predictor:
    """Returns support vector regression of the final score on a curve and its differences, without a deviation.

    Baker, Gupta, Raskar and Naik, "Accelerating Neural Architecture Search using Performance Prediction", 2018: the
    values, first and second differences. Features are scaled by the training architectures; the hyperparameters are
    fixed, not chosen from a thousand draws.

    Args:
        penalty: of errors, scikit-learn's `C`.
        nu: the share of support vectors, at least.
    """
    checked_number("penalty", penalty, above=0)
    checked_number("nu", nu, above=0, at_most=1)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import NuSVR

        rows = curve_features(np.asarray(aux.curves))
        y = np.where(np.isfinite(rows).all(1), np.asarray(y), np.nan)
        center, width = np.nanmean(y), max(float(np.nanstd(y)), 1e-9)
        machine = fitted(make_pipeline(StandardScaler(), NuSVR(C=penalty, nu=nu)), rows, (y - center) / width)
        return machine, center, width

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        machine, center, width = state
        nothing = np.full(len(features), np.nan, np.float32)
        if machine is None:
            return Prediction(nothing, nothing)
        found = where_known(machine.predict, curve_features(np.asarray(aux.curves)), 1)[0]
        return Prediction((center + width * found).astype(np.float32), nothing)

    hyperparameters = (("penalty", penalty), ("nu", nu))
    encode = no_features(space)
    return Predictor("lcsvr", encode, fit, predict, ("curves",), jittable=False, hyperparameters=hyperparameters)


def curve_features(curves: np.ndarray) -> np.ndarray:
    """Returns the values, first and second differences of curves [n, E], as far as there are any: [n, F]."""
    parts = [curves, np.diff(curves, axis=1), np.diff(curves, 2, axis=1)]
    return np.concatenate(parts, axis=1)
