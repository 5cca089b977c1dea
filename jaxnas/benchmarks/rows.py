"""From architectures to the rows of their space, in compiled programs and in NumPy."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.spaces.base import Space, check_rows
from jaxnas.spaces.decisions import mixed_radix, radix_weights

RowFunction = Callable[[jax.Array], jax.Array]


def indexer_of(space: Space) -> jax.tree_util.Partial:
    """Returns the function from an architecture to its row. Raises ValueError if the space has no rows."""
    check_rows(space)
    indexer: Any = space.indexer
    return indexer


def row_function(space: Space) -> jax.tree_util.Partial:
    """Returns the function of an architecture int32[D], or of a row int32[1], that gives its row, int32[].

    It is a pytree with the arrays of the space's indexer, for compiled programs to take as an argument. Raises
    ValueError if the space has no rows.
    """
    return jax.tree_util.Partial(_row_function(len(space.decisions)), indexer_of(space))


@functools.cache
def _row_function(num_decisions: int) -> Callable[[RowFunction, jax.Array], jax.Array]:
    """Returns one function for each number of decisions, so compiled programs are shared."""

    def row_of(indexer: RowFunction, arch: jax.Array) -> jax.Array:
        arch = jnp.asarray(arch)
        if arch.shape == (num_decisions,):
            return indexer(arch)
        if arch.shape != (1,):
            shape = list(arch.shape)
            raise ValueError(f"Expected an architecture of the benchmark's space or a row, got shape {shape}.")
        return arch[0]

    return row_of


def rows_of(space: Space, archs: ArrayLike) -> np.ndarray:
    """Returns the rows of architectures [..., D], or of rows [..., 1], in the space's enumeration, int64[...]."""
    archs = np.asarray(archs)
    if archs.shape[-1] != len(space.decisions):
        return archs[..., 0].astype(np.int64)
    indexer = indexer_of(space)
    if indexer.func is mixed_radix:
        return (archs * radix_weights(space.decisions)).sum(-1)
    rows = _rows(indexer, archs.reshape(-1, archs.shape[-1]))
    return np.asarray(rows, np.int64).reshape(archs.shape[:-1])


@jax.jit
def _rows(indexer: RowFunction, archs: jax.Array) -> jax.Array:
    return jax.vmap(indexer)(archs)
