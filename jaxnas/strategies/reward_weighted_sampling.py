"""Reward-weighted sampling of parents."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space

CITES = ("holland1975adaptation", "grefenstette1986optimization")

BLOCK_SIZE = 16


class SamplingState(NamedTuple):
    """All trials of the run and the lowest score, float32[].

    Trials are architectures int32[T, D] and scores float32[T], NaN if failed or still to come, with T rounded up
    to whole blocks.
    """

    archs: jax.Array
    scores: jax.Array
    lowest: jax.Array


@factory_of_space
def reward_weighted_sampling(space: Space, *, num_initial: int = 10) -> Strategy:
    """Returns reward-weighted sampling: parents are drawn by score from all architectures evaluated so far.

    The parent of each mutation is drawn with probability in proportion to its score above the lowest. The first
    `num_initial` trials are uniform draws, and so is a trial for which all weights are 0. Failed trials have weight 0.
    This is Holland's fitness-proportionate selection without deaths; scores are counted from the lowest as in
    Grefenstette, "Optimization of Control Parameters for Genetic Algorithms", IEEE Transactions on Systems, Man and
    Cybernetics 1986. It is a baseline, significantly worse than random search on the CIFAR-10 data of NAS-Bench-201
    (docs/strategies.md).

    Args:
        num_initial: uniform draws at the start.
    """
    checked_size("num_initial", num_initial)

    def init(key: jax.Array, num_trials: int) -> SamplingState:
        size = -(-num_trials // BLOCK_SIZE) * BLOCK_SIZE
        archs = jnp.zeros((size, len(space.decisions)), jnp.int32)
        return SamplingState(archs, jnp.full(size, jnp.nan), jnp.float32(jnp.inf))

    def ask(state: SamplingState, t: jax.Array, key: jax.Array) -> Query:
        weights = jnp.nan_to_num(state.scores - state.lowest)
        parent = _draw(key, weights)
        key = jax.random.fold_in(key, 1)
        uniform = (t < num_initial) | (weights[parent] == 0)
        return Query(jnp.where(uniform, space.sample(key), space.mutate(key, state.archs[parent])))

    def tell(state: SamplingState, t: jax.Array, query: Query, observation: Observation) -> SamplingState:
        score = jnp.where(jnp.isfinite(observation.score), observation.score, jnp.nan)
        archs, scores = state.archs.at[t].set(query.arch), state.scores.at[t].set(score)
        return SamplingState(archs, scores, jnp.fmin(state.lowest, score))

    hyperparameters = (("num_initial", num_initial),)
    return Strategy("reward_weighted_sampling", init, ask, tell, hyperparameters=hyperparameters, parallel=True)


def _draw(key: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns an index drawn in proportion to the weights [T]; any index if all are 0.

    A block is drawn, then a member of it; so no cumulative sum runs over all weights.
    """
    blocks = weights.reshape(-1, BLOCK_SIZE)
    first, second = jax.random.uniform(key, (2,))
    block = _pick(first, blocks.sum(1))
    return block * BLOCK_SIZE + _pick(second, blocks[block])


def _pick(uniform: jax.Array, weights: jax.Array) -> jax.Array:
    cumulative = jnp.cumsum(weights)
    return jnp.minimum((cumulative <= uniform * cumulative[-1]).sum(), len(weights) - 1)
