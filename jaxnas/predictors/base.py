"""Predictors: pure functions that learn scores from known properties of architectures."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog
from jaxnas.checks import checked_function, unknown_name
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

Array = jax.Array | np.ndarray
TARGETS = ("score", "log-error")
"""Targets of the fit: raw scores, or -log(1 - score), which spreads accuracies that are close to 1."""
SMALLEST_ERROR = 1e-3
BLOCK = 32
"""Rows of a block of `block_inverse`."""


class Aux(NamedTuple):
    """Data on n architectures besides features; None if unknown.

    Attributes:
        curves: the scores of one run after each of the E epochs that were trained, float32[n, E].
        losses: the training losses of these epochs, float32[n, E].
        epochs: the numbers of these epochs and then the epoch of `y`, the same for each, float32[n, E + 1].
        columns: values of columns, proxies and sizes, float32[n, C].
    """

    curves: Array | None = None
    losses: Array | None = None
    epochs: Array | None = None
    columns: Array | None = None


class Prediction(NamedTuple):
    """The predictions for m architectures, float32[m] each.

    Attributes:
        mean: the score; NaN if it cannot be predicted. If a predictor only ranks, it has another unit.
        deviation: the standard deviation of the mean of an architecture's runs; NaN if a predictor gives none.
    """

    mean: Array
    deviation: Array


Fit = Callable[[jax.Array, Array, Array, Aux], Any]
"""`(key, features, y, aux) -> state`: any pytree.

