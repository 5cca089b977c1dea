"""Regularized evolution."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import (
    Observation,
    Query,
    Strategy,
    best_of,
    factory_of_space,
    failed_as_worst,
    look_up,
    warn_of_short_run,
)
from jaxnas.strategies.parts.draws import POOL_SIZE, Prefilter, best_drawn, checked_prefilter

CITES = ("real2019regularized",)

PAPER_SIZE = 100
FEWEST = 10


class EvolutionState(NamedTuple):
    """The population, a ring whose oldest member is overwritten: architectures int32[P, D] and scores float32[P].

    `num_told`, int32[], counts the reported trials, the last P of which are the members. A place not filled yet holds a
    random architecture with the score of a failure.
    """

    archs: jax.Array
    scores: jax.Array
    num_told: jax.Array


@factory_of_space
def regularized_evolution(
    space: Space,
    *,
    population_size: int | None = None,
    sample_size: int = 10,
    prefilter: Prefilter | None = None,
    pool_size: int = POOL_SIZE,
) -> Strategy:
    """Returns regularized evolution: a mutation of the best of a random sample replaces the oldest member.

    The first `population_size` trials are uniform draws. Samples are drawn with replacement. If several trials run at
    once, members are replaced in the order in which results are reported. Real, Aggarwal, Huang and Le, "Regularized
    Evolution for Image Classifier Architecture Search", AAAI 2019. They use populations of 100, for 20,000 trials.

    Args:
        population_size: members of the population. The default depends on the number of trials T: 1.5 times the square
            root of T, between 10 and 100, and at most half of T. So short runs evolve as well.
        sample_size: members among which the parent is chosen.
        prefilter: a function `arch -> float32`, such as `bench.size("nwot")`: a child is then the one with the largest
            value of `pool_size` mutants of the parent (Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for
            Lightweight NAS", ICLR 2021). The first trials are not filtered. docs/proxies.md measures the benefit.
        pool_size: the number of mutants of which one is asked.
    """
    filtered = checked_prefilter(prefilter, pool_size)
    if population_size is not None:
        checked_size("population_size", population_size)
    checked_size("sample_size", sample_size)

    def init(key: jax.Array, num_trials: int) -> EvolutionState:
        size = population_for(num_trials) if population_size is None else population_size
        warn_of_short_run("regularized_evolution", num_trials, size + 1, "so that all are uniform draws")
        archs = jnp.broadcast_to(space.sample(key), (size, len(space.decisions)))
        return EvolutionState(archs, jnp.full(size, -jnp.inf), jnp.int32(0))

    def ask(state: EvolutionState, t: jax.Array, key: jax.Array) -> Query:
        child_key, size = jax.random.fold_in(key, 1), len(state.scores)

        def child() -> jax.Array:
            members = prng.draw_index(key, size, (sample_size,))
            parent = look_up(state.archs, best_of(state.scores, members))
            if prefilter is None:
                return space.mutate(child_key, parent)
            return best_drawn(child_key, lambda key: space.mutate(key, parent), prefilter, pool_size)

        # t is the same in all runs, so only one side is computed
        return Query(jax.lax.cond(t < size, lambda: space.sample(child_key), child))

    def tell(state: EvolutionState, t: jax.Array, query: Query, observation: Observation) -> EvolutionState:
        slot = state.num_told % len(state.scores)
        archs, score = state.archs.at[slot].set(query.arch), failed_as_worst(observation.score)
        return EvolutionState(archs, state.scores.at[slot].set(score), state.num_told + 1)

    hyperparameters = (("population_size", population_size), ("sample_size", sample_size), *filtered)
    return Strategy("regularized_evolution", init, ask, tell, hyperparameters=hyperparameters, parallel=True)


def population_for(num_trials: int) -> int:
    """Returns the size of the population for a number of trials."""
    size = max(FEWEST, round(1.5 * math.sqrt(num_trials)))
    return max(1, min(size, PAPER_SIZE, num_trials // 2))
