"""Predictors that read the curve of a training that was stopped: its last value, its sum, its continuation."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, no_features
from jaxnas.predictors.regressors import fitted, nothing_known, where_known
from jaxnas.spaces.base import Space

CITES = {
    "last_value": ("ru2021speedy",),
    "best_value": ("ru2021speedy",),
    "sotl": ("ru2021speedy",),
    "sotl_e": ("ru2021speedy",),
    "extrapolation": ("domhan2015speeding",),
    "lcsvr": ("baker2018accelerating",),
}

POWERS = (0.25, 0.5, 1.0, 2.0)
RATES = (0.05, 0.1, 0.3, 1.0)
NUM_PARAMETERS = {"power": 3, "exponential": 3, "logarithmic": 2, "last value": 1}
SMALLEST_ERROR = 1e-4
"""The least error of a fit, a mean of squares; without it a curve of few epochs could count as exact."""
PENALTY = 10.0
"""Of errors, scikit-learn's `C`."""
NU = 0.5
"""The share of support vectors, at least."""


@functools.cache
def last_value(space: Space) -> Predictor:
    """Returns the score after the last epoch that was trained."""
    return _read("last_value", space, ("curves",), lambda aux: jnp.asarray(aux.curves)[:, -1])


@functools.cache
def best_value(space: Space) -> Predictor:
    """Returns the best score after any epoch that was trained."""
    return _read("best_value", space, ("curves",), lambda aux: jnp.asarray(aux.curves).max(-1))


@functools.cache
def sotl(space: Space) -> Predictor:
    """Returns the sum of the training losses of all epochs, negated: how fast a network trains.

    Ru, Lyle, Schut, Fil, van der Wilk and Gal, "Speedy Performance Estimation for Neural Architecture Search",
    NeurIPS 2021 (training speed estimation). It ranks only.
    """
    return _read("sotl", space, ("losses",), lambda aux: -jnp.asarray(aux.losses).sum(-1))


@functools.cache
def sotl_e(space: Space) -> Predictor:
    """Returns the training loss of the last epoch, negated: TSE-E of the paper of `sotl`, with one epoch."""
    return _read("sotl_e", space, ("losses",), lambda aux: -jnp.asarray(aux.losses)[:, -1])


def fit_nothing(key: jax.Array, features: Array, y: Array, aux: Aux) -> tuple[()]:
    """Returns an empty state: the `fit` of a predictor that learns nothing."""
    return ()


def _read(name: str, space: Space, requires: tuple[str, ...], value: Callable[[Aux], Array]) -> Predictor:
    def predict(state: tuple[()], features: Array, aux: Aux) -> Prediction:
        mean = jnp.asarray(value(aux), jnp.float32)
        mean = jnp.where(jnp.isfinite(mean), mean, jnp.nan)
        return Prediction(mean, jnp.full_like(mean, jnp.nan))

    return Predictor(name, no_features(space), fit_nothing, predict, requires, learns=False)


class Fitted(NamedTuple):
    """A curve of one family: its value at the last epoch, and the mean squared error at those that were trained."""

    value: jax.Array
    error: jax.Array


@functools.cache
def extrapolation(space: Space) -> Predictor:
    """Returns the curve of a training, continued to the last epoch by a mean of parametric families.

    Those of Domhan, Springenberg and Hutter, "Speeding up Automatic Hyperparameter Optimization of Deep Neural Networks
    by Extrapolation of Learning Curves", IJCAI 2015, that a few epochs can tell: pow3, c - a t^-b; ilog2,
    c - a / log(t + 1); an exponential, c - a exp(-b t); and the last value. All rise (a >= 0). Each is fitted by least
    squares, b on a grid, rather than sampled, and weighed by exp(-BIC / 2). Compare with `last_value`: extrapolation
    often loses to it. It needs three epochs or more; with fewer it is the last value.
    """

    def predict(state: tuple[()], features: Array, aux: Aux) -> Prediction:
        curves, epochs = jnp.asarray(aux.curves), jnp.asarray(aux.epochs)
        mean, deviation = jax.vmap(continued)(curves, epochs)
        known = jnp.isfinite(curves).all(-1)
        return Prediction(jnp.where(known, mean, jnp.nan), jnp.where(known, deviation, jnp.nan))

    requires = ("curves", "epochs")
    return Predictor("extrapolation", no_features(space), fit_nothing, predict, requires, learns=False)


def continued(curve: jax.Array, epochs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and deviation at the last of the epochs float32[E + 1] of a curve float32[E]."""
    length = len(curve)
    last = Fitted(curve[-1], jnp.maximum(((curve - curve[-1]) ** 2).mean(), SMALLEST_ERROR))
    if length < 3:
        return curve[-1], jnp.float32(jnp.nan)
    families = {
        "power": [epochs**-power for power in POWERS],
        "exponential": [jnp.exp(-rate * (epochs - epochs[0])) for rate in RATES],
        "logarithmic": [1 / jnp.log(epochs + 1)],
    }
    fits = [last, *(_best([fitted_line(curve, shape) for shape in shapes]) for shapes in families.values())]
    counts = np.asarray([NUM_PARAMETERS[name] for name in ("last value", *families)])
    values, errors = jnp.stack([each.value for each in fits]), jnp.stack([each.error for each in fits])
    weights = jax.nn.softmax(-(length * jnp.log(errors) + counts * np.log(length)) / 2)
    mean = weights @ values
    return mean, jnp.sqrt(weights @ (errors + (values - mean) ** 2))


def fitted_line(curve: jax.Array, shape: jax.Array) -> Fitted:
    """Returns c - a * shape, a >= 0, fitted to a curve; `shape` falls with the epochs, float32[E + 1]."""
    seen = shape[:-1]
    centered = seen - seen.mean()
    slope = jnp.maximum(-(centered @ curve) / jnp.maximum(centered @ centered, 1e-12), 0)
    level = curve.mean() + slope * seen.mean()
    error = ((level - slope * seen - curve) ** 2).mean()
    return Fitted(level - slope * shape[-1], jnp.maximum(error, SMALLEST_ERROR))


def _best(fits: list[Fitted]) -> Fitted:
    """Returns the fit of the smallest error."""
    errors = jnp.stack([each.error for each in fits])
    best = jnp.argmin(errors)
    return Fitted(jnp.stack([each.value for each in fits])[best], errors[best])


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