`y` holds the score of one run of each architecture, float32[n]; failed ones are NaN and are ignored.
"""
Predict = Callable[[Any, Array, Aux], Prediction]
"""`(state, features, aux) -> Prediction`; the prediction for one architecture does not depend on the others."""


class Predictor(NamedTuple):
    """A predictor of scores: pure functions, made by a factory that closes over its hyperparameters.

    Attributes:
        name: its name in reports.
        encoding: the function from an architecture to the features it learns from, `int32[D] -> float32[F]`;
            factories use one-hot by default.
        fit: `(key, features float32[n, F], y float32[n], aux) -> state`.
        predict: `(state, features float32[m, F], aux) -> Prediction`.
        requires: which parts of `Aux` it reads: "curves", "losses", "epochs", "columns".
        learns: whether it needs trained architectures; otherwise `fit` ignores its arguments.
        jittable: whether the functions can be compiled, also under `jax.vmap`; otherwise they take NumPy arrays.
        ranks_only: whether the mean has a different unit than scores.
        hyperparameters: pairs (name, value), for reports.
    """

    name: str
    encoding: Encoding
    fit: Fit
    predict: Predict
    requires: tuple[str, ...] = ()
    learns: bool = True
    jittable: bool = True
    ranks_only: bool = False
    hyperparameters: tuple[tuple[str, object], ...] = ()


class Scale(NamedTuple):
    """Mean and standard deviation of the fitted targets, float32[] each."""

    mean: Array
    deviation: Array


def standardized(y: Array) -> tuple[jax.Array, jax.Array, Scale]:
    """Returns targets with mean 0 and deviation 1, which of them are known, and their scale: float32[n], bool[n].

    NaN targets become 0 and do not count.
    """
    y = jnp.asarray(y)
    known = jnp.isfinite(y)
    count = jnp.maximum(known.sum(), 1)
    mean = jnp.where(known, y, 0).sum() / count
    centered = jnp.where(known, y - mean, 0)
    deviation = jnp.sqrt((centered**2).sum() / count)
    scale = Scale(mean, jnp.where(deviation > 0, deviation, 1))
    return centered / scale.deviation, known, scale


def unscaled(mean: Array, deviation: Array, scale: Scale, features: Array) -> Prediction:
    """Returns a prediction in the unit of the scores, NaN for architectures with a feature that is not finite."""
    mean, deviation = scale.mean + scale.deviation * mean, scale.deviation * deviation
    known = jnp.isfinite(features).all(-1)
    return Prediction(jnp.where(known, mean, jnp.nan), jnp.where(known, deviation, jnp.nan))


def with_target(predictor: Predictor, target: str) -> Predictor:
    """Returns a predictor that fits another function of the scores, and predicts scores as before.

    Deviations are carried over by the slope. Raises ValueError on a target that is not in `TARGETS`.
    """
    if target not in TARGETS:
        raise unknown_name("a target", target, TARGETS)
    if target == "score" or predictor.ranks_only or not predictor.learns:
        return predictor

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        return predictor.fit(key, features, log_error(y), aux)

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        mean, deviation = predictor.predict(state, features, aux)
        error = jnp.exp(-jnp.asarray(mean))
        return Prediction(1 - error, error * deviation)

    hyperparameters = (*predictor.hyperparameters, ("target", target))
    return predictor._replace(fit=fit, predict=predict, hyperparameters=hyperparameters)


def log_error(y: Array) -> jax.Array:
    """Returns -log(1 - y) of proportions, whose errors count as at least a thousandth; NaN is unchanged."""
    return -jnp.log(jnp.maximum(1 - jnp.asarray(y), SMALLEST_ERROR))


def block_inverse(matrix: jax.Array, *, smallest: jax.Array | float = 1e-9) -> tuple[jax.Array, jax.Array]:
    """Returns the inverse of a positive definite matrix, float32[n, n], and the logarithm of its determinant.

    It borders the inverse with blocks, by products of matrices: about 4 n^3 multiplications. The LAPACK routines that
    XLA calls on CPU can deadlock if many programs call them at once.

    Args:
        smallest: a lower bound of the eigenvalues, such as the noise variance on a diagonal; it bounds rounding errors.
    """
    size = len(matrix)
    width = min(BLOCK, size)
    padded = -(-size // width) * width
    full = jnp.eye(padded).at[:size, :size].set(matrix)
    numbers = jnp.arange(padded)

    def add(number: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        inverse, logarithm = carry
        start = number * width
        columns = jax.lax.dynamic_slice(full, (0, start), (padded, width))
        before = jnp.where((numbers < start)[:, None], columns, 0)
        weights = inverse @ before
        own = jax.lax.dynamic_slice(columns, (start, 0), (width, width))
        small, part = _small_inverse(own - before.T @ weights, smallest)
        border = jax.lax.dynamic_update_slice(weights, -jnp.eye(width), (start, 0))
        return inverse + border @ small @ border.T, logarithm + part

    inverse, logarithm = jax.lax.fori_loop(
        0, padded // width, add, (jnp.zeros((padded, padded), full.dtype), jnp.zeros((), full.dtype))
    )
    return inverse[:size, :size], logarithm


def _small_inverse(matrix: jax.Array, smallest: jax.Array | float) -> tuple[jax.Array, jax.Array]:
    """Returns the inverse and the logarithm of the determinant, by bordering with one row after another."""
    numbers = jnp.arange(len(matrix))

    def add(row: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        inverse, logarithm = carry
        before = jnp.where(numbers < row, matrix[row], 0)
        weights = inverse @ before
        left = jnp.maximum(matrix[row, row] - before @ weights, smallest)
        border = weights.at[row].set(-1)
        return inverse + border[:, None] * (border / left), logarithm + jnp.log(left)

    return jax.lax.fori_loop(0, len(matrix), add, (jnp.zeros_like(matrix), jnp.zeros((), matrix.dtype)))


@functools.cache
def no_features(space: Space) -> Encoding:
    """Returns the encoding of predictors that read no features: a single 0."""

    def encode(arch: jax.Array) -> jax.Array:
        return jnp.zeros(1)

    return encode


def checked_encoding(space: Space, encoding: Encoding | None) -> Encoding:
    """Returns an encoding, `one_hot` by default. Raises ValueError if it is not a function."""
    return one_hot(space) if encoding is None else checked_function("encoding", encoding)


Factory = Callable[..., Predictor]
"""`(space, **hyperparameters) -> Predictor`."""


def checked_learner(factory: Factory, space: Space, *, jittable: bool = False) -> Predictor:
    """Returns the predictor that a factory makes for a space, for searches.

    Raises ValueError if it needs more than features, or if `jittable` is set and it cannot be compiled.
    """
    found = catalog.made("predictor", Predictor, factory, space)
    if found.requires or not found.learns:
        raise ValueError(f"Expected a predictor that learns from features alone, got {found.name}.")
    if jittable and not found.jittable:
        raise ValueError(f"Expected a predictor that can be compiled, got {found.name}.")
    return found


def compiled(predictor: Predictor) -> Predictor:
    """Returns a predictor with its functions compiled if it is jittable."""
    if not predictor.jittable:
        return predictor
    return predictor._replace(fit=jax.jit(predictor.fit), predict=jax.jit(predictor.predict))
