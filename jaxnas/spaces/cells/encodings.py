"""Encodings: functions of an architecture whose values, float32[F], predictors learn from.

An encoding takes one architecture of its space, which may be traced; `jax.vmap` gives batches. Architectures of an
enumerated space, which are rows, are looked up first, so that both have the same features.
"""

import functools
import itertools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells.operations.base import ZERO
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.encodings import MAX_FEATURES, choices_of


@functools.cache
def adjacency(space) -> Callable:
    """Returns the encoding by the adjacency matrices of a cell, one for each operation: [D] -> float32[O * N * N].

    With the features as [O, N, N], entry [k, source, target] is 1 where operation k is on the edge from source to
    target. Operations are those of the space that are no zero operation, in its order: an edge with a zero operation
    is no edge. White, Neiswanger, Nolen and Savani, "A Study on Encodings for Neural Architecture Search", NeurIPS
    2020, have one matrix, as their operations are on nodes.

    Raises:
        ValueError: where `space` is no cell space, or the rows of one.
    """
    cell, choices = _cell_space(space)
    ranks, num_operations = _ranks(cell)
    edges = np.asarray(cell.edges)
    positions = edges[:, 0] * cell.num_nodes + edges[:, 1]

    def encode(arch):
        rank = jnp.asarray(ranks)[choices(arch)]
        matrices = jnp.zeros((num_operations, cell.num_nodes**2))
        present = rank == np.arange(num_operations)[:, None]
        return matrices.at[:, positions].set(present.astype(jnp.float32)).reshape(-1)

    return encode


@functools.cache
def path(space, *, max_length: int | None = None) -> Callable:
    """Returns the encoding by the paths through a cell: 1 for the operations along each path, [D] -> float32[F].

    A feature is a sequence of operations, 1 where a path from the input to the output carries it; sequences are
    ordered by length and then as numbers whose digits are the operations, the first the most significant. A path
    with a zero operation is none, and zero operations are not among the digits; an identity is an operation like any
    other. White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural
    Architecture Search", AAAI 2021.

    Args:
        max_length: the longest path that has features, in edges; by default all have. The paper truncates to the
            paths that are most frequent, which are the shortest; those of one length are equally frequent here.

    Raises:
        ValueError: where `space` is no cell space, or the rows of one, and on more than a million features.
    """
    cell, choices = _cell_space(space)
    ranks, num_operations = _ranks(cell)
    longest = cell.num_nodes - 1
    if max_length is not None and (not isinstance(max_length, int) or max_length < 1):
        raise ValueError(f"Expected max_length to be an int of at least 1, got {max_length!r}.")
    longest = longest if max_length is None else min(longest, max_length)
    num_features = sum(num_operations**length for length in range(1, longest + 1))
    if num_features > MAX_FEATURES:
        raise ValueError(f"Expected at most {MAX_FEATURES:,} paths, got {num_features:,}; a lower max_length helps.")
    paths = _paths(cell, longest)
    on_path = np.zeros((len(paths), len(cell.edges)), bool)
    weights = np.zeros((len(paths), len(cell.edges)), np.int32)
    first = np.zeros(len(paths), np.int32)
    for number, positions in enumerate(paths):
        on_path[number, positions] = True
        weights[number, positions] = num_operations ** np.arange(len(positions))[::-1]
        first[number] = sum(num_operations**length for length in range(1, len(positions)))

    def encode(arch):
        rank = jnp.asarray(ranks)[choices(arch)]
        features = first + (weights * rank).sum(1)
        exists = ((rank >= 0) | ~on_path).all(1)
        features = jnp.where(exists, features, num_features)  # out of bounds: dropped
        return jnp.zeros(num_features).at[features].set(1, mode="drop")

    return encode


