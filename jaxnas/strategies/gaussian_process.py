"""Bayesian optimisation with a Gaussian process over a pool of architectures."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.checks import checked_number, checked_size
from jaxnas.spaces.base import Space, has_rows
from jaxnas.strategies.base import Observation, Query, Strategy

REFERENCES = ("jones1998efficient", "wan2021think")
MOST_RUNS = 300
"""Most runs in a comparison, so that it takes seconds."""

BLOCK_SIZE = 32
"""Rows of the factor that a solve takes at once; those past the block of the current trial are not read."""


class Posterior(NamedTuple):
    """What the successful trials say about the pool.

    Attributes:
        variance: the posterior variance in units of the prior's, float32[N].
        solved_scores, solved_ones: the posterior means, with a prior mean of 0, after being told the scores less the
            first one, and after being told ones, float32[N]. They give the mean for any constant prior mean.
        first: the first score; those below are less this one, against cancellation.
        total, total_squares, best, num_scores: sum, sum of squares and maximum of the scores, and how many there are.
    """

    variance: jax.Array
    solved_scores: jax.Array
    solved_ones: jax.Array
    first: jax.Array
    total: jax.Array
    total_squares: jax.Array
    best: jax.Array
    num_scores: jax.Array


class GaussianState(NamedTuple):
    """The pool, and what is known of it.

    Attributes:
        archs: architectures of the pool, int32[N, D].
        choices: their decisions, those of the space behind the rows for an enumerated space, int32[E, N].
        asked: which of them were asked, bool[N].
        factor: the kernel between trials and pool, solved by the Cholesky factor of the trials' covariance,
            float32[T, N], with T rounded up to whole blocks; rows are 0 for failed trials and those to come.
    """

    archs: jax.Array
    choices: jax.Array
    asked: jax.Array
    factor: jax.Array
    posterior: Posterior


@functools.cache
def gaussian_process(
    space: Space, *, pool_size: int = 1000, num_startup: int = 10, length: float = 0.6, noise: float = 0.1
) -> Strategy:
    """Returns Bayesian optimisation: the largest expected improvement by a Gaussian process over a random pool.

    The pool is drawn uniformly at the start, without repeats where architectures can be numbered, and none of it is
    asked twice until all were asked. The first `num_startup` trials are random. The kernel is exp(-h / length), with
    h the share of the decisions that differ: the exponentiated overlap kernel of Wan, Nguyen, Ha, Ru, Lu and Osborne,
    "Think Global and Act Local: Bayesian Optimisation over High-Dimensional Categorical and Mixed Search Spaces",
    ICML 2021. Its hyperparameters are fixed, never fitted; prior mean and variance are those of all scores so far.
    The posterior is exact: a trial adds one row to a Cholesky factor, so that time and memory of a run are in
    proportion to trials times pool. Failed trials are no observations. Improvement is over the best score so far, as
    in Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", Journal of Global
    Optimization 1998.

    Args:
        pool_size: architectures in the pool; all of the space where it has no more.
        num_startup: random trials at the start.
        length: the length scale of the kernel, as a share of the decisions.
        noise: the variance of the noise in a score, as a share of the prior variance.
    """
    checked_size("pool_size", pool_size)
    checked_size("num_startup", num_startup)
    checked_number("length", length, above=0)
    checked_number("noise", noise, above=0)

    def init(key: jax.Array, num_trials: int) -> GaussianState:
        archs = draw_pool(key, space, pool_size)
        factor = jnp.zeros((-(-num_trials // BLOCK_SIZE) * BLOCK_SIZE, len(archs)))
        choices = jax.vmap(space.choices, out_axes=1)(archs)
        return GaussianState(archs, choices, jnp.zeros(len(archs), bool), factor, _prior(len(archs)))

    def ask(state: GaussianState, t: jax.Array, key: jax.Array) -> Query:
        free = ~state.asked | state.asked.all()
        starts = (t < num_startup) | (state.posterior.num_scores == 0)
        index = jax.lax.cond(starts, lambda _, free: first_of(free), _most_promising, state.posterior, free)
        return Query(state.archs[index])  # the first of a pool in random order is a random one

    def tell(state: GaussianState, t: jax.Array, query: Query, observation: Observation) -> GaussianState:
        shares = (state.choices != space.choices(query.arch)[:, None]).mean(0)
        arguments = (state.factor, state.posterior, t, shares, observation.score)
        row, posterior = jax.lax.cond(jnp.isfinite(observation.score), observed, ignored, *arguments)
        factor = state.factor.at[t].set(row)
        return state._replace(asked=state.asked | (shares == 0), factor=factor, posterior=posterior)

    def observed(
        factor: jax.Array, posterior: Posterior, t: jax.Array, shares: jax.Array, score: jax.Array
    ) -> tuple[jax.Array, Posterior]:
        index = first_of(shares == 0)
        kernel = jnp.exp(-shares / length)
        covariance = kernel - _products(factor, index, t)
        scale = jnp.sqrt(jnp.maximum(posterior.variance[index], 0) + noise)
        return _observed(posterior, covariance / scale, index, scale, score)

    def ignored(
        factor: jax.Array, posterior: Posterior, t: jax.Array, shares: jax.Array, score: jax.Array
    ) -> tuple[jax.Array, Posterior]:
        return jnp.zeros_like(shares), posterior

    hyperparameters = (("pool_size", pool_size), ("num_startup", num_startup), ("length", length), ("noise", noise))
    return Strategy("gaussian_process", init, ask, tell, hyperparameters=hyperparameters, batched=False)


def draw_pool(key: jax.Array, space: Space, size: int) -> jax.Array:
    """Returns uniformly drawn architectures in random order, int32[N, D], N the size or all of a smaller space.

    They differ, except in spaces without rows, where repeats are unlikely.
    """
    if not has_rows(space):
        return jax.vmap(space.sample)(jax.random.split(key, size))
    num_architectures = space.num_architectures
    if num_architectures <= 4 * size:
        rows = jnp.argsort(jax.random.bits(key, (num_architectures,), jnp.uint32))[:size]
    else:
        drawn = prng.draw_index(key, num_architectures, (2 * size + 16,))  # at most one in four or so is a repeat
        order = jnp.argsort(drawn, stable=True)
        repeats = jnp.concatenate([jnp.zeros(1, bool), drawn[order[1:]] == drawn[order[:-1]]])
        repeated = jnp.zeros(len(drawn), bool).at[order].set(repeats)
        rows = drawn[jnp.argsort(repeated, stable=True)[:size]]
    return jax.vmap(space.arch_at)(rows).astype(jnp.int32)


def posterior_of(state: GaussianState) -> tuple[jax.Array, jax.Array]:
    """Returns the posterior mean and variance over the pool, in units of the scores, float32[N] each.

    Scores have a prior mean of NaN before the first success.
    """
    posterior = state.posterior
    mean, deviation = _moments(posterior)
    means = posterior.first + mean + posterior.solved_scores - mean * posterior.solved_ones
    return jnp.where(posterior.num_scores > 0, means, jnp.nan), deviation**2 * posterior.variance


def _prior(size: int) -> Posterior:
    zeros, zero = jnp.zeros(size), jnp.float32(0)
    return Posterior(zeros + 1, zeros, zeros, zero, zero, zero, jnp.float32(-jnp.inf), jnp.int32(0))


def _moments(posterior: Posterior) -> tuple[jax.Array, jax.Array]:
    """Returns mean and standard deviation of the scores so far; 1 for a deviation of 0."""
    count = jnp.maximum(posterior.num_scores, 1)
    mean = posterior.total / count
    variance = posterior.total_squares / count - mean**2
    return mean, jnp.where(variance > 0, jnp.sqrt(jnp.maximum(variance, 0)), 1)


def _most_promising(posterior: Posterior, free: jax.Array) -> jax.Array:
    """Returns the index of the largest expected improvement over the free part of the pool."""
    mean, deviation = _moments(posterior)
    means = (mean + posterior.solved_scores - mean * posterior.solved_ones - posterior.best) / deviation
    deviations = jnp.sqrt(jnp.maximum(posterior.variance, 1e-9))
    improvement = jnp.where(free, expected_improvement(means, deviations), -1)
    return first_of(improvement == improvement.max())


def first_of(mask: jax.Array) -> jax.Array:
    """Returns the position of the first true value, the last position where there is none; faster than argmax."""
    last = len(mask) - 1
    return jnp.where(mask, jnp.arange(len(mask)), last).min()


def expected_improvement(means: jax.Array, deviations: jax.Array) -> jax.Array:
    """Returns the mean of the positive part of normal variables, at least 0."""
    z = means / deviations
    above = 0.5 * jax.lax.erfc(-z / 2**0.5)
    density = jnp.exp(-0.5 * z**2) / (2 * jnp.pi) ** 0.5
    return jnp.maximum(means * above + deviations * density, 0)


def _products(factor: jax.Array, index: jax.Array, t: jax.Array) -> jax.Array:
    """Returns the inner products of one column of the factor with all, over the rows before t, float32[N]."""

    def add(block: jax.Array, total: jax.Array) -> jax.Array:
        rows = jax.lax.dynamic_slice_in_dim(factor, block * BLOCK_SIZE, BLOCK_SIZE)
        return total + rows[:, index] @ rows

    return jax.lax.fori_loop(0, (t + BLOCK_SIZE - 1) // BLOCK_SIZE, add, jnp.zeros(factor.shape[1]))


def _observed(
    posterior: Posterior, row: jax.Array, index: jax.Array, scale: jax.Array, score: jax.Array
) -> tuple[jax.Array, Posterior]:
    """Returns the row of the factor, and the posterior after the score of the member `index` of the pool."""
    first = jnp.where(posterior.num_scores == 0, score, posterior.first)
    value = score - first
    scores, ones = posterior.solved_scores, posterior.solved_ones
    return row, Posterior(
        posterior.variance - row**2,
        scores + row * (value - scores[index]) / scale,
        ones + row * (1 - ones[index]) / scale,
        first,
        posterior.total + value,
        posterior.total_squares + value**2,
        jnp.maximum(posterior.best, value),
        posterior.num_scores + 1,
    )
