"""Regularized evolution."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, best_of, failed_as_worst, look_up

REFERENCES = ("real2019regularized",)


class EvolutionState(NamedTuple):
    """The population, a ring whose oldest member is overwritten: architectures int32[P, D] and scores float32[P]."""

    archs: jax.Array
    scores: jax.Array


@functools.cache
def regularized_evolution(space: Space, *, population_size: int = 100, sample_size: int = 10) -> Strategy:
    """Returns regularized evolution: a mutation of the best of a random sample replaces the oldest member.

    The first `population_size` trials are uniform draws. Samples are drawn with replacement. Real, Aggarwal, Huang
    and Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019; its defaults are used.

    Args:
        population_size: members of the population.
        sample_size: members among which the parent is chosen.
    """
    checked_size("population_size", population_size)
    checked_size("sample_size", sample_size)

    def init(key: jax.Array, num_trials: int) -> EvolutionState:
        archs = jnp.zeros((population_size, len(space.decisions)), jnp.int32)
        return EvolutionState(archs, jnp.full(population_size, -jnp.inf))

    def ask(state: EvolutionState, t: jax.Array, key: jax.Array) -> Query:
        child_key = jax.random.fold_in(key, 1)

        def child() -> jax.Array:
            members = prng.draw_index(key, population_size, (sample_size,))
            return space.mutate(child_key, look_up(state.archs, best_of(state.scores, members)))

        # t is the same in all runs, so that only one side is computed
        return Query(jax.lax.cond(t < population_size, lambda: space.sample(child_key), child))

    def tell(state: EvolutionState, t: jax.Array, query: Query, observation: Observation) -> EvolutionState:
        slot = t % population_size
        score = failed_as_worst(observation.score)
        return EvolutionState(state.archs.at[slot].set(query.arch), state.scores.at[slot].set(score))

    hyperparameters = (("population_size", population_size), ("sample_size", sample_size))
    return Strategy("regularized_evolution", init, ask, tell, hyperparameters=hyperparameters)
