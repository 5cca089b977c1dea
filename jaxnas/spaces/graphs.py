"""Architectures as graphs with operations on vertices, for every space: pruning, hashes, counts of labels, drawings.

A graph is labels int32[V], -1 where there is no vertex, and edges bool[V, V] in topological order: `edges[u, v]` only
where u < v. The first vertex is the input and the last one the output. `Space.labelled` makes it.
"""

from collections.abc import Sequence
from html import escape

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import printable

COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#999999",
)
"""Okabe and Ito's colours, which the colour-blind can distinguish."""
_BOX, _GAP, _ROW, _MARGIN = (118, 26), 44, 44, 14


def pruned_mask(labels: jax.Array, edges: jax.Array) -> jax.Array:
    """Returns which vertices lie on a path from the first vertex to the last one, bool[V]."""
    present = labels >= 0
    numbers, last = np.arange(len(labels)), len(labels) - 1

    def reach(vertex: jax.Array, reached: jax.Array) -> jax.Array:
        return reached | (numbers == vertex) & present & (reached & edges[:, vertex]).any()

    def need(number: jax.Array, needed: jax.Array) -> jax.Array:
        vertex = last - number
        return needed | (numbers == vertex) & present & (needed & edges[vertex]).any()

    edges = jnp.asarray(edges)
    reached = jax.lax.fori_loop(1, last + 1, reach, present & (numbers == 0))
    return reached & jax.lax.fori_loop(1, last + 1, need, present & (numbers == last))


def wl_codes(labels: jax.Array, edges: jax.Array, rounds: int = 4) -> jax.Array:
    """Returns a hash of a graph that does not depend on the order of its vertices, uint32[2].

    Weisfeiler and Leman's refinement: each round mixes into a vertex's word those of its predecessors and, otherwise,
    of its successors. Equal graphs have equal hashes; different ones have different hashes where that many rounds
    distinguish them, but for collisions of 64 bits.
    """
    present, salts = labels >= 0, jnp.asarray([[1], [2]], jnp.uint32)

    def refine(_: jax.Array, words: jax.Array) -> jax.Array:
        passed = jnp.where(present, hash_label(words, jnp.uint32(0)), 0)[:, None]
        before = jnp.where(edges.T, passed, 0).sum(-1, dtype=jnp.uint32)
        after = jnp.where(edges, passed, 0).sum(-1, dtype=jnp.uint32)
        return hash_label(hash_label(words, before), after)

    words = jax.lax.fori_loop(0, rounds, refine, hash_label(labels, salts))
    total = jnp.where(present, words, 0).sum(-1, dtype=jnp.uint32)
    return hash_label(total, salts[:, 0])


def label_counts(
    labels: jax.Array,
    edges: ArrayLike,
    counted: ArrayLike,
    *,
    num_labels: int,
    num_iterations: int,
    num_buckets: int,
) -> jax.Array:
    """Returns the counts of Weisfeiler-Lehman labels, float32[L + num_iterations * num_buckets].

    The first count the first `num_labels` labels; those of each iteration count the labels that are made of a
    vertex's label and the multiset of its predecessors' labels. Labels are hashed to 32 bits and those to buckets
    (remainder by `num_buckets`), as a dictionary of all labels grows fast with the graph.

    Args:
        counted: which of the vertices that are present are counted after an iteration, bool[V].
    """
    present, edges = labels >= 0, jnp.asarray(edges)
    features = [(labels == np.arange(num_labels)[:, None]).sum(1).astype(jnp.float32)]
    words = labels.astype(jnp.uint32)
    for _ in range(num_iterations):
        passed = jnp.where(present, hash_label(words, jnp.uint32(0)), 0)
        words = hash_label(words, jnp.where(edges.T, passed, 0).sum(1, dtype=jnp.uint32))
        buckets = jnp.where(present & counted, words % num_buckets, num_buckets)
        features.append(jnp.zeros(num_buckets).at[buckets].add(1, mode="drop"))
    return jnp.concatenate(features)