@functools.cache
def weisfeiler_lehman(space, *, num_iterations: int = 1, num_buckets: int = 256) -> Callable:
    """Returns the encoding by the counts of Weisfeiler-Lehman labels in a cell: [D] -> float32[F].

    Dead edges are removed. The labelled graph has a vertex for each edge of the cell, labelled with its operation,
    one for the input and one for the output; what flows into an edge is what flows into its source node. The first
    features count the operations; those of each iteration count the labels that are made of a vertex's label and the
    multiset of its predecessors' labels, over edges and output. Labels are hashed to 32 bits and those to buckets
    (remainder by `num_buckets`), as a dictionary of all labels grows fast with the cell. Ru, Wan, Dong and Osborne,
    "Interpretable Neural Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels", ICLR 2021.

    Args:
        num_iterations: how often labels are refined; 0 counts operations only.
        num_buckets: features of each iteration; labels that share one are counted together.

    Raises:
        ValueError: where `space` is no cell space, or the rows of one, and on sizes that are too small.
    """
    cell, choices = _cell_space(space)
    ranks, num_operations = _ranks(cell)
    for name, value, smallest in (("num_iterations", num_iterations, 0), ("num_buckets", num_buckets, 1)):
        if not isinstance(value, int) or value < smallest:
            raise ValueError(f"Expected {name} to be an int of at least {smallest}, got {value!r}.")
    predecessors = _predecessors(cell)
    num_edges = len(cell.edges)

    def encode(arch):
        rank = jnp.asarray(ranks)[cell.pruned(choices(arch))]
        live = jnp.concatenate([rank >= 0, jnp.ones(2, bool)])
        counts = (rank == np.arange(num_operations)[:, None]).sum(1)
        labels = jnp.concatenate([rank, jnp.asarray([num_operations, num_operations + 1])]).astype(jnp.uint32)
        features = [counts.astype(jnp.float32)]
        for _ in range(num_iterations):
            passed = jnp.where(live, hash_label(labels, 0), 0)
            labels = hash_label(labels, jnp.where(predecessors, passed, 0).sum(1, dtype=jnp.uint32))
            counted = jnp.where(live, labels % num_buckets, num_buckets).at[num_edges].set(num_buckets)
            features.append(jnp.zeros(num_buckets).at[counted].add(1, mode="drop"))
        return jnp.concatenate(features)

    return encode


def hash_label(label, predecessors):
    """Returns the 32-bit hash of a label and the sum of its predecessors' hashes, uint32[...].

    Two rounds of multiplications and shifts; a sum does not depend on the order of its terms.
    """
    word = jnp.asarray(label, jnp.uint32) * jnp.uint32(0x9E3779B9) + jnp.uint32(0x85EBCA6B)
    for extra in (jnp.asarray(predecessors, jnp.uint32), jnp.uint32(0)):
        word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D) + extra
        word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)


def _cell_space(space) -> tuple[CellSpace, Callable]:
    """Returns what `choices_of` returns. Raises ValueError where that is no cell space."""
    plain, choices = choices_of(space)
    if not isinstance(plain, CellSpace):
        raise ValueError(f"Expected a CellSpace, whose architectures are graphs, got {type(plain).__name__}.")
    return plain, choices


def _ranks(cell: CellSpace) -> tuple[np.ndarray, int]:
    """Returns the number of each operation among those that are no zero operation, -1 for these, and how many are."""
    passes = np.asarray([operation.role != ZERO for operation in cell.operations])
    return np.where(passes, np.cumsum(passes) - 1, -1).astype(np.int32), int(passes.sum())


def _paths(cell: CellSpace, longest: int) -> list[list[int]]:
    """Returns the numbers of the edges on each path of nodes from the input to the output, the shortest first."""
    number = {edge: position for position, edge in enumerate(cell.edges)}
    inner = range(1, cell.num_nodes - 1)
    return [
        [number[edge] for edge in itertools.pairwise((0, *nodes, cell.num_nodes - 1))]
        for length in range(longest)
        for nodes in itertools.combinations(inner, length)
    ]


def _predecessors(cell: CellSpace) -> np.ndarray:
    """Returns which vertices (edges, input, output) flow into which, bool[E + 2, E + 2], the receiver first."""
    sources = np.asarray([*(source for source, _ in cell.edges), -1, cell.num_nodes - 1])  # where a vertex reads from
    targets = np.asarray([*(target for _, target in cell.edges), 0, -2])  # where it writes to
    return sources[:, None] == targets
