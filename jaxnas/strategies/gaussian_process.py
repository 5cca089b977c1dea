"""Bayesian optimisation with a Gaussian process."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_number, checked_size
from jaxnas.spaces.base import Space, has_rows
from jaxnas.strategies.base import Observation, Query, Strategy, failed_as_worst
from jaxnas.strategies.parts.candidates import mutants

REFERENCES = ("jones1998efficient", "wan2021think", "letham2019constrained")
MOST_RUNS = 100
"""Most runs in a comparison, so that it takes seconds."""

LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
NOISES = (0.03, 0.1, 0.3, 1.0)
"""The grid on which the marginal likelihood is maximised."""

SHARE_OF_MUTANTS = 0.5
NUM_PARENTS = 10
SMALLEST_VARIANCE = 1e-6


class GaussianState(NamedTuple):
    """All trials of the run, architectures int32[T, D] and scores float32[T] (-inf: failed or to come); and the kernel's
    length and noise, float32[].
    """

    archs: jax.Array
    scores: jax.Array
    length: jax.Array
    noise: jax.Array


class Fit(NamedTuple):
    """A Gaussian process that knows T trials, of which some are live.

    Attributes:
        choices: the decisions of the trials, int32[T, E].
        live: which trials count, bool[T].
        factor: the Cholesky factor of their covariance, float32[T, T], the identity's row for others.
        solved: the factor's solution for the targets, float32[T].
        length: of the kernel, float32[].
        scale: the standard deviation of the prior that makes the targets most likely, float32[].
    """

    choices: jax.Array
    live: jax.Array
    factor: jax.Array
    solved: jax.Array
    length: jax.Array
    scale: jax.Array


@functools.cache
def gaussian_process(
    space: Space,
    *,
    num_candidates: int = 200,
    num_startup: int = 10,
    refit_every: int = 10,
    length: float | None = None,
    noise: float | None = None,
) -> Strategy:
    """Returns Bayesian optimisation: the candidate with the largest expected improvement by a Gaussian process.

    The first `num_startup` trials are uniform draws. Then the candidates of each trial are new: half of them mutants,
    by one or two edits, of the ten best architectures, the others uniform draws; all of the space where it has no more
    than `num_candidates`. None is asked twice while there is another one. Scores are replaced by the normal quantiles
    of their ranks, so that networks that learned nothing do not set the scale; failed trials are the lowest.
    Improvement is over the largest posterior mean of what was asked, as is right for noisy scores (Letham, Karrer,
    Ottoni and Bakshy, "Constrained Bayesian Optimization with Noisy Experiments", Bayesian Analysis 2019). Otherwise as
    in Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", Journal of Global
    Optimization 1998.

    The kernel is exp(-h / length), with h the share of the decisions that differ: the exponentiated overlap kernel of
    Wan, Nguyen, Ha, Ru, Lu and Osborne, "Think Global and Act Local: Bayesian Optimisation over High-Dimensional
    Categorical and Mixed Search Spaces", ICML 2021, with one length for all decisions. Length and noise are those of a
    grid of 20 with the largest marginal likelihood, every `refit_every` trials. A trial takes time in proportion to
    T ** 3 + candidates * T ** 2 for T trials of the run.

    Args:
        num_candidates: architectures that the next one is chosen from.
        num_startup: random trials at the start.
        refit_every: trials between two choices of length and noise.
        length: the length scale of the kernel, as a share of the decisions; None: by the marginal likelihood.
        noise: the variance of the noise in a score, as a share of the prior variance; None: by the marginal likelihood.
    """
    for name, size in (("num_candidates", num_candidates), ("num_startup", num_startup), ("refit_every", refit_every)):
        checked_size(name, size)
    lengths, noises = (
        grid if value is None else (checked_number(name, value, above=0),)
        for name, value, grid in (("length", length, LENGTHS), ("noise", noise, NOISES))
    )

    def init(key: jax.Array, num_trials: int) -> GaussianState:
        archs = jnp.zeros((num_trials, len(space.decisions)), jnp.int32)
        return GaussianState(archs, jnp.full(num_trials, -jnp.inf), jnp.float32(lengths[0]), jnp.float32(noises[0]))

    def advance(state: GaussianState, t: jax.Array, key: jax.Array) -> GaussianState:
        refits = (t >= num_startup) & ((t - num_startup) % refit_every == 0)
        if len(lengths) == len(noises) == 1:
            return state
        return jax.lax.cond(refits, refitted, lambda state, t: state, state, t)

    def refitted(state: GaussianState, t: jax.Array) -> GaussianState:
        grid = jnp.asarray([(length, noise) for length in lengths for noise in noises], jnp.float32)
        choices, live = jax.vmap(space.choices)(state.archs), jnp.arange(len(state.scores)) < t
        targets = normal_scores(state.scores, live)
        misfits = jax.lax.map(lambda each: misfit(fitted(choices, targets, live, *each)), grid)
        length, noise = grid[jnp.argmin(jnp.where(jnp.isnan(misfits), jnp.inf, misfits))]
        return state._replace(length=length, noise=noise)

    def ask(state: GaussianState, t: jax.Array, key: jax.Array) -> Query:
        keys = [jax.random.fold_in(key, number) for number in range(2)]

        def promising(state: GaussianState) -> jax.Array:
            live = jnp.arange(len(state.scores)) < t
            candidates = candidates_for(keys[1], space, state, num_candidates)
            choices, targets = jax.vmap(space.choices)(state.archs), normal_scores(state.scores, live)
            fit = fitted(choices, targets, live, state.length, state.noise)
            improvement = improvements(fit, state.noise, targets, jax.vmap(space.choices)(candidates))
            asked = ((candidates[:, None] == state.archs).all(-1) & live).any(1)
            return candidates[jnp.argmax(jnp.where(asked & ~asked.all(), -1, improvement))]

        return Query(jax.lax.cond(t < num_startup, lambda state: space.sample(keys[0]), promising, state))

    def tell(state: GaussianState, t: jax.Array, query: Query, observation: Observation) -> GaussianState:
        score = failed_as_worst(observation.score)
        return state._replace(archs=state.archs.at[t].set(query.arch), scores=state.scores.at[t].set(score))

    hyperparameters = (
        ("num_candidates", num_candidates),
        ("num_startup", num_startup),
        ("refit_every", refit_every),
        ("length", length),
        ("noise", noise),
    )
    # Batched factorisations wait for one another in the thread pool of XLA on CPU, at times for ever: runs take turns.
    return Strategy("gaussian_process", init, ask, tell, advance, hyperparameters, batched=False)


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


def normal_scores(scores: jax.Array, live: jax.Array) -> jax.Array:
    """Returns the normal quantiles of the ranks of live scores among them, 0 for others: float32[T].

    A rank is the share that is lower, plus half of those that are equal.
    """
    counted = jnp.where(live, scores, jnp.inf)
    lower = ((counted < counted[:, None]) & live).sum(1)
    no_higher = ((counted <= counted[:, None]) & live).sum(1)
    share = (lower + no_higher) / (2 * jnp.maximum(live.sum(), 1))
    return jnp.where(live, jax.scipy.special.ndtri(jnp.where(live, share, 0.5)), 0)


def overlap_kernel(one: jax.Array, other: jax.Array, length: jax.Array) -> jax.Array:
    """Returns the kernel between choices int32[M, E] and int32[N, E], float32[M, N]."""
    return jnp.exp(-(one[:, None] != other).mean(-1) / length)


def fitted(choices: jax.Array, targets: jax.Array, live: jax.Array, length: jax.Array, noise: jax.Array) -> Fit:
    """Returns the process that knows the targets float32[T] of live trials."""
    kernel = jnp.where(live[:, None] & live, overlap_kernel(choices, choices, length), 0)
    factor = jnp.linalg.cholesky(kernel + jnp.diag(jnp.where(live, noise, 1)))
    solved = jax.scipy.linalg.solve_triangular(factor, targets, lower=True)
    scale = jnp.sqrt(jnp.maximum(solved @ solved / jnp.maximum(live.sum(), 1), SMALLEST_VARIANCE))
    return Fit(choices, live, factor, solved, length, scale)


def misfit(fit: Fit) -> jax.Array:
    """Returns the negative logarithm of the marginal likelihood, up to a constant, at the most likely scale."""
    return fit.live.sum() * jnp.log(fit.scale) + jnp.log(jnp.diag(fit.factor)).sum()


def posterior(fit: Fit, choices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and standard deviation of the noiseless values at choices int32[C, E], float32[C] each."""
    kernel = jnp.where(fit.live[:, None], overlap_kernel(fit.choices, choices, fit.length), 0)
    rows = jax.scipy.linalg.solve_triangular(fit.factor, kernel, lower=True)
    variance = jnp.maximum(1 - (rows**2).sum(0), SMALLEST_VARIANCE)
    return fit.solved @ rows, fit.scale * jnp.sqrt(variance)


def improvements(fit: Fit, noise: jax.Array, targets: jax.Array, choices: jax.Array) -> jax.Array:
    """Returns the expected improvement of choices int32[C, E] over the largest posterior mean of the trials."""
    weights = jax.scipy.linalg.solve_triangular(fit.factor, fit.solved, lower=True, trans="T")
    best = jnp.where(fit.live, targets - noise * weights, -jnp.inf).max()
    means, deviations = posterior(fit, choices)
    return expected_improvement(means - best, deviations)


def expected_improvement(means: jax.Array, deviations: jax.Array) -> jax.Array:
    """Returns the mean of the positive part of normal variables, at least 0."""
    z = means / deviations
    above = 0.5 * jax.lax.erfc(-z / 2**0.5)
    density = jnp.exp(-0.5 * z**2) / (2 * jnp.pi) ** 0.5
    return jnp.maximum(means * above + deviations * density, 0)
