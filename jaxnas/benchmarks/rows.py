"""From architectures to the rows of their space's enumeration, in compiled programs and in NumPy."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import MAX_ROWS, radix_weights
from jaxnas.spaces.base import SearchSpace as Space


def has_rows(space: Space) -> bool:
    return space.num_architectures < MAX_ROWS


def row_function(space: Space) -> jax.tree_util.Partial:
    """Returns the function of an architecture int32[D], or of a row int32[1], that gives its row, int32[].

    It is a pytree with the arrays of the space's indexer, for compiled programs to take as an argument.
    """
    indexer = jax.tree_util.Partial(_mixed_radix, radix_weights(space.decisions).astype(np.int32))
    return jax.tree_util.Partial(_row_function(len(space.decisions)), indexer)


def _mixed_radix(weights, arch):
    return (arch * weights).sum()


@functools.cache
def _row_function(num_decisions: int) -> Callable[[Callable, jax.Array], jax.Array]:
    """Returns the same function for each number of decisions, so that compiled programs are shared."""

    def row_of(indexer: Callable[[jax.Array], jax.Array], arch: jax.Array) -> jax.Array:
        arch = jnp.asarray(arch)
        if arch.shape == (num_decisions,):
            return indexer(arch)
        if arch.shape != (1,):
            shape = list(arch.shape)
            raise ValueError(f"Expected an architecture of the benchmark's space or a row, got shape {shape}.")
        return arch[0]

    return row_of


def rows_of(space: Space, archs: np.ndarray) -> np.ndarray:
    """Returns the rows of architectures [..., D], or of rows [..., 1], in the space's enumeration, int64[...]."""
    archs = np.asarray(archs)
    if archs.shape[-1] != len(space.decisions):
        return archs[..., 0].astype(np.int64)
    return (archs * radix_weights(space.decisions)).sum(-1)
