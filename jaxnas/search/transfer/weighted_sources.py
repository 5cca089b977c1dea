"""Bayesian optimization with an ensemble of earlier tasks, weighted by how well they rank the new one."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy
from jaxnas.strategies.gaussian_process import (
    GaussianState,
    candidates_for,
    expected_improvement,
    gaussian_process,
    normal_scores,
    posterior,
)
from jaxnas.strategies.wrappers.prior_guided import checked_scores, normal_quantiles

MOST_RUNS = 100
"""Most runs in a comparison, so that it takes seconds."""

NUM_SAMPLES = 64
FEWEST_TRIALS = 3
"""With fewer trials all sources weigh the same."""
REWEIGHED_EVERY = 5
SMALLEST_SPREAD = 0.05


class EnsembleState(NamedTuple):
    """The Gaussian process of the new task, and the weights of the sources and of it, float32[S + 1]."""

    process: GaussianState
    weights: jax.Array


def rank_weighted(space: Space, scores: ArrayLike, *, num_candidates: int = 200) -> Strategy:
    """Returns Bayesian optimization whose model is an ensemble of earlier tasks and of the new one.

    A source predicts by its own scores, put on the scale of the new task: their normal quantiles, with the mean
    and standard deviation of the trials so far. The new task is predicted as in `gaussian_process`. Weights
    come from `ranking_weights`. A candidate's mean is the weighted one; the variance combines the process and
    the sources' errors on the trials so far, by the squares of the weights. The candidates of a trial are the
    best of the weighted sources, and mutants and uniform draws as in `gaussian_process`, and the one of the
    largest expected improvement over the best trial is asked; none twice while there is another. Feurer, Letham
    and Bakshy, "Scalable Meta-Learning for Bayesian Optimization using Ranking-Weighted Gaussian Process
    Ensembles", AutoML Workshop at ICML 2018. All scores of a source are used instead of processes fitted to it.

    Args:
        space: a search space whose architectures have rows.
        scores: of the sources, float[S, rows], larger is better, NaN the worst.
        num_candidates: architectures that the next one is chosen from.
    """
    checked_size("num_candidates", num_candidates, smallest=2)
    found = np.atleast_2d(np.asarray(scores, np.float64))
    return _rank_weighted(space, tuple(checked_scores(space, each).tobytes() for each in found), num_candidates)


@functools.lru_cache(maxsize=16)
def _rank_weighted(space: Space, scores: tuple[bytes, ...], num_candidates: int) -> Strategy:
    """Returns one strategy for equal arguments, so its runs are compiled once."""
    sources = np.stack([normal_quantiles(np.frombuffer(each)) for each in scores])
    process = gaussian_process(space, num_candidates=num_candidates, num_startup=FEWEST_TRIALS)
    num_best = min(num_candidates // 2, space.num_architectures)

    def init(key: jax.Array, num_trials: int) -> EnsembleState:
        equal = jnp.full(len(sources) + 1, 1 / len(sources)).at[-1].set(0)
        return EnsembleState(process.init(key, num_trials), equal)

    def at_trials(state: GaussianState) -> jax.Array:
        return jnp.asarray(sources)[:, jax.vmap(space.index)(state.archs)]

    def advance(state: EnsembleState, t: jax.Array, key: jax.Array) -> EnsembleState:
        inner = process.advance(state.process, t, key)
        due = (t >= FEWEST_TRIALS) & ((t < 2 * REWEIGHED_EVERY) | (t % REWEIGHED_EVERY == 0))

        def reweighed(inner: GaussianState) -> jax.Array:
            return ranking_weights(jax.random.fold_in(key, 1), at_trials(inner), inner, t)

        return EnsembleState(inner, jax.lax.cond(due, reweighed, lambda inner: state.weights, inner))

    def ask(state: EnsembleState, t: jax.Array, key: jax.Array) -> Query:
        inner, weights = state
        targets, live = normal_scores(inner.scores, t), jnp.arange(len(inner.scores)) < t
        scaled, spreads = on_scale(jnp.asarray(sources), at_trials(inner), targets, t)
        ranked = (weights[:-1] @ scaled).at[jax.vmap(space.index)(inner.archs)].add(jnp.where(live, -jnp.inf, 0))
        best = jax.vmap(space.arch_at)(jax.lax.top_k(ranked, num_best)[1].astype(jnp.int32))
        candidates = jnp.concatenate([best, candidates_for(key, space, inner, num_candidates - num_best)])
        mean, deviation = posterior(inner, space, t, candidates)
        means = weights[:-1] @ scaled[:, jax.vmap(space.index)(candidates)] + weights[-1] * mean
        variance = (weights[-1] * deviation) ** 2 + ((weights[:-1] * spreads) ** 2).sum()
        improvement = expected_improvement(means - targets.max(initial=-jnp.inf, where=live | (t == 0)), variance**0.5)
        asked = ((candidates[:, None] == inner.archs).all(-1) & live).any(1)
        # of candidates without a chance to improve, that with the largest mean
        value = jnp.where(improvement.max() > 0, improvement, means)
        return Query(candidates[jnp.argmax(jnp.where(asked & ~asked.all(), -jnp.inf, value))])

    def tell(state: EnsembleState, t: jax.Array, query: Query, observation: Observation) -> EnsembleState:
        return state._replace(process=process.tell(state.process, t, query, observation))

    hyperparameters = (("sources", len(sources)), ("num_candidates", num_candidates))
    return Strategy("rank_weighted", init, ask, tell, advance, hyperparameters, batched=False)


def on_scale(
    sources: jax.Array, seen: jax.Array, targets: jax.Array, t: jax.Array | int
) -> tuple[jax.Array, jax.Array]:
    """Returns sources [S, A] with the mean 0 and deviation 1 on the first t trials, and their errors there, float32[S].

    Args:
        seen: the sources' predictions for the trials, float32[S, T].
        targets: the normal scores of these, float32[T].
    """
    live, count = jnp.arange(seen.shape[1]) < t, jnp.maximum(t, 1)
    mean = jnp.where(live, seen, 0).sum(1, keepdims=True) / count
    deviation = jnp.sqrt((jnp.where(live, seen - mean, 0) ** 2).sum(1, keepdims=True) / count)
    known = t >= FEWEST_TRIALS
    mean, deviation = jnp.where(known, mean, 0), jnp.where(known & (deviation > SMALLEST_SPREAD), deviation, 1)
    errors = jnp.where(live, (seen - mean) / deviation - targets, 0)
    spread = jnp.where(known, jnp.sqrt((errors**2).sum(1) / count), 1)
    return (sources - mean) / deviation, jnp.maximum(spread, SMALLEST_SPREAD)


def ranking_weights(key: jax.Array, seen: jax.Array, process: GaussianState, t: ArrayLike) -> jax.Array:
    """Returns the weights of sources, and of the process of the new task last, float32[S + 1], of sum 1.

    A weight is the share of resamples of the trials (drawn with replacement) in which the model ranks the fewest pairs
    wrong; ties share. The process predicts each trial from the others. A source whose median loss
    is above the 95 % quantile of the process's weighs nothing (Feurer et al.). The paper draws from
    posteriors, while trials are resampled here: a source's scores have none.

    Args:
        seen: the sources' predictions for the trials, float32[S, T].
    """
    targets, live = normal_scores(process.scores, t), jnp.arange(len(process.scores)) < t
    losses = ranking_losses(key, seen, left_out(process, targets), targets, live)
    too_bad = jnp.median(losses, axis=1) > jnp.quantile(losses[-1], 0.95)
    losses = jnp.where(too_bad.at[-1].set(False)[:, None], jnp.inf, losses)
    smallest = losses == losses.min(0)
    return (smallest / smallest.sum(0)).mean(1)


def left_out(process: GaussianState, targets: jax.Array) -> jax.Array:
    """Returns a process's prediction of each trial from all others, float32[T], 0 for future trials."""
    diagonal = jnp.diagonal(process.inverse)
    known = diagonal > 0
    return jnp.where(known, targets - (process.inverse @ targets) / jnp.where(known, diagonal, 1), 0)


def ranking_losses(
    key: jax.Array, seen: jax.Array, predicted: jax.Array, targets: jax.Array, live: jax.Array
) -> jax.Array:
    """Returns how many pairs each model ranks wrong in resamples of the trials, float32[S + 1, NUM_SAMPLES].

    Args:
        seen, predicted: the predictions of sources [S, T] and of the process [T] for the trials;
            the latter is compared with the targets, as each is predicted without itself.
        live: which trials have been observed, bool[T].
    """
    truth = targets[:, None] < targets
    wrong = [(each[:, None] < each) != truth for each in seen] + [(predicted[:, None] < targets) != truth]
    counted = live[:, None] & live & (targets[:, None] != targets)
    size = len(targets)
    draws = prng.draw_index(key, jnp.maximum(live.sum(), 1), (NUM_SAMPLES, size))
    draws = jnp.where(live, draws, size)  # as many draws as there are trials
    counts = jax.vmap(lambda drawn: jnp.zeros(size).at[drawn].add(1, mode="drop"))(draws)
    return jnp.stack([((counts @ (each & counted).astype(jnp.float32)) * counts).sum(1) for each in wrong])
