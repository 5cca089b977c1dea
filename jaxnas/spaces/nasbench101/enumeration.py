"""The graphs of NAS-Bench-101, each once, and which are neighbors: computed when first needed, kept on disk."""

import functools
import hashlib
import itertools
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.spaces.enumerated import symmetric_closure
from jaxnas.spaces.nasbench101.codes import (
    MAX_EDGES,
    MOST_IN_A_BUCKET,
    NUM_EDGES,
    NUM_OPERATIONS,
    NUM_VERTICES,
    PAIRS,
    bucket_starts,
    graph_codes,
)

NUM_GRAPHS = 423_624
NUM_LABELED = 1_293_208
_NUM_INNER = NUM_VERTICES - 2
_CHUNK = 1 << 18
_SOURCES, _TARGETS = np.transpose(PAIRS)


class Graphs(NamedTuple):
    """All graphs by ascending code: one architecture of each, and the arrays that find the row of a code.

    Attributes:
        matrix: the edges of each, int32[A]: bit i is the edge of the i-th of `codes.PAIRS`.
        labels: the operations of its vertices as a number in base 3, the first vertex varying slowest, uint8[A].
        first, second: the words of codes, uint32[A + MOST_IN_A_BUCKET].
        starts: see `codes.bucket_starts`.
    """

    matrix: np.ndarray
    labels: np.ndarray
    first: np.ndarray
    second: np.ndarray
    starts: np.ndarray


@functools.cache
def all_graphs() -> Graphs:
    """Returns the graphs of the space."""
    found = kept("nasbench101-graphs-1.npz", ("matrix", "labels", "first", "second"), _enumerated)
    padded = {name: np.concatenate([found[name], np.repeat(found[name][-1:], MOST_IN_A_BUCKET)]) for name in _WORDS}
    return Graphs(found["matrix"], found["labels"], **padded, starts=bucket_starts(found["first"]))


_WORDS = ("first", "second")


@functools.cache
def neighbors() -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows that are neighbors, graph after graph, int32[N], and how many each graph has, int32[A]."""
    found = kept("nasbench101-neighbors-1.npz", ("rows", "counts"), _closed_neighbors)
    return found["rows"], found["counts"]


def _closed_neighbors() -> dict[str, np.ndarray]:
    rows, counts = symmetric_closure(_neighbor_pairs(), NUM_GRAPHS)
    return {"rows": rows, "counts": counts}


def archs_of(matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns graphs, as in `Graphs`, as architectures int32[N, 26]."""
    archs = np.empty((len(matrix), NUM_EDGES + _NUM_INNER), np.int32)
    archs[:, :NUM_EDGES] = matrix[:, None] >> np.arange(NUM_EDGES) & 1
    archs[:, NUM_EDGES:] = labels[:, None] // NUM_OPERATIONS ** np.arange(_NUM_INNER)[::-1] % NUM_OPERATIONS
    return archs


def _enumerated() -> dict[str, np.ndarray]:
    """Returns the first labeled graph of each class, by code."""
    parts = [_labeled(num_vertices) for num_vertices in range(2, NUM_VERTICES + 1)]
    matrix, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    code = _codes_of(archs_of(matrix, labels))
    code, kept = np.unique(code, return_index=True)
    if (len(matrix), len(code)) != (NUM_LABELED, NUM_GRAPHS):
        raise RuntimeError(f"Expected {NUM_GRAPHS:,} graphs of NAS-Bench-101, got {len(code):,} of {len(matrix):,}.")
    first, second = (code >> np.uint64(32)).astype(np.uint32), code.astype(np.uint32)
    return {"matrix": matrix[kept], "labels": labels[kept], "first": first, "second": second}


def _codes_of(archs: np.ndarray) -> np.ndarray:
    """Returns the codes of architectures as one number each, uint64[N]."""
    codes = np.empty(len(archs), np.uint64)
    with jax.ensure_compile_time_eval():  # a caller may be traced
        for start in range(0, len(archs), _CHUNK):
            part = archs[start : start + _CHUNK]
            padded = np.zeros((_CHUNK, archs.shape[1]), np.int32)  # one shape, one compilation
            padded[: len(part)] = part
            first, second = (np.asarray(word)[: len(part)].astype(np.uint64) for word in graph_codes(padded))
            codes[start : start + _CHUNK] = first << np.uint64(32) | second
    return codes


