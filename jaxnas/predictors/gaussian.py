"""Gaussian processes whose kernel and noise maximize the marginal likelihood over a grid."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.base import (
    Array,
    Aux,
    Fit,
    Predict,
    Prediction,
    Predictor,
    Scale,
    block_inverse,
    checked_encoding,
    standardized,
    unscaled,
)
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

CITES = {
    "blr": ("mackay1992bayesian",),
    "gp_rbf": ("rasmussen2006gaussian",),
    "gp_hamming": ("rasmussen2006gaussian", "wan2021think"),
}

LENGTHS = (0.15, 0.3, 0.6, 1.2, 2.4)
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)
RATIOS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""The ratio of prior variances of a mean feature and of the intercept, in linear functions."""
SMALLEST_VARIANCE = 1e-6
MOST_FOR_CHOICE = 256
"""The maximum number of scores, the first ones, that length and noise are chosen by."""
UNKNOWN = 1e6
"""The variance of the noise in a score that is missing."""


class Kernel(NamedTuple):
    """A kernel in two steps: the part that does not depend on the hyperparameter is computed once.

    Attributes:
        compare: `(features [m, F], features [n, F]) -> float32[P, m, n]`.
        combine: `(float32[P, m, n], length) -> float32[m, n]`.
    """

    compare: Callable[[jax.Array, jax.Array], jax.Array]
    combine: Callable[[jax.Array, jax.Array], jax.Array]

    def __call__(self, one: jax.Array, other: jax.Array, length: jax.Array) -> jax.Array:
        """Returns the covariances of rows [m, F] and [n, F], float32[m, n]."""
        return self.combine(self.compare(one, other), length)


class GaussianState(NamedTuple):
    """The state of a Gaussian process fitted to n architectures.

    Attributes:
        features: float32[n, F].
        weights: the weight in the mean of the kernel to each architecture, float32[n].
        inverse: the inverse of their covariance, noise included, float32[n, n].
        length: the kernel's hyperparameter, float32[].
        amplitude: the standard deviation of the prior, float32[].
        scale: of the scores.
    """

    features: jax.Array
    weights: jax.Array
    inverse: jax.Array
    length: jax.Array
    amplitude: jax.Array
    scale: Scale


def process(kernel: Kernel, lengths: tuple[float, ...]) -> tuple[Fit, Predict]:
    """Returns fit and predict of a Gaussian process with a constant mean.

    Length and noise, the latter as a share of the prior variance, maximize the marginal likelihood of the first 256
    scores over the grid; the prior variance maximizes the likelihood of all scores.
    """
    grid = np.asarray([(length, noise) for length in lengths for noise in NOISES], np.float32)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> GaussianState:
        features = jnp.asarray(features)
        targets, known, scale = standardized(jnp.where(jnp.isfinite(features).all(-1), y, jnp.nan))
        kept = jnp.where(known[:, None], features, 0)
        parts = kernel.compare(kept, kept)
        kernels = jnp.stack([kernel.combine(parts, jnp.float32(length)) for length in lengths])

        def inverse_at(number: jax.Array, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
            noise = jnp.asarray(grid)[number, 1]
            own = kernels[number // len(NOISES)][rows[:, None], rows]
            return block_inverse(own + jnp.diag(jnp.where(known[rows], noise, UNKNOWN)), smallest=noise)

        def misfit_at(number: jax.Array) -> jax.Array:
            inverse, logarithm = inverse_at(number, chosen_by)
            found = misfit(inverse, logarithm, targets[chosen_by], known[chosen_by])[0]
            return jnp.where(jnp.isfinite(found), found, jnp.inf)

        everything = jnp.arange(len(targets))
        chosen_by = jnp.argsort(~known, stable=True)[:MOST_FOR_CHOICE]
        best = jnp.argmin(jax.lax.map(misfit_at, jnp.arange(len(grid))))
        inverse, logarithm = inverse_at(best, everything)
        amplitude = misfit(inverse, logarithm, targets, known)[1]
        return GaussianState(kept, inverse @ targets, inverse, jnp.asarray(grid)[best, 0], amplitude, scale)

    def predict(state: GaussianState, features: Array, aux: Aux) -> Prediction:
        features = jnp.asarray(features)
        across = kernel(features, state.features, state.length)
        own = jax.vmap(lambda row: kernel(row[None], row[None], state.length)[0, 0])(features)
        variance = jnp.maximum(own - ((across @ state.inverse) * across).sum(-1), SMALLEST_VARIANCE)
        return unscaled(across @ state.weights, state.amplitude * jnp.sqrt(variance), state.scale, features)

    return fit, predict


def misfit(
    inverse: jax.Array, logarithm: jax.Array, targets: jax.Array, known: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the negative logarithm of the marginal likelihood, up to a constant, and the prior's deviation."""
    count = jnp.maximum(known.sum(), 1)
    squares = jnp.maximum(targets @ inverse @ targets, SMALLEST_VARIANCE)
    logarithm = logarithm - (~known).sum() * jnp.log(UNKNOWN)
    return (count * jnp.log(squares) + logarithm) / 2, jnp.sqrt(squares / count)


def squared_distances(one: jax.Array, other: jax.Array) -> jax.Array:
    """Returns the squared distances between rows [m, F] and [n, F], float32[m, n]."""
    squares = (one**2).sum(-1)[:, None] + (other**2).sum(-1) - 2 * one @ other.T
    return jnp.maximum(squares, 0)


RBF = Kernel(
    lambda one, other: squared_distances(one, other)[None] / one.shape[-1],
    lambda parts, length: jnp.exp(-parts[0] / (2 * length**2)),
)
"""The Gaussian kernel of unit variance: exp(-d^2 / 2 l^2), with d^2 the mean squared difference of features."""


LINEAR = Kernel(
    lambda one, other: (one @ other.T)[None] / one.shape[-1],
    lambda parts, ratio: (1 + ratio * parts[0]) / (1 + ratio),
)
"""The covariance of linear functions, by the ratio of the features' prior variance to the intercept's."""


@functools.cache
def blr(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns Bayesian linear regression, with prior and noise of largest evidence.

    MacKay, "Bayesian Interpolation", Neural Computation 1992, over a grid. Computed as the Gaussian process with the
    kernel of linear functions, which is the same and costs the cube of the number of scores, not of features.
    """
    encode = checked_encoding(space, encoding)
    return Predictor("blr", encode, *process(LINEAR, RATIOS), hyperparameters=(("encoding", encoding),))


@functools.cache
def gp_rbf(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns a Gaussian process with the Gaussian kernel on features.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006.
    """
    encode = checked_encoding(space, encoding)
    return Predictor("gp_rbf", encode, *process(RBF, LENGTHS), hyperparameters=(("encoding", encoding),))


@functools.cache
def gp_hamming(space: Space) -> Predictor:
    """Returns a Gaussian process whose kernel falls with the share of the decisions that differ.

    The exponentiated overlap kernel of Wan, Nguyen, Ha, Ru, Lu and Osborne, "Think Global and Act Local: Bayesian
    Optimization over High-Dimensional Categorical and Mixed Search Spaces", ICML 2021, with one length.
    """
    num_decisions = len(space.plain.decisions)
    kernel = Kernel(
        lambda one, other: squared_distances(one, other)[None] / (2 * num_decisions),
        lambda parts, length: jnp.exp(-parts[0] / length),
    )
    return Predictor("gp_hamming", one_hot(space), *process(kernel, LENGTHS))
