"""Regularized evolution with two objectives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.checks import checked_function, checked_sizes
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

CITES = ("real2019regularized", "deb2002fast")


@factory_of_space
def multi_objective_evolution(
    space: Space, *, size: Callable[[jax.Array], jax.Array], population_size: int = 100, sample_size: int = 10
) -> Strategy:
    """Returns regularized evolution by score and size: the parent is the best of a sample by non-domination.

    Best is the first front of the sample, and on it the least crowded place; a mutation of the parent replaces the
    oldest member. Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI
    2019, whose defaults are used, with the order of Deb, Pratap, Agarwal and Meyarivan, "A Fast and Elitist
    Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation, 2002.

    Args:
        size: `arch int32[D] -> float32`, the second objective, such as `bench.size("parameters")`.
        population_size: members of the population; that many trials are drawn uniformly at first.
        sample_size: members, drawn with replacement, among which the parent is chosen.
    """
    hyperparameters = checked_sizes({"population_size": population_size, "sample_size": sample_size})
    checked_function("size", size)

    # the state is the population, a ring whose oldest member is overwritten
    def init(key: jax.Array, num_trials: int) -> Solutions:
        warn_of_short_run("multi_objective_evolution", num_trials, population_size + 1, "so that all are uniform draws")
        return no_solutions(space, population_size)

    def ask(state: Solutions, t: jax.Array, key: jax.Array) -> Query:
        members = prng.draw_index(key, population_size, (sample_size,))
        child_key = jax.random.fold_in(key, 1)
        scores, sizes = state.scores[members], state.sizes[members]
        ranks = domination_ranks(scores, sizes)
        best = preference(ranks, crowding_distances(scores, sizes, ranks))[0]
        child = space.mutate(child_key, state.archs[members[best]])
        return Query(jnp.where(t < population_size, space.sample(child_key), child))

    def tell(state: Solutions, t: jax.Array, query: Query, observation: Observation) -> Solutions:
        return with_solution(state, t % population_size, query.arch, observation.score, size(query.arch))

    return Strategy("multi_objective_evolution", init, ask, tell, hyperparameters=hyperparameters)
