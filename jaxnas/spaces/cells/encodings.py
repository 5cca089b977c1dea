"""Encodings of cells by their graph of operations on edges: adjacency matrices, paths, Weisfeiler-Lehman labels.

They take the architectures of a `CellSpace`, of its rows, or of a part of it. Encodings for every space are in
`jaxnas.spaces.encodings`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_size
from jaxnas.spaces import graphs
from jaxnas.spaces.base import Space
from jaxnas.spaces.cells.paths import path_features, ranks
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.encodings import Encoding


@functools.cache
def adjacency(space: Space) -> Encoding:
    """Returns the encoding by the adjacency matrices of a cell, one for each operation: [D] -> float32[O * N * N].

    With the features as [O, N, N], entry [k, source, target] is 1 if operation k is on the edge from source to
    target. Operations are in the order of the space, without zero operations: an edge with a zero operation counts as
    absent. White, Neiswanger, Nolen and Savani, "A Study on Encodings for Neural Architecture Search", NeurIPS 2020,
    have one matrix, as their operations are on nodes.

    Raises ValueError if `space` is not a cell space, or the rows of one.
    """
    cell = _cell_space(space)
    number_of, num_operations = ranks(cell.operations)
    edges = np.asarray(cell.edges)
    positions = edges[:, 0] * cell.num_nodes + edges[:, 1]

    def encode(arch: jax.Array) -> jax.Array:
        rank = jnp.asarray(number_of)[space.choices(arch)]
        matrices = jnp.zeros((num_operations, cell.num_nodes**2))
        present = rank == np.arange(num_operations)[:, None]
        return matrices.at[:, positions].set(present.astype(jnp.float32)).reshape(-1)

    return encode


@functools.cache
def path(space: Space) -> Encoding:
    """Returns the encoding by the paths through a cell: 1 for the operations along each path, [D] -> float32[F].

    A feature is a sequence of operations, 1 if a path from the input to the output carries it; sequences are
    ordered by length and then as numbers whose digits are the operations, the first the most significant. A path
    with a zero operation is none, and zero operations are not among the digits; an identity is an operation like any
    other. White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural
    Architecture Search", AAAI 2021, truncate to the paths that are most frequent; all have features here.

    Raises ValueError if `space` is not a cell space, or the rows of one, and on more than a million
    features.
    """
    cell = _cell_space(space)
    features_of = path_features(cell.edges, cell.operations)

    def encode(arch: jax.Array) -> jax.Array:
        return features_of(space.choices(arch))

    return encode


@functools.cache
def weisfeiler_lehman(space: Space, *, num_iterations: int = 1, num_buckets: int = 256) -> Encoding:
    """Returns the encoding by the counts of Weisfeiler-Lehman labels in a cell: [D] -> float32[F].

    Dead edges are removed. The labeled graph has a vertex for each edge of the cell, labeled with its operation,
    one for the input and one for the output; an edge has the predecessors that flow into its source node. The first
    features count the operations; the features of an iteration count labels that combine a vertex's label and the
    multiset of its predecessors' labels, over edges and output. Labels are hashed to 32 bits and these to buckets
    (remainder by `num_buckets`), as a dictionary of all labels grows fast with the cell. Ru, Wan, Dong and Osborne,
    "Interpretable Neural Architecture Search via Bayesian Optimization with Weisfeiler-Lehman Kernels", ICLR 2021.

    Args:
        num_iterations: how often labels are refined; 0 counts operations only.
        num_buckets: features of each iteration; labels that share one are counted together.

    Raises ValueError if `space` is not a cell space, or the rows of one, and on sizes that are too
    small.
    """
    cell = _cell_space(space)
    number_of, num_operations = ranks(cell.operations)
    sizes = {
        "num_iterations": checked_size("num_iterations", num_iterations, smallest=0),
        "num_buckets": checked_size("num_buckets", num_buckets),
    }
    flows = _flows(cell)
    counted = np.arange(len(flows)) != len(cell.edges)  # not the input, whose label never changes

    def encode(arch: jax.Array) -> jax.Array:
        rank = jnp.asarray(number_of)[cell.pruned(space.choices(arch))]
        labels = jnp.concatenate([rank, jnp.asarray([num_operations, num_operations + 1])])
        return graphs.label_counts(labels, flows, counted, num_labels=num_operations, **sizes)

    return encode


def _cell_space(space: Space) -> CellSpace:
    """Returns the cell space of the choices. Raises ValueError if they belong to another kind of space."""
    if not isinstance(space.plain, CellSpace):
        raise ValueError(f"Expected a CellSpace, whose operations are on edges, got {type(space.plain).__name__}.")
    return space.plain


def _flows(cell: CellSpace) -> np.ndarray:
    """Returns which vertices (edges, input, output) flow into which, bool[E + 2, E + 2], the receiver second."""
    sources = np.asarray([*(source for source, _ in cell.edges), -1, cell.num_nodes - 1])  # the nodes that are read
    targets = np.asarray([*(target for _, target in cell.edges), 0, -2])  # the nodes that are written to
    return targets[:, None] == sources
