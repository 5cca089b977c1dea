"""A genetic algorithm."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.checks import checked_number, checked_sizes
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, failed_as_worst, warn_of_short_run

CITES = ("holland1975adaptation", "syswerda1989uniform")


class GeneticState(NamedTuple):
    """The population: architectures int32[P, D] and scores float32[P], -inf for places not filled yet."""

    archs: jax.Array
    scores: jax.Array


@factory_of_space
def genetic_algorithm(
    space: Space,
    *,
    population_size: int = 30,
    sample_size: int = 2,
    crossover_rate: float = 0.95,
    mutation_rate: float = 1.0,
) -> Strategy:
    """Returns a steady-state genetic algorithm: a child of two tournament winners replaces a worse worst member.

    Trials are uniform draws until `population_size` of them have succeeded; failed ones never join. Each parent is the
    best of a sample drawn with replacement. Uniform crossover takes each decision from either parent. Holland,
    "Adaptation in Natural and Artificial Systems", University of Michigan Press 1975; Syswerda, "Uniform Crossover in
    Genetic Algorithms", ICGA 1989. Population size and crossover rate follow Grefenstette, "Optimization of
    Control Parameters for Genetic Algorithms", IEEE Transactions on Systems, Man and Cybernetics 1986.

    Args:
        population_size: members of the population.
        sample_size: members among which each parent is chosen.
        crossover_rate: the share of children with two parents; the others start as a copy of one.
        mutation_rate: the share of children in which one decision is then changed.
    """
    sizes = checked_sizes({"population_size": population_size, "sample_size": sample_size})
    checked_number("crossover_rate", crossover_rate, at_least=0, at_most=1)
    checked_number("mutation_rate", mutation_rate, at_least=0, at_most=1)
    num_decisions = len(space.decisions)

    def init(key: jax.Array, num_trials: int) -> GeneticState:
        warn_of_short_run("genetic_algorithm", num_trials, population_size + 1, "so that all are uniform draws")
        archs = jnp.zeros((population_size, num_decisions), jnp.int32)
        return GeneticState(archs, jnp.full(population_size, -jnp.inf))

    def ask(state: GeneticState, t: jax.Array, key: jax.Array) -> Query:
        keys = [jax.random.fold_in(key, number) for number in range(5)]
        members = prng.draw_index(key, population_size, (2, sample_size))
        winners = jnp.argmax(state.scores[members], axis=1)
        first, second = state.archs[members[np.arange(2), winners]]
        crosses = _coins(keys[0], num_decisions) & jax.random.bernoulli(keys[1], crossover_rate)
        child = jnp.where(crosses, second, first)
        child = jnp.where(jax.random.bernoulli(keys[2], mutation_rate), space.mutate(keys[3], child), child)
        child = space.repaired(keys[4], child)
        return Query(jnp.where(state.scores[-1] == -jnp.inf, space.sample(keys[3]), child))

    def tell(state: GeneticState, t: jax.Array, query: Query, observation: Observation) -> GeneticState:
        slot = jnp.argmin(state.scores)  # places are filled in order, the last one last
        score = failed_as_worst(observation.score)
        joins = (np.arange(population_size) == slot) & (score >= state.scores[slot])
        archs = jnp.where(joins[:, None], query.arch, state.archs)
        return GeneticState(archs, jnp.where(joins, score, state.scores))

    hyperparameters = (*sizes, ("crossover_rate", crossover_rate), ("mutation_rate", mutation_rate))
    return Strategy("genetic_algorithm", init, ask, tell, hyperparameters=hyperparameters, parallel=True)


def _coins(key: jax.Array, size: int) -> jax.Array:
    """Returns fair coins, bool[size], 32 to a random word."""
    positions = np.arange(size)
    words = jax.random.bits(key, (-(-size // 32),), jnp.uint32)
    return (words[positions // 32] >> (positions % 32).astype(np.uint32)) % 2 == 1
