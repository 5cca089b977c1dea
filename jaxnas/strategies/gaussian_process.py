"""Bayesian optimization with a Gaussian process."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_number, checked_sizes
from jaxnas.spaces.base import Space, has_rows
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, failed_as_worst, warn_of_short_run
from jaxnas.strategies.parts.draws import mutants

CITES = ("jones1998efficient", "wan2021think", "letham2019constrained")
MOST_RUNS = 100
"""The most runs in a comparison, which keeps it to seconds."""

LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
NOISES = (0.03, 0.1, 0.3, 1.0)
"""The grid on which the marginal likelihood is maximized."""

SHARE_OF_MUTANTS = 0.5
NUM_PARENTS = 10
SMALLEST_VARIANCE = 1e-6
NUM_SIZES = 6
"""Sizes of the products, each of which is compiled: with one, most of them would be with zeros."""


class GaussianState(NamedTuple):
    """All trials of the run, and the kernel of the trials so far.

    Attributes:
        archs, scores: the trials, int32[T, D] and float32[T]; -inf: failed, or to come.
        inverse: of the covariance of the trials, noise included, float32[T, T]; 0 for those to come.
        length, noise: of the kernel, float32[].
    """

    archs: jax.Array
    scores: jax.Array
    inverse: jax.Array
    length: jax.Array
    noise: jax.Array


@factory_of_space
def gaussian_process(
    space: Space,
    *,
    num_candidates: int = 200,
    num_startup: int = 10,
    length: float | None = None,
    noise: float | None = None,
) -> Strategy:
    """Returns Bayesian optimization: the candidate with the largest expected improvement by a Gaussian process.

    The first `num_startup` trials are uniform draws. Then each trial has new candidates: half of them mutants, by one
    or two edits, of the ten best architectures, the others uniform draws; the whole space if it is no larger than
    `num_candidates`. None is asked twice while there is another. Scores are replaced by the normal quantiles of their
    ranks, so networks that learned nothing do not set the scale; failed trials are the lowest.

    The kernel is exp(-h / length), with h the share of the decisions that differ: Wan, Nguyen, Ha, Ru, Lu and Osborne,
    "Think Global and Act Local", ICML 2021, with one length for all decisions. Length and noise maximize the marginal
    likelihood over a grid of 20, chosen again whenever the trials have doubled. Improvement is over the largest
    posterior mean of the trials: Letham, Karrer, Ottoni and Bakshy, "Constrained Bayesian Optimization with Noisy
    Experiments", Bayesian Analysis 2019. Otherwise as in Jones, Schonlau and Welch, "Efficient Global Optimization of
    Expensive Black-Box Functions", Journal of Global Optimization 1998. A trial takes time in proportion to
    candidates * T ** 2, for T trials of the run.

    Args:
        num_candidates: architectures that the next one is chosen from.
        num_startup: random trials at the start.
        length: the length scale of the kernel, as a share of the decisions; None: by the marginal likelihood.
        noise: the variance of the noise in a score, as a share of the prior variance; None: by the marginal likelihood.
    """
    sizes = checked_sizes({"num_candidates": num_candidates, "num_startup": num_startup})
    lengths, noises = (
        grid if value is None else (checked_number(name, value, above=0),)
        for name, value, grid in (("length", length, LENGTHS), ("noise", noise, NOISES))
    )
    grid = np.asarray([(length, noise) for length in lengths for noise in noises], np.float32)

    def init(key: jax.Array, num_trials: int) -> GaussianState:
        warn_of_short_run("gaussian_process", num_trials, num_startup + 1, "so that all are uniform draws")
        archs = jnp.zeros((num_trials, len(space.decisions)), jnp.int32)
        nothing = jnp.zeros((num_trials, num_trials))
        return GaussianState(archs, jnp.full(num_trials, -jnp.inf), nothing, *jnp.asarray(grid[0]))

    def advance(state: GaussianState, t: jax.Array, key: jax.Array) -> GaussianState:
        if len(grid) == 1:
            return state
        numbers = np.asarray(refit_sizes(num_startup, len(state.scores)), np.int64)
        refits = [functools.partial(_refitted, space, grid, int(number)) for number in numbers]
        # t is the same in all runs, so only one branch is computed, when it is due
        due = jnp.where((numbers == t).any(), (numbers < t).sum(), len(numbers))
        return jax.lax.switch(due, [*refits, lambda state: state], state)

    def ask(state: GaussianState, t: jax.Array, key: jax.Array) -> Query:
        keys = [jax.random.fold_in(key, number) for number in range(2)]
        promising = functools.partial(_most_promising, space, num_candidates, keys[1], t)
        return Query(jax.lax.cond(t < num_startup, lambda state: space.sample(keys[0]), promising, state))

    def tell(state: GaussianState, t: jax.Array, query: Query, observation: Observation) -> GaussianState:
        score = failed_as_worst(observation.score)
        archs = state.archs.at[t].set(query.arch)
        differing = differences(jax.vmap(space.choices)(archs), space.choices(query.arch)[None])[:, 0]
        inverse, _ = with_another(state.inverse, overlap_kernel(differing, state.length), state.noise, t)
        return state._replace(archs=archs, scores=state.scores.at[t].set(score), inverse=inverse)

    hyperparameters = (*sizes, ("length", length), ("noise", noise))
    return Strategy("gaussian_process", init, ask, tell, advance, hyperparameters, batched=False, padded=True)


def _refitted(space: Space, grid: np.ndarray, size: int, state: GaussianState) -> GaussianState:
    """Returns the state with length and noise of a grid [G, 2] that make the first trials most likely."""
    choices, targets = jax.vmap(space.choices)(state.archs[:size]), normal_scores(state.scores[:size], size)
    differing = differences(choices, choices)
    inverses, logarithms = jax.vmap(functools.partial(inverse_of, differing))(*grid.T)
    best = jnp.argmin(misfit(inverses, logarithms, targets))
    inverse = jnp.zeros_like(state.inverse).at[:size, :size].set(inverses[best])
    length, noise = jnp.asarray(grid)[best]
    return state._replace(inverse=inverse, length=length, noise=noise)


def _most_promising(space: Space, num_candidates: int, key: jax.Array, t: jax.Array, state: GaussianState) -> jax.Array:
    """Returns the candidate with the largest expected improvement, of those that were not asked as far as there are."""
    candidates = candidates_for(key, space, state, num_candidates)
    improvement = improvements(state, space, t, candidates)
    asked = ((candidates[:, None] == state.archs).all(-1) & (jnp.arange(len(state.scores)) < t)).any(1)
    return candidates[jnp.argmax(jnp.where(asked & ~asked.all(), -1, improvement))]


def refit_sizes(first: int, num_trials: int) -> tuple[int, ...]:
    """Returns the numbers of trials after which length and noise are chosen: each time that they have doubled."""
    return tuple(first << number for number in range(num_trials.bit_length()) if first << number < num_trials)


def candidates_for(key: jax.Array, space: Space, state: GaussianState, number: int) -> jax.Array:
    """Returns mutants of the best architectures and uniform draws, or all of a space that has no more: int32[C, D]."""
    if has_rows(space) and space.num_architectures <= number:
        return jax.vmap(space.arch_at)(np.arange(space.num_architectures))
    keys = jax.random.split(key, number)
    num_mutants = int(SHARE_OF_MUTANTS * number)
    drawn = jax.vmap(space.sample)(keys[num_mutants:])
    if num_mutants == 0:
        return drawn
    mutated = mutants(keys[0], space, state.archs, state.scores, num_mutants, NUM_PARENTS)
    return jnp.concatenate([mutated, drawn])


def normal_scores(scores: jax.Array, count: ArrayLike) -> jax.Array:
    """Returns the normal quantiles of the ranks of the first `count` scores among them, 0 for others: float32[T].

    A rank is the share that is lower, plus half of those that are equal.
    """
    live = jnp.arange(len(scores)) < count
    counted = jnp.where(live, scores, jnp.inf)
    lower = ((counted < counted[:, None]) & live).sum(1)
    no_higher = ((counted <= counted[:, None]) & live).sum(1)
    share = (lower + no_higher) / (2 * jnp.maximum(count, 1))
    return jnp.where(live, jax.scipy.special.ndtri(jnp.where(live, share, 0.5)), 0)


def differences(one: jax.Array, other: jax.Array) -> jax.Array:
    """Returns the share of the decisions in which choices int32[M, E] and int32[N, E] differ, float32[M, N]."""

    # XLA's reduction over the last axis takes ten times as long as this loop
    def add(number: jax.Array, differing: jax.Array) -> jax.Array:
        return differing + (one.T[number][:, None] != other.T[number])

    num_decisions = one.shape[1]
    return jax.lax.fori_loop(0, num_decisions, add, jnp.zeros((len(one), len(other)))) / num_decisions


def overlap_kernel(differing: jax.Array, length: jax.Array) -> jax.Array:
    """Returns the kernel for shares of decisions that differ."""
    return jnp.exp(-differing / length)


def with_another(inverse: jax.Array, kernel: jax.Array, noise: jax.Array, t: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Returns the inverse of the covariance that trial t is added to, and its variance given the trials before.

    It borders the inverse with products of matrices and vectors alone: the LAPACK routines that XLA calls on CPU can
    deadlock if many runs call them at once.

    Args:
        inverse: float32[T, T], 0 from row and column t on.
        kernel: between trial t and all, float32[T].
    """
    earlier = jnp.arange(len(kernel)) < t
    kernel = jnp.where(earlier, kernel, 0)
    weights = inverse @ kernel
    variance = jnp.maximum(1 + noise - kernel @ weights, SMALLEST_VARIANCE)
    border = weights.at[t].set(-1)
    return inverse + border[:, None] * (border / variance), variance