def _labeled(num_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the graphs of a number of vertices, all of them on paths, with all operations; see `Graphs`.

    The last of the vertices is the last of seven, and the others the first of them.
    """
    matrix = _live_matrices(num_vertices)
    labels = np.arange(NUM_OPERATIONS ** (num_vertices - 2)) * NUM_OPERATIONS ** (NUM_VERTICES - num_vertices)
    return np.repeat(matrix, len(labels)), np.tile(labels, len(matrix)).astype(np.uint8)


def _live_matrices(num_vertices: int) -> np.ndarray:
    """Returns the edges, as bits of `PAIRS`, of graphs of at most nine edges in which each vertex is on a path."""
    pairs = list(itertools.combinations(range(num_vertices), 2))
    matrices = np.arange(1 << len(pairs), dtype=np.int32)
    edges = {pair: matrices >> number & 1 for number, pair in enumerate(pairs)}
    kept = np.asarray(sum(edges.values()) <= MAX_EDGES)
    for vertex in range(num_vertices - 1):
        kept &= sum(edges[vertex, target] for target in range(vertex + 1, num_vertices)) > 0
        kept &= sum(edges[source, vertex + 1] for source in range(vertex + 1)) > 0
    slots = [*range(num_vertices - 1), NUM_VERTICES - 1]
    found = np.zeros(kept.sum(), np.int32)
    for (source, target), edge in edges.items():
        found |= edge[kept] << PAIRS.index((slots[source], slots[target]))
    return found


def _neighbor_pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs of rows that are neighbors, both int32[N]; the relation is their symmetric closure.

    Neighbors differ by an edge, with all vertices on paths before and after, by an operation, or by a vertex with one
    edge in and one out. Removing an edge that cuts off several vertices does not count: a few small graphs would then
    have thousands of neighbors.
    """
    graphs = all_graphs()
    archs = archs_of(graphs.matrix, graphs.labels)
    rows = np.arange(len(archs), dtype=np.int32)
    num_live = _num_live(archs)
    for position in range(NUM_EDGES):
        changed = archs.copy()
        changed[:, position] ^= 1
        kept = (_num_live(changed) == num_live) & (changed[:, :NUM_EDGES].sum(1) <= MAX_EDGES)
        yield rows[kept], rows_of(changed[kept])
    for position in range(NUM_EDGES, archs.shape[1]):
        changed = archs.copy()
        changed[:, position] = (changed[:, position] + 1) % NUM_OPERATIONS  # the other step is this one's inverse
        yield rows, rows_of(changed)
    yield from _with_one_vertex_more(archs, rows)


def _with_one_vertex_more(archs: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the rows of graphs with room for a vertex and two edges, and those with the vertex on any two."""
    adjacency = np.zeros((len(archs), NUM_VERTICES, NUM_VERTICES), np.int32)
    adjacency[:, _SOURCES, _TARGETS] = archs[:, :NUM_EDGES]
    num_inner = adjacency[:, 1:-1].any(2).sum(1)
    has_room = archs[:, :NUM_EDGES].sum(1) <= MAX_EDGES - 2
    for count in range(_NUM_INNER):
        chosen = np.flatnonzero(has_room & (num_inner == count))
        operations = archs[chosen, NUM_EDGES : NUM_EDGES + count]
        slots = [*range(count + 1), NUM_VERTICES - 1]
        found = [
            _inserted(adjacency[chosen], operations, source, target)
            for source, target in itertools.combinations(slots, 2)
        ]
        larger = np.concatenate(found)
        yield np.tile(rows[chosen], len(larger) // max(len(chosen), 1)), rows_of(larger)


def _inserted(adjacency: np.ndarray, operations: np.ndarray, source: int, target: int) -> np.ndarray:
    """Returns graphs with a further vertex that reads `source` and is read by `target`, with each operation.

    Args:
        adjacency: of graphs whose inner vertices are in the first slots, int32[N, 7, 7].
        operations: of their inner vertices, int32[N, count].

    Returns:
        Architectures int32[3 * N, 26].
    """
    count, new, last = operations.shape[1], source + 1, NUM_VERTICES - 1
    old_slots = [*range(count + 1), last]
    slots = np.asarray([slot + (new <= slot < last) for slot in old_slots])
    edges = np.zeros_like(adjacency)
    edges[:, slots[:, None], slots] = adjacency[:, np.asarray(old_slots)[:, None], old_slots]
    edges[:, source, new] = edges[:, new, target + (target < last)] = 1
    archs = np.zeros((NUM_OPERATIONS, len(adjacency), NUM_EDGES + _NUM_INNER), np.int32)
    archs[..., :NUM_EDGES] = edges[:, _SOURCES, _TARGETS]
    archs[..., NUM_EDGES - 1 + slots[1:-1]] = operations
    archs[..., NUM_EDGES - 1 + new] = np.arange(NUM_OPERATIONS)[:, None]
    return archs.reshape(-1, archs.shape[-1])


def _num_live(archs: np.ndarray) -> np.ndarray:
    """Returns how many vertices are on paths, int[N]; each vertex must have edges both in and out, or neither."""
    edges = {pair: archs[:, number] == 1 for number, pair in enumerate(PAIRS)}
    vertices = range(NUM_VERTICES)
    leaves = [np.any([edges[vertex, target] for target in vertices[vertex + 1 :]], axis=0) for vertex in vertices[:-1]]
    enters = [np.any([edges[source, vertex] for source in range(vertex)], axis=0) for vertex in vertices[1:]]
    inner = [enters[vertex - 1] & leaves[vertex] for vertex in vertices[1:-1]]
    return np.sum([leaves[0], *inner, enters[-1]], axis=0)


def rows_of(archs: np.ndarray) -> np.ndarray:
    """Returns the rows of architectures int32[N, 26] whose graph reaches its output, int32[N]."""
    graphs = all_graphs()
    words = (graphs.first[:NUM_GRAPHS], graphs.second[:NUM_GRAPHS])
    codes = words[0].astype(np.uint64) << np.uint64(32) | words[1]
    return np.searchsorted(codes, _codes_of(archs)).astype(np.int32)


def kept(name: str, arrays: tuple[str, ...], compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns the arrays of a file in the cache folder, after computing and writing them if it is missing or damaged.

    If the file cannot be written, the arrays are still returned.
    """
    import platformdirs

    path = platformdirs.user_cache_path("jaxnas") / name
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {each: file[each] for each in arrays}
            if str(file["sha256"]) == _digest(found):
                return found
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    found = compute()
    _write(path, found | {"sha256": np.asarray(_digest(found))})
    return found


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays to a file, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(file.name, path)
    except OSError:
        return
