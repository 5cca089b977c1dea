"""Local search."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, failed_as_worst
from jaxnas.strategies.parts.visited import nothing_visited, visit, were_visited

CITES = ("white2021exploring",)

IMPROVEMENTS = ("first", "best")
_NUM_DRAWS = 4


class LocalSearchState(NamedTuple):
    """The center int32[D] and its score; its best neighbor yet and its score; the center's neighbors, int32[K, D],
    which of them are still to be tried, bool[K]; and the record of past queries.
    """

    center: jax.Array
    score: jax.Array
    best: jax.Array
    best_score: jax.Array
    neighbors: jax.Array
    untried: jax.Array
    visited: jax.Array


@factory_of_space
def local_search(space: Space, *, improvement: str = "first") -> Strategy:
    """Returns local search with random restarts, which never queries an architecture twice.

    The neighbors of the center that were not queried before are tried in random order. By first improvement, a
    better one becomes the center at once; by best improvement, the best of them does after all were tried. When none
    is better, the search restarts at a uniform draw (at a repeated one only if four draws in a row were queried
    before). White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021.

    Args:
        improvement: `"first"` or `"best"`.

    Raises ValueError on another improvement.
    """
    if improvement not in IMPROVEMENTS:
        raise ValueError(f"Expected improvement to be {' or '.join(IMPROVEMENTS)}, got {improvement!r}.")
    arch = jax.ShapeDtypeStruct((len(space.decisions),), jnp.int32)
    num_neighbors = jax.eval_shape(space.neighbors, arch).shape[0]
    shape = (max(1, num_neighbors), *arch.shape)

    def init(key: jax.Array, num_trials: int) -> LocalSearchState:
        nowhere, worst = jnp.zeros(arch.shape, arch.dtype), jnp.float32(-jnp.inf)
        nobody = jnp.zeros(shape, arch.dtype), jnp.zeros(shape[0], bool)  # nobody to try: the first trial is a restart
        return LocalSearchState(nowhere, worst, nowhere, worst, *nobody, nothing_visited(space, num_trials))

    def ask(state: LocalSearchState, t: jax.Array, key: jax.Array) -> Query:
        number = jnp.cumsum(state.untried)
        neighbor = state.neighbors[jnp.argmax(number > prng.draw_index(key, number[-1]))]
        draws = jax.vmap(space.sample)(jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(1, 1 + _NUM_DRAWS)))
        fresh = draws[jnp.argmin(were_visited(space, state.visited, draws))]
        return Query(jnp.where(state.untried.any(), neighbor, fresh))

    def tell(state: LocalSearchState, t: jax.Array, query: Query, observation: Observation) -> LocalSearchState:
        score = failed_as_worst(observation.score)
        restarts = ~state.untried.any()
        left = state.untried & (state.neighbors != query.arch).any(-1)
        better = (score > state.best_score) | restarts
        best, best_score = jnp.where(better, query.arch, state.best), jnp.where(better, score, state.best_score)
        decided = True if improvement == "first" else restarts | ~left.any()
        moves = decided & (best_score > jnp.where(restarts, -jnp.inf, state.score))
        visited = visit(space, state.visited, t, query.arch)
        neighbors = space.neighbors(best) if num_neighbors else best[None]  # which is visited
        untried = ~were_visited(space, visited, neighbors)
        return LocalSearchState(
            jnp.where(moves, best, state.center),
            jnp.where(moves, best_score, state.score),
            best,
            jnp.where(moves, -jnp.inf, best_score),
            jnp.where(moves, neighbors, state.neighbors),
            jnp.where(moves, untried, left),
            visited,
        )

    return Strategy("local_search", init, ask, tell, hyperparameters=(("improvement", improvement),))
