"""Ranks of solutions by two objectives: a score that is to be large and a size that is to be small."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.spaces.base import Space
from jaxnas.strategies.base import failed_as_worst


class Solutions(NamedTuple):
    """Architectures int32[P, D], their scores and their sizes, float32[P]."""

    archs: jax.Array
    scores: jax.Array
    sizes: jax.Array


def no_solutions(space: Space, number: int) -> Solutions:
    """Returns places for solutions, each of which is dominated by all."""
    archs = jnp.zeros((number, len(space.decisions)), jnp.int32)
    return Solutions(archs, jnp.full(number, -jnp.inf), jnp.full(number, jnp.inf))


def with_solution(
    solutions: Solutions, slot: jax.Array, arch: jax.Array, score: jax.Array, size: jax.Array
) -> Solutions:
    """Returns solutions with another one at a place; one whose score is NaN is dominated by all."""
    one = arch, failed_as_worst(score), jnp.where(jnp.isnan(score), jnp.inf, size)
    return Solutions(*(values.at[slot].set(value) for values, value in zip(solutions, one, strict=True)))


def domination_ranks(scores: jax.Array, sizes: jax.Array) -> jax.Array:
    """Returns the number of each solution's front, int32[n]; on the best front, 0, nothing is dominated.

    A solution dominates another one if it is no worse in both objectives and better in one. Deb, Pratap, Agarwal
    and Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary
    Computation, 2002.
    """
    no_worse = (scores[:, None] >= scores) & (sizes[:, None] <= sizes)
    dominates = no_worse & ~no_worse.T

    def peel(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        ranks, left, number = carry
        front = left & ~(dominates & left[:, None]).any(0)
        return jnp.where(front, number, ranks), left & ~front, number + 1

    start = (jnp.zeros(scores.shape, jnp.int32), jnp.ones(scores.shape, bool), jnp.int32(0))
    return jax.lax.while_loop(lambda carry: carry[1].any(), peel, start)[0]


def crowding_distances(scores: jax.Array, sizes: jax.Array, ranks: jax.Array) -> jax.Array:
    """Returns the distance between the two neighbors of each solution on its front, float32[n]; inf at a front's ends.

    Each objective is scaled by its range over all solutions. Deb et al. (see `domination_ranks`).
    """
    total = jnp.zeros(scores.shape)
    for values in (scores, sizes):
        order = jnp.lexsort((values, ranks))
        ordered, front = values[order], ranks[order]
        gap = ordered[2:] - ordered[:-2]
        inside = (front[2:] == front[1:-1]) & (front[:-2] == front[1:-1])
        gaps = jnp.full(scores.shape, jnp.inf).at[1:-1].set(jnp.where(inside, gap / _finite_range(values), jnp.inf))
        total = total.at[order].add(jnp.nan_to_num(gaps, nan=0.0, posinf=jnp.inf))
    return total


def _finite_range(values: jax.Array) -> jax.Array:
    finite = jnp.isfinite(values)
    span = jnp.max(values, where=finite, initial=-jnp.inf) - jnp.min(values, where=finite, initial=jnp.inf)
    return jnp.where(span > 0, span, 1)


def preference(ranks: jax.Array, distances: jax.Array) -> jax.Array:
    """Returns the solutions' numbers, int32[n], best first: by front, on a front the least crowded first."""
    return jnp.lexsort((-distances, ranks))
