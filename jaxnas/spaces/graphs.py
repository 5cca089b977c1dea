"""Architectures as graphs with operations on vertices, for every space: pruning, hashes, counts of labels, drawings.

A graph is labels int32[V], -1 for absent vertices, and edges bool[V, V] in topological order: `edges[u, v]` only
for u < v. The first vertex is the input and the last one the output. `Space.labeled` makes it.
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
"""Okabe and Ito's colors, which the color-blind can distinguish."""
SECOND_LINE = "; "
"""The separator before the second line of a box, in the name of a label."""
_GAP, _SPACE, _MARGIN, _NOTE = 32, 18, 14, 22


def pruned_mask(labels: jax.Array, edges: jax.Array) -> jax.Array:
    """Returns which vertices are on a path from the first vertex to the last one, bool[V]."""
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

    The first L features count the first `num_labels` labels; the features of an iteration count labels that combine a
    vertex's label and the multiset of its predecessors' labels. Labels are hashed to 32 bits and these to buckets
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


def draw(labels: np.ndarray, edges: np.ndarray, names: Sequence[str], note: str = "") -> str:
    """Returns a graph as an SVG image: a box with the name of its label for each vertex, edges from left to right, or
    down if that is narrower.

    A tree has a row, or a column, for each of its leaves. `page/graph.js` draws the same.

    Args:
        names: the names of the labels, with a line break after a semicolon; boxes with the same first line have the
            same color.
        note: a caption below the graph.
    """
    vertices = [int(vertex) for vertex in np.flatnonzero(np.asarray(labels) >= 0)]
    texts = {vertex: printable(names[labels[vertex]]).split(SECOND_LINE) for vertex in vertices}
    width = 7 * max((len(line) for lines in texts.values() for line in lines), default=0) + 2 * _MARGIN
    box = max(width, 60), 10 + 16 * max(map(len, texts.values()), default=1)
    places, down = _places(vertices, np.asarray(edges))
    corners = {
        vertex: (_MARGIN + column * (box[0] + _GAP), _MARGIN + row * (box[1] + _SPACE))
        for vertex, (column, row) in places.items()
    }
    lines = [
        _draw_line(corners[source], corners[target], box, down)
        for source in vertices
        for target in vertices
        if edges[source, target]
    ]
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(dict.fromkeys(map(_first_line, names)))}
    boxes = [_draw_box(corners[each], box, texts[each], colors[_first_line(names[labels[each]])]) for each in vertices]
    right, bottom = (max(place) for place in zip(*corners.values(), (_MARGIN, _MARGIN), strict=True))
    size = max(right + box[0], 6 * len(note)) + _MARGIN, bottom + box[1] + _MARGIN + (_NOTE if note else 0)
    below = f'<text x="{_MARGIN}" y="{size[1] - _MARGIN}" fill="#555">{escape(note)}</text>' if note else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}" font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="graph of an architecture">{"".join(lines)}{"".join(boxes)}{below}</svg>\n'
    )


def _first_line(name: str) -> str:
    return name.partition(SECOND_LINE)[0]


def _places(vertices: list[int], edges: np.ndarray) -> tuple[dict[int, tuple[int, int]], bool]:
    """Returns the column and the row of each vertex, and whether edges go down.

    The column is the length of the longest path to the vertex. A vertex is in the row of the one before it on that
    path, or in a new row if that one already has a successor in its row. If there are more columns than rows, the two
    are exchanged.
    """
    columns: dict[int, int] = {}
    below: dict[int, list[int]] = {vertex: [] for vertex in (-1, *vertices)}
    for vertex in vertices:
        before = [other for other in columns if edges[other, vertex]]
        parent = max(before, key=lambda other: columns[other], default=-1)
        columns[vertex] = columns[parent] + 1 if before else 0
        below[parent].append(vertex)
    rows: dict[int, int] = {}
    open_vertices = below[-1][::-1]
    while open_vertices:
        vertex = open_vertices.pop()
        parent = next((other for other in rows if vertex in below[other]), -1)
        is_first = parent >= 0 and below[parent][0] == vertex
        rows[vertex] = rows[parent] if is_first else max(rows.values(), default=-1) + 1
        open_vertices += below[vertex][::-1]
    down = max(columns.values(), default=0) > max(rows.values(), default=0)
    places = {vertex: (columns[vertex], rows[vertex]) for vertex in vertices}
    if down:
        places = {vertex: (row, column) for vertex, (column, row) in places.items()}
    return places, down


Pair = tuple[int, int]


def _draw_line(source: Pair, target: Pair, box: Pair, down: bool) -> str:
    """Returns a curve between the boxes of two corners, around the boxes between them that are in its way."""
    along, across = (1, 0) if down else (0, 1)
    steps = box[along] + (_SPACE if down else _GAP), box[across] + (_GAP if down else _SPACE)
    start, end = source[along] + box[along], target[along]
    middles = [place[across] + box[across] / 2 for place in (source, target)]
    dip = 0.75 * steps[1] if source[across] == target[across] and end - source[along] > steps[0] else 0
    bend = (end - start) / 2
    points = ((start, middles[0]), (start + bend, middles[0] + dip), (end - bend, middles[1] + dip), (end, middles[1]))
    first, *others = [f"{point[along]:g} {point[across]:g}" for point in points]
    return f'<path d="M{first} C{" ".join(others)}" fill="none" stroke="#555" stroke-width="1.5"/>'


def _draw_box(corner: Pair, box: Pair, lines: list[str], color: str) -> str:
    left, top = corner
    first = top + box[1] / 2 + 4 - 8 * (len(lines) - 1)
    texts = "".join(
        f'<text x="{left + box[0] / 2:g}" y="{first + 16 * number:g}" text-anchor="middle" '
        f'fill="#222">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect x="{left}" y="{top}" width="{box[0]}" height="{box[1]}" rx="5" fill="#fff" stroke="{color}" '
        f'stroke-width="2"/>{texts}'
    )
