"""A cell as an image: nodes in a row, operations on arcs between them."""

from collections.abc import Sequence
from html import escape

from jaxnas.checks import printable
from jaxnas.spaces.cells.graph import Edge, Graph, live_edges
from jaxnas.spaces.graphs import COLORS
from jaxnas.spaces.layers.base import ZERO

_STEP, _MARGIN, _RADIUS = 130, 26, 16


def draw(graph: Graph, names: Sequence[str] = ()) -> str:
    """Returns the cell as an SVG image: nodes in a row, each edge an arc with the name of its operation.

    Dead edges are dashed, edges with a zero operation are omitted.

    Args:
        names: operations in the order of their colors, for colors shared by several cells; by default the cell's
            operations.
    """
    longest = max((len(edge.operation.name) for edge in graph.edges if edge.operation.role != ZERO), default=0)
    step = max(_STEP, 7 * longest + 2 * _RADIUS)  # names fit between nodes
    width = step * (graph.num_nodes - 1) + 2 * _MARGIN
    heights = [_arc_height(edge) for edge in graph.edges]
    baseline = 30 - min(0, *heights)
    height = baseline + max(_RADIUS, *heights) + 24
    names = names or sorted({edge.operation.name for edge in graph.edges if edge.operation.role != ZERO})
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    arcs = [
        _draw_edge(edge, colors[edge.operation.name], alive, baseline, step)
        for edge, alive in zip(graph.edges, live_edges(graph), strict=True)
        if edge.operation.role != ZERO
    ]
    nodes = [_draw_node(node, graph.num_nodes, baseline, step) for node in range(graph.num_nodes)]
    marker = (
        '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img" aria-label="cell graph">'
        f"<defs>{marker}</defs>{''.join(arcs)}{''.join(nodes)}</svg>\n"
    )


def _arc_height(edge: Edge) -> int:
    """Returns how far below the row of nodes an edge's arc goes; above it if negative."""
    span = edge.target - edge.source
    if span == 1:
        return 0
    return (10 + 35 * span) * (-1 if (edge.source + edge.target) % 2 else 1)


def _draw_edge(edge: Edge, color: str, alive: bool, baseline: int, step: int) -> str:
    start, end = (_MARGIN + step * node for node in (edge.source, edge.target))
    height = _arc_height(edge)
    side = 1 if height > 0 else -1
    middle = (start + end) / 2
    begin = (start + _RADIUS, baseline) if height == 0 else (start, baseline + side * _RADIUS)
    finish = (end - _RADIUS - 3, baseline) if height == 0 else (end, baseline + side * (_RADIUS + 3))
    bend = baseline + 2 * height - (side * _RADIUS if height else 0)
    dash = "" if alive else ' stroke-dasharray="5 4" opacity="0.45"'
    label = baseline + height + (-7 if side < 0 else 16)
    name = escape(printable(edge.operation.name))
    return (
        f'<path d="M{begin[0]} {begin[1]} Q{middle} {bend} {finish[0]} {finish[1]}" '
        f'fill="none" stroke="{color}" stroke-width="2" marker-end="url(#arrow)"{dash}/>'
        f'<text x="{middle}" y="{label}" text-anchor="middle" fill="#222">{name}</text>'
    )


def _draw_node(node: int, num_nodes: int, baseline: int, step: int) -> str:
    label = {0: "in", num_nodes - 1: "out"}.get(node, str(node))
    center = _MARGIN + step * node
    return (
        f'<circle cx="{center}" cy="{baseline}" r="{_RADIUS}" fill="#fff" stroke="#333" stroke-width="1.5"/>'
        f'<text x="{center}" y="{baseline + 4.5}" text-anchor="middle">{label}</text>'
    )