def inverse_of(differing: jax.Array, length: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the inverse of the covariance of trials, float32[T, T], and the logarithm of its determinant."""
    kernel = overlap_kernel(differing, length)

    def add(t: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        inverse, variance = with_another(carry[0], kernel[t], noise, t)
        return inverse, carry[1] + jnp.log(variance)

    return jax.lax.fori_loop(0, len(kernel), add, (jnp.zeros_like(kernel), jnp.float32(0)))


def misfit(inverses: jax.Array, logarithms: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns the negative logarithm of the marginal likelihood of targets float32[T], up to a constant, float32[G].

    The scale of the prior is the one that makes them most likely.
    """
    squares = jnp.einsum("i,gij,j->g", targets, inverses, targets)
    return (len(targets) * jnp.log(jnp.maximum(squares, SMALLEST_VARIANCE)) + logarithms) / 2


def posterior(state: GaussianState, space: Space, t: ArrayLike, archs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and standard deviation of the noiseless values of architectures [N, D], in normal quantiles."""
    live, targets = jnp.arange(len(state.scores)) < t, normal_scores(state.scores, t)
    differing = differences(jax.vmap(space.choices)(state.archs), jax.vmap(space.choices)(archs))
    kernel = jnp.where(live[:, None], overlap_kernel(differing, state.length), 0)
    weights = state.inverse @ targets
    scale = jnp.sqrt(jnp.maximum(targets @ weights / jnp.maximum(t, 1), SMALLEST_VARIANCE))
    variance = jnp.maximum(1 - explained_variances(state.inverse, kernel, t), SMALLEST_VARIANCE)
    return weights @ kernel, scale * jnp.sqrt(variance)


def explained_variances(inverse: jax.Array, kernel: jax.Array, t: ArrayLike) -> jax.Array:
    """Returns the share of the prior variance that t trials explain, float32[N], by kernels to them, float32[T, N]."""

    def by_first(size: int, inverse: jax.Array, kernel: jax.Array) -> jax.Array:
        return (kernel[:size] * (inverse[:size, :size] @ kernel[:size])).sum(0)

    sizes = -(-len(kernel) * np.arange(1, NUM_SIZES + 1) // NUM_SIZES)
    return jax.lax.switch(
        (sizes < t).sum(), [functools.partial(by_first, int(size)) for size in sizes], inverse, kernel
    )


def improvements(state: GaussianState, space: Space, t: ArrayLike, archs: jax.Array) -> jax.Array:
    """Returns the expected improvement of architectures [N, D] over the largest posterior mean of the trials."""
    targets = normal_scores(state.scores, t)
    at_trials = targets - state.noise * (state.inverse @ targets)
    best = jnp.where(jnp.arange(len(targets)) < t, at_trials, -jnp.inf).max()
    means, deviations = posterior(state, space, t, archs)
    return expected_improvement(means - best, deviations)


def expected_improvement(means: jax.Array, deviations: jax.Array) -> jax.Array:
    """Returns the mean of the positive part of normal variables, at least 0."""
    z = means / deviations
    above = 0.5 * jax.lax.erfc(-z / 2**0.5)
    density = jnp.exp(-0.5 * z**2) / (2 * jnp.pi) ** 0.5
    return jnp.maximum(means * above + deviations * density, 0)
