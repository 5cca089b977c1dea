"""Reward-weighted sampling of parents."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities
from jaxnas.strategies.base import Observation, Query, Strategy

CITES = ("holland1975adaptation", "grefenstette1986optimization")

BLOCK_SIZE = 16


class SamplingState(NamedTuple):
    """All trials of the run, their prior probabilities, and the lowest score, float32[].

    Trials are architectures int32[T, D] and scores float32[T], NaN where failed or still to come, with T rounded up
    to whole blocks. Prior probabilities are divided by those of a uniform draw, float32[T]; None where that is the
    prior.
    """

    archs: jax.Array
    scores: jax.Array
    priors: jax.Array | None
    lowest: jax.Array


@functools.cache
def reward_weighted_sampling(
    space: Space, *, num_initial: int = 10, marginals: tuple[tuple[float, ...], ...] | None = None
) -> Strategy:
    """Returns reward-weighted sampling: parents are drawn by score from all architectures evaluated so far.

    The parent of each mutation is drawn with probability in proportion to its prior times its score above the lowest.
    The first `num_initial` trials are uniform draws, and so is a trial for which all weights are 0. Failed trials
    have weight 0. This is Holland's fitness-proportionate selection without a death; scores are counted from the
    lowest as in Grefenstette, "Optimization of Control Parameters for Genetic Algorithms", IEEE Transactions on
    Systems, Man and Cybernetics 1986.

    A baseline, no recommendation: parents are hardly better than average, and on the CIFAR-10 data of NAS-Bench-201 it
    is significantly worse than random search (docs/strategies.md has the figures).

    Args:
        num_initial: uniform draws at the start.
        marginals: the prior, a product: for each decision a tuple of the probabilities of its values, up to a factor.
            Uniform by default.
    """
    checked_size("num_initial", num_initial)
    ratios = None if marginals is None else _ratios(marginals, space)

    def init(key: jax.Array, num_trials: int) -> SamplingState:
        size = -(-num_trials // BLOCK_SIZE) * BLOCK_SIZE
        archs = jnp.zeros((size, len(space.decisions)), jnp.int32)
        priors = None if ratios is None else jnp.zeros(size)
        return SamplingState(archs, jnp.full(size, jnp.nan), priors, jnp.float32(jnp.inf))

    def ask(state: SamplingState, t: jax.Array, key: jax.Array) -> Query:
        weights = jnp.nan_to_num(state.scores - state.lowest)
        weights = weights if state.priors is None else weights * state.priors
        parent = _draw(key, weights)
        key = jax.random.fold_in(key, 1)
        uniform = (t < num_initial) | (weights[parent] == 0)
        return Query(jnp.where(uniform, space.sample(key), space.mutate(key, state.archs[parent])))

    def tell(state: SamplingState, t: jax.Array, query: Query, observation: Observation) -> SamplingState:
        score = jnp.where(jnp.isfinite(observation.score), observation.score, jnp.nan)
        archs, scores = state.archs.at[t].set(query.arch), state.scores.at[t].set(score)
        priors = state.priors
        if ratios is not None and priors is not None:
            priors = priors.at[t].set(_prior(ratios, query.arch))
        return SamplingState(archs, scores, priors, jnp.fmin(state.lowest, score))

    hyperparameters = (("num_initial", num_initial), ("marginals", marginals))
    return Strategy("reward_weighted_sampling", init, ask, tell, hyperparameters=hyperparameters, parallel=True)


def _draw(key: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns an index drawn in proportion to the weights [T], any where all are 0.

    A block is drawn, then a member of it, so that no sum runs over all of them.
    """
    blocks = weights.reshape(-1, BLOCK_SIZE)
    first, second = jax.random.uniform(key, (2,))
    block = _pick(first, blocks.sum(1))
    return block * BLOCK_SIZE + _pick(second, blocks[block])


def _pick(uniform: jax.Array, weights: jax.Array) -> jax.Array:
    cumulative = jnp.cumsum(weights)
    return jnp.minimum((cumulative <= uniform * cumulative[-1]).sum(), len(weights) - 1)


def _ratios(marginals: tuple[tuple[float, ...], ...], space: Space) -> np.ndarray:
    """Returns the marginals over those of a uniform draw, float32[D, V]. Raises ValueError where they do not fit."""
    sizes = cardinalities(space.decisions)
    try:
        rows = [np.asarray(row, np.float64) for row in marginals]
        fits = [row.shape for row in rows] == [(size,) for size in sizes]
        fits = fits and all((row >= 0).all() and 0 < row.sum() < np.inf for row in rows)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        counts = ", ".join(str(size) for size in sizes)
        raise ValueError(f"Expected marginals of {counts} probabilities for the decisions, got {marginals!r}.")
    ratios = np.zeros((len(sizes), sizes.max()), np.float32)
    for position, row in enumerate(rows):
        ratios[position, : len(row)] = row / row.mean()
    return ratios


def _prior(ratios: np.ndarray, arch: jax.Array) -> jax.Array:
    return jnp.asarray(ratios)[np.arange(len(ratios)), arch].prod()
