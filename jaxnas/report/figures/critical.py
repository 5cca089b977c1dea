"""The critical-difference diagram of strategies over several benchmarks, as a Matplotlib figure."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnas.checks import printable
from jaxnas.report.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _LINE_HEIGHT = 5.5, 0.19  # inches
_GAP = 4  # points between a line and its label


@styled
def critical_difference(result: dict[str, Any]) -> "Figure":
    """Returns the diagram of average ranks, best on the left, of a `summary.json` dictionary with `overall`.

    A thick line joins strategies that are not separated; the length above the axis is the critical difference. Demsar,
    "Statistical Comparisons of Classifiers over Multiple Data Sets", Journal of Machine Learning Research, 2006.
    """
    from matplotlib.figure import Figure

    found = result["overall"]
    ranks = np.asarray(found["average_rank"])
    order = np.argsort(ranks, kind="stable")
    num_left = -(-len(order) // 2)
    first_label = 1 + len(found["groups"])
    figure = Figure((_WIDTH, _LINE_HEIGHT * (first_label + num_left + 4)), layout="constrained")
    axes = figure.add_subplot()
    _draw_axis(axes, len(ranks), found["critical_difference"])
    for place, index in enumerate(order):
        left = place < num_left
        line = first_label + (place if left else len(order) - 1 - place)
        label = f"{printable(found['strategies'][index])} ({ranks[index]:.2f})"
        _draw_label(axes, ranks[index], line, label, 1 if left else len(ranks), left)
    for line, group in enumerate(found["groups"], start=1):
        ends = ranks[[found["strategies"].index(name) for name in group]]
        axes.plot([ends.min() - 0.05, ends.max() + 0.05], [line, line], color="black", linewidth=3, clip_on=False)
    axes.set_ylim(first_label + num_left, -2.5)
    axes.set_xlim(1, len(ranks))  # labels are outside, and the layout makes room for them
    return figure


def _draw_axis(axes: "Axes", num_strategies: int, difference: float | None) -> None:
    axes.set_axis_off()
    axes.plot([1, num_strategies], [0, 0], color="black", linewidth=1, clip_on=False)
    for rank in range(1, num_strategies + 1):
        axes.plot([rank, rank], [0, -0.3], color="black", linewidth=1, clip_on=False)
        axes.text(rank, -0.4, str(rank), ha="center", va="bottom")
    if difference is not None:
        axes.plot([1, 1 + difference], [-1.7, -1.7], color="black", linewidth=1, marker="|", clip_on=False)
        _write(axes, 1 + difference, -1.7, f"critical difference {difference:.2f}", _GAP)


def _draw_label(axes: "Axes", rank: float, line: int, label: str, end: float, left: bool) -> None:
    axes.plot([rank, rank, end], [0, line, line], color="#666666", linewidth=0.8)
    _write(axes, end, line, label, -_GAP if left else _GAP)


def _write(axes: "Axes", rank: float, line: float, text: str, offset: float) -> None:
    side = "right" if offset < 0 else "left"
    axes.annotate(text, (rank, line), (offset, 0), textcoords="offset points", ha=side, va="center")
