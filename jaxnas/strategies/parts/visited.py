"""Which architectures a run has queried: a bit each in a space of moderate size, a list of them in a larger one."""

import jax
import jax.numpy as jnp

from jaxnas.spaces.base import Space, has_rows

MAX_BITS = 1 << 18


def nothing_visited(space: Space, num_trials: int) -> jax.Array:
    """Returns the record of a run before its first trial: uint32[W] of 32 bits each, or int32[num_trials, D] of -1."""
    if has_rows(space) and space.num_architectures <= MAX_BITS:
        return jnp.zeros(-(-space.num_architectures // 32), jnp.uint32)
    return jnp.full((num_trials, len(space.decisions)), -1, jnp.int32)


def visit(space: Space, visited: jax.Array, t: jax.Array, arch: jax.Array) -> jax.Array:
    """Returns the record with the architecture of trial t."""
    if visited.ndim == 2:
        return visited.at[t].set(arch)
    row = space.index(arch)
    return visited.at[row >> 5].set(visited[row >> 5] | _bit(row))


def were_visited(space: Space, visited: jax.Array, archs: jax.Array) -> jax.Array:
    """Returns which architectures, int32[K, D], are in the record, bool[K]."""
    if visited.ndim == 2:
        return (visited[:, None] == archs).all(-1).any(0)
    rows = jax.vmap(space.index)(archs)
    return (visited[rows >> 5] & _bit(rows)) != 0


def _bit(row: jax.Array) -> jax.Array:
    return jnp.uint32(1) << (row & 31).astype(jnp.uint32)


def seen(archs: jax.Array, asked: jax.Array, t: jax.Array) -> jax.Array:
    """Returns which architectures int32[N, D] are among the first t of those asked int32[T, D], or repeat: bool[N]."""
    before = (archs[:, None] == asked).all(-1) & (jnp.arange(len(asked)) < t)
    repeats = jnp.tril((archs[:, None] == archs).all(-1), -1)
    return before.any(1) | repeats.any(1)
