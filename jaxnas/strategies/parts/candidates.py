"""Candidates for the next queries: mutants of the best architectures, and which candidates were asked before."""

import jax
import jax.numpy as jnp

from jaxnas.spaces.base import Space

MAX_EDITS = 2


def mutants(
    key: jax.Array, space: Space, archs: jax.Array, scores: jax.Array, number: int, num_parents: int
) -> jax.Array:
    """Returns mutants of the best architectures, int32[number, D], of one or two edits each.

    They are mutants of random architectures while no trial has succeeded.

    Args:
        archs, scores: the trials so far, int32[T, D] and float32[T]; -inf for failed or to come.
    """
    key, sample_key = jax.random.split(key)
    best_scores, best = jax.lax.top_k(scores, min(num_parents, len(scores)))
    num_found = jnp.maximum((best_scores > -jnp.inf).sum(), 1)
    parents = archs[best[jnp.arange(number) % num_found]]
    drawn = jax.vmap(space.sample)(jax.random.split(sample_key, number))
    mutated = jnp.where(best_scores[0] > -jnp.inf, parents, drawn)
    for edit, edit_key in enumerate(jax.random.split(key, MAX_EDITS)):
        edited = jax.vmap(space.mutate)(jax.random.split(edit_key, number), mutated)
        mutated = jnp.where((jnp.arange(number) // num_found % MAX_EDITS >= edit)[:, None], edited, mutated)
    return mutated


def seen(archs: jax.Array, asked: jax.Array, t: jax.Array) -> jax.Array:
    """Returns which architectures int32[N, D] are among the first t of those asked int32[T, D], or repeat: bool[N]."""
    before = (archs[:, None] == asked).all(-1) & (jnp.arange(len(asked)) < t)
    repeats = jnp.tril((archs[:, None] == archs).all(-1), -1)
    return before.any(1) | repeats.any(1)
