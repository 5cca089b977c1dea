"""Local search."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas import prng
from jaxnas.strategies.base import Query, Strategy, failed_as_worst


class LocalSearchState(NamedTuple):
    """The centre int32[D], its score float32[], and which of its neighbours have been tried, bool[K]."""

    center: jax.Array
    score: jax.Array
    tried: jax.Array


@functools.cache
def local_search(space) -> Strategy:
    """Returns first-improvement local search with random restarts.

    The neighbours of the centre are tried in random order; the first with a better score becomes the centre; when
    none is better, the search restarts at a uniform draw, and again where that one fails. White, Nolen and Savani,
    "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021.
    """
    arch = jax.ShapeDtypeStruct((len(space.decisions),), jnp.int32)
    num_neighbors = jax.eval_shape(space.neighbors, arch).shape[0]

    def init(key, num_trials):
        all_tried = jnp.ones(num_neighbors, bool)  # so the first trial starts afresh
        return LocalSearchState(jnp.zeros(arch.shape, arch.dtype), jnp.float32(-jnp.inf), all_tried)

    def ask(state, t, key):
        untried = jnp.cumsum(~state.tried)
        number = prng.draw_index(key, untried[-1])
        neighbor = space.neighbors(state.center)[jnp.argmax(untried > number)]
        return Query(jnp.where(state.tried.all(), space.sample(jax.random.fold_in(key, 1)), neighbor))

    def tell(state, t, query, observation):
        score = failed_as_worst(observation.score)
        moves = (state.tried.all() | (score > state.score)) & ~jnp.isnan(observation.score)
        tried = state.tried | _equal_rows(space.neighbors(state.center), query.arch)
        fresh = _equal_rows(space.neighbors(query.arch), query.arch)  # rows beyond the architecture's own degree
        return LocalSearchState(
            jnp.where(moves, query.arch, state.center),
            jnp.where(moves, score, state.score),
            jnp.where(moves, fresh, tried),
        )

    return Strategy("local_search", init, ask, tell)


def _equal_rows(archs: jax.Array, arch: jax.Array) -> jax.Array:
    return (archs == arch).all(-1)
