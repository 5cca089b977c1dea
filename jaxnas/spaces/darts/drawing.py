"""An architecture of DARTS's cells as an image: a staircase of nodes for each cell, with lines from their inputs."""

from collections.abc import Mapping, Sequence
from html import escape

from jaxnas.spaces.graphs import COLORS

Genes = Sequence[tuple[str, int]]
"""The operations of a cell with their inputs, two a node."""

_STEP, _ROW, _MARGIN, _GAP = 64, 54, 16, 50
_BOX = (150, 38)
_INPUTS = ("cell -2", "cell -1")


def draw(cells: Mapping[str, Genes], operations: Sequence[str]) -> str:
    """Returns cells side by side as an SVG image.

    Each node is a box with its two operations, one below another, each with a line from its input.

    Args:
        cells: by name.
        operations: in the order of their colors.
    """
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(operations)}
    num_boxes = len(_INPUTS) + max(len(cell) for cell in cells.values()) // 2
    cell_width, top = _STEP * (num_boxes - 1) + _BOX[0], _MARGIN + 18
    parts = []
    for number, (name, cell) in enumerate(cells.items()):
        left = _MARGIN + number * (cell_width + _GAP)
        parts.append(f'<text x="{left}" y="{_MARGIN + 6}" font-weight="bold" fill="#222">{escape(name)} cell</text>')
        parts += _draw_cell(cell, colors, left, top)
    width = 2 * _MARGIN + len(cells) * (cell_width + _GAP) - _GAP
    height = top + _ROW * (num_boxes - 1) + _BOX[1] + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="cells of an architecture">'
        f"{''.join(parts)}</svg>\n"
    )


def _draw_cell(cell: Genes, colors: Mapping[str, str], left: int, top: int) -> list[str]:
    boxes = [_draw_box(left + _STEP * place, top + _ROW * place, [name]) for place, name in enumerate(_INPUTS)]
    lines = []
    for node in range(len(cell) // 2):
        place, both = len(_INPUTS) + node, cell[2 * node : 2 * node + 2]
        for number, (operation, source) in enumerate(both):
            lines.append(_draw_line(left, top, source, place, number, colors[operation]))
        boxes.append(_draw_box(left + _STEP * place, top + _ROW * place, [operation for operation, _ in both]))
    return lines + boxes


def _draw_line(left: int, top: int, source: int, target: int, number: int, color: str) -> str:
    """Returns a line down from a box and right into the row of another: it crosses no box of the staircase."""
    start = left + _STEP * source + 10 + 12 * (target - len(_INPUTS)) + 6 * number
    bottom, row = top + _ROW * source + _BOX[1], top + _ROW * target + 11 + 17 * number
    return (
        f'<path d="M{start} {bottom} V{row - 5} Q{start} {row} {start + 5} {row} H{left + _STEP * target - 1}" '
        f'fill="none" stroke="{color}" stroke-width="1.8"/>'
    )


def _draw_box(x: int, y: int, names: list[str]) -> str:
    middle = y + _BOX[1] / 2 + 4
    rows = [middle] if len(names) == 1 else [y + 15, y + 32]
    texts = "".join(
        f'<text x="{x + _BOX[0] / 2}" y="{row}" text-anchor="middle" fill="#222">{escape(name)}</text>'
        for row, name in zip(rows, names, strict=True)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{_BOX[0]}" height="{_BOX[1]}" rx="5" fill="#fff" stroke="#555" '
        f'stroke-width="1.5"/>{texts}'
    )
