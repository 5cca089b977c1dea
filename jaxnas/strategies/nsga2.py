"""NSGA-II."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.checks import checked_function, checked_number, checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, warn_of_short_run
from jaxnas.strategies.parts.domination import (
    Solutions,
    crowding_distances,
    domination_ranks,
    no_solutions,
    preference,
    with_solution,
)

CITES = ("deb2002fast", "lu2019nsganet")


class NsgaState(NamedTuple):
    """The parents, best first, and their children so far."""

    parents: Solutions
    children: Solutions


@factory_of_space
def nsga2(
    space: Space,
    *,
    size: Callable[[jax.Array], jax.Array],
    population_size: int = 40,
    crossover_rate: float = 0.9,
    mutation_rate: float = 1.0,
) -> Strategy:
    """Returns NSGA-II: generations of children, of which and of their parents the better half live on.

    Better is an earlier front of non-domination by score (large) and size (small), and on a front a less crowded
    place. Parents win binary tournaments; uniform crossover takes each decision from either. Deb, Pratap, Agarwal and
    Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary
    Computation, 2002. For architecture search: Lu et al., "NSGA-Net", GECCO 2019, whose population size is used.

    Args:
        size: `arch int32[D] -> float32`, the second objective, such as `bench.size("parameters")`.
        population_size: parents, and children of a generation; the first generation is drawn uniformly.
        crossover_rate: the share of children with two parents; the others start as a copy of one.
        mutation_rate: the share of children in which one decision is then changed.
    """
    checked_size("population_size", population_size, smallest=2)
    checked_function("size", size)
    checked_number("crossover_rate", crossover_rate, at_least=0, at_most=1)
    checked_number("mutation_rate", mutation_rate, at_least=0, at_most=1)
    num_decisions = len(space.decisions)

    def init(key: jax.Array, num_trials: int) -> NsgaState:
        warn_of_short_run("nsga2", num_trials, population_size + 1, "so that all are uniform draws")
        nobody = no_solutions(space, population_size)
        return NsgaState(nobody, nobody)

    def ask(state: NsgaState, t: jax.Array, key: jax.Array) -> Query:
        keys = [jax.random.fold_in(key, number) for number in range(5)]
        # Parents are ordered: the winner of a tournament is the one with the lower number.
        first, second = state.parents.archs[prng.draw_index(key, population_size, (2, 2)).min(1)]
        crosses = jax.random.bernoulli(keys[0], 0.5, (num_decisions,)) & jax.random.bernoulli(keys[1], crossover_rate)
        child = jnp.where(crosses, second, first)
        child = jnp.where(jax.random.bernoulli(keys[2], mutation_rate), space.mutate(keys[3], child), child)
        child = space.repaired(keys[4], child)
        return Query(jnp.where(t < population_size, space.sample(keys[3]), child))

    def tell(state: NsgaState, t: jax.Array, query: Query, observation: Observation) -> NsgaState:
        slot = t % population_size
        children = with_solution(state.children, slot, query.arch, observation.score, size(query.arch))
        state = NsgaState(state.parents, children)
        return jax.lax.cond(slot == population_size - 1, _next_generation, lambda state: state, state)

    rates = (("crossover_rate", crossover_rate), ("mutation_rate", mutation_rate))
    return Strategy("nsga2", init, ask, tell, hyperparameters=(("population_size", population_size), *rates))


def _next_generation(state: NsgaState) -> NsgaState:
    everybody = Solutions(*(jnp.concatenate(values) for values in zip(*state, strict=True)))
    ranks = domination_ranks(everybody.scores, everybody.sizes)
    distances = crowding_distances(everybody.scores, everybody.sizes, ranks)
    survivors = preference(ranks, distances)[: len(state.parents.scores)]
    return NsgaState(Solutions(*(values[survivors] for values in everybody)), state.children)
