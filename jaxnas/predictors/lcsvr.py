"""Support vector regression on the curve of a training that was stopped."""

import functools
from typing import Any

import jax
import numpy as np

from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, no_features
from jaxnas.predictors.regressors import fitted, nothing_known, where_known
from jaxnas.spaces.base import Space

CITES = ("baker2018accelerating",)


PENALTY = 10.0
"""Of errors, scikit-learn's `C`."""
NU = 0.5
"""The share of support vectors, at least."""


@functools.cache
def lcsvr(space: Space) -> Predictor:
    """Returns support vector regression of the final score on a curve and its differences, without a deviation.

    Baker, Gupta, Raskar and Naik, "Accelerating Neural Architecture Search using Performance Prediction", 2018: the
    values, first and second differences. Features are scaled by the training architectures; the hyperparameters are
    fixed, not chosen from a thousand draws.
    """

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import NuSVR

        rows = curve_features(np.asarray(aux.curves))
        y = np.where(np.isfinite(rows).all(1), np.asarray(y), np.nan)
        center, width = np.nanmean(y), max(float(np.nanstd(y)), 1e-9)
        machine = fitted(make_pipeline(StandardScaler(), NuSVR(C=PENALTY, nu=NU)), rows, (y - center) / width)
        return machine, center, width

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        machine, center, width = state
        nothing = nothing_known(features)
        if machine is None:
            return Prediction(nothing, nothing)
        found = where_known(machine.predict, curve_features(np.asarray(aux.curves)), 1)[0]
        return Prediction((center + width * found).astype(np.float32), nothing)

    return Predictor("lcsvr", no_features(space), fit, predict, ("curves",), jittable=False)


def curve_features(curves: np.ndarray) -> np.ndarray:
    """Returns the values, first and second differences of curves [n, E], as far as there are any: [n, F]."""
    parts = [curves, np.diff(curves, axis=1), np.diff(curves, 2, axis=1)]
    return np.concatenate(parts, axis=1)
