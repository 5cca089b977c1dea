"""The features of the paths through a cell."""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.layers.base import ZERO, Operation

MAX_FEATURES = 1_000_000


@functools.cache
def path_features(
    cell_edges: tuple[tuple[int, int], ...], operations: tuple[Operation, ...]
) -> Callable[[jax.Array], jax.Array]:
    """Returns the function of a cell's choices, int32[E], that is 1 for the operations along each path, float32[F].

    See `jaxnas.spaces.cells.encodings.path`. Raises ValueError on more than a million features.
    """
    number_of, num_operations = ranks(operations)
    last = max(target for _, target in cell_edges)
    num_features = sum(num_operations**length for length in range(1, last + 1))
    if num_features > MAX_FEATURES:
        raise ValueError(f"Expected at most {MAX_FEATURES:,} paths, got {num_features:,}.")
    paths = _paths(cell_edges, last)
    on_path = np.zeros((len(paths), len(cell_edges)), bool)
    weights = np.zeros((len(paths), len(cell_edges)), np.int32)
    first = np.zeros(len(paths), np.int32)
    for number, positions in enumerate(paths):
        on_path[number, positions] = True
        weights[number, positions] = num_operations ** np.arange(len(positions))[::-1]
        first[number] = sum(num_operations**length for length in range(1, len(positions)))

    def features_of(choices: jax.Array) -> jax.Array:
        rank = jnp.asarray(number_of)[choices]
        features = first + (weights * rank).sum(1)
        exists = ((rank >= 0) | ~on_path).all(1)
        features = jnp.where(exists, features, num_features)  # out of bounds: dropped
        return jnp.zeros(num_features).at[features].set(1, mode="drop")

    return features_of


def ranks(operations: tuple[Operation, ...]) -> tuple[np.ndarray, int]:
    """Returns each operation's number among those other than zero operations (-1 for these), and how many there are."""
    passes = np.asarray([operation.role != ZERO for operation in operations])
    return np.where(passes, np.cumsum(passes) - 1, -1).astype(np.int32), int(passes.sum())


def _paths(cell_edges: tuple[tuple[int, int], ...], last: int) -> list[list[int]]:
    """Returns the numbers of the edges on each path of nodes from the input to the output, the shortest first."""
    number = {edge: position for position, edge in enumerate(cell_edges)}
    return [
        [number[edge] for edge in itertools.pairwise((0, *nodes, last))]
        for length in range(last)
        for nodes in itertools.combinations(range(1, last), length)
    ]