def hash_label(label: jax.Array, predecessors: jax.Array) -> jax.Array:
    """Returns the 32-bit hash of a label and the sum of its predecessors' hashes, uint32[...].

    Two rounds of multiplications and shifts; a sum does not depend on the order of its terms.
    """
    word = jnp.asarray(label, jnp.uint32) * jnp.uint32(0x9E3779B9) + jnp.uint32(0x85EBCA6B)
    for extra in (jnp.asarray(predecessors, jnp.uint32), jnp.uint32(0)):
        word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D) + extra
        word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)


def chain(labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns labels int32[V], and the edges that connect the vertices which are present to a chain, bool[V, V]."""
    present, numbers = labels >= 0, np.arange(len(labels))
    follows = present[:, None] & present & (numbers[:, None] < numbers)
    between = jnp.cumsum(present) - 1
    return labels.astype(jnp.int32), follows & (between[None] - between[:, None] == 1)


def draw(labels: np.ndarray, edges: np.ndarray, names: Sequence[str]) -> str:
    """Returns a graph as an SVG image: a box with the name of its label for each vertex, edges from left to right.

    Args:
        names: the names of the labels; labels of one name have one colour.
    """
    vertices = [int(vertex) for vertex in np.flatnonzero(np.asarray(labels) >= 0)]
    places = _places(vertices, np.asarray(edges))
    num_columns = 1 + max((column for column, _ in places.values()), default=0)
    num_rows = 1 + max((row for _, row in places.values()), default=0)
    width = num_columns * (_BOX[0] + _GAP) - _GAP + 2 * _MARGIN
    height = num_rows * _ROW + 2 * _MARGIN
    lines = [
        _draw_line(places[source], places[target])
        for source in vertices
        for target in vertices
        if edges[source, target]
    ]
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(dict.fromkeys(names))}
    boxes = [_draw_box(places[vertex], names[labels[vertex]], colors[names[labels[vertex]]]) for vertex in vertices]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="graph of an architecture">'
        f"{''.join(lines)}{''.join(boxes)}</svg>\n"
    )


def _places(vertices: list[int], edges: np.ndarray) -> dict[int, tuple[int, int]]:
    """Returns the column and the row of each vertex; columns are the lengths of the longest paths that lead there."""
    columns: dict[int, int] = {}
    places: dict[int, tuple[int, int]] = {}
    for vertex in vertices:
        columns[vertex] = 1 + max((columns[other] for other in columns if edges[other, vertex]), default=-1)
        places[vertex] = columns[vertex], sum(column == columns[vertex] for column in columns.values()) - 1
    return places


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    column, row = place
    return _MARGIN + column * (_BOX[0] + _GAP), _MARGIN + row * _ROW


def _draw_line(source: tuple[int, int], target: tuple[int, int]) -> str:
    """Returns a curve between two boxes; below the boxes between them where those are in its way."""
    (left, top), (right, bottom) = _corner(source), _corner(target)
    start, end = (left + _BOX[0], top + _BOX[1] / 2), (right, bottom + _BOX[1] / 2)
    dip = _ROW * 0.75 if target[0] - source[0] > 1 and source[1] == target[1] else 0
    bend = (end[0] - start[0]) / 2
    return (
        f'<path d="M{start[0]} {start[1]} C{start[0] + bend} {start[1] + dip} {end[0] - bend} {end[1] + dip} '
        f'{end[0]} {end[1]}" fill="none" stroke="#555" stroke-width="1.5"/>'
    )


def _draw_box(place: tuple[int, int], name: str, color: str) -> str:
    left, top = _corner(place)
    return (
        f'<rect x="{left}" y="{top}" width="{_BOX[0]}" height="{_BOX[1]}" rx="5" fill="#fff" stroke="{color}" '
        f'stroke-width="2"/><text x="{left + _BOX[0] / 2}" y="{top + _BOX[1] / 2 + 4}" text-anchor="middle" '
        f'fill="#222">{escape(printable(name))}</text>'
    )
