"""Learning curves continued by parametric families."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, no_features
from jaxnas.spaces.base import Space

CITES = ("domhan2015speeding",)

POWERS = (0.25, 0.5, 1.0, 2.0)
RATES = (0.05, 0.1, 0.3, 1.0)
NUM_PARAMETERS = {"power": 3, "exponential": 3, "logarithmic": 2, "last value": 1}
SMALLEST_ERROR = 1e-4
"""Of a fit, as a mean of squares, so that no curve of few epochs is taken for exact."""


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

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> tuple[()]:
        return ()

    def predict(state: tuple[()], features: Array, aux: Aux) -> Prediction:
        curves, epochs = jnp.asarray(aux.curves), jnp.asarray(aux.epochs)
        mean, deviation = jax.vmap(continued)(curves, epochs)
        known = jnp.isfinite(curves).all(-1)
        return Prediction(jnp.where(known, mean, jnp.nan), jnp.where(known, deviation, jnp.nan))

    requires = ("curves", "epochs")
    return Predictor("extrapolation", no_features(space), fit, predict, requires, learns=False)


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
