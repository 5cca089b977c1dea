"""The style of all figures: sizes that fit the columns of a paper, colors, labels, and how files are saved."""

import functools
import io
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnas.checks import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE = "random_search"
COLUMN, PAGE = 3.3, 6.9
"""Widths in inches, of one column and of a page of two."""

GRAY = "#7a828b"
"""The color of random search, which others are compared with, in every figure and on every page."""
# Okabe and Ito's colors, which the color-blind can distinguish; line styles and markers distinguish curves in gray.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v")

STYLE = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.3,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxnas",
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
}


def styled(draw: Callable) -> Callable:
    """Returns the function with everything that it draws in the style, regardless of user settings.

    A notebook shows its figures as SVG.
    """

    @functools.wraps(draw)
    def drawn(*arguments: Any) -> "Figure":
        from matplotlib import style

        with style.context(STYLE, after_reset=True):
            figure = draw(*arguments)
        figure._repr_svg_ = functools.partial(svg, figure)
        return figure

    return drawn


def strategy_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns the keywords of `axes.plot` for each strategy: no two share color, line and marker."""
    names = list(names)
    others = [name for name in names if name != BASELINE]
    looks = {
        name: {
            "color": COLORS[number % len(COLORS)],
            "linestyle": LINES[number % len(LINES)],
            "marker": MARKERS[number % len(MARKERS)],
        }
        for number, name in enumerate(others)
    }
    looks[BASELINE] = {"color": GRAY, "linestyle": "-", "marker": "x"}
    # shares of the axes' diagonal, to keep markers apart
    return {name: looks[name] | {"markevery": (0.2 * n / len(names), 0.2)} for n, name in enumerate(names)}


def new_figure(
    x_label: str, y_label: str, scales: tuple[str, str] = ("log", "log"), size: tuple[float, float] = (COLUMN, 2.3)
) -> "tuple[Figure, Axes]":
    """Returns a figure with one set of axes, and the axes. To be called from a `styled` function."""
    from matplotlib.figure import Figure

    figure = Figure(size, layout="constrained")
    axes = figure.add_subplot()
    label_axes(axes, x_label, y_label, scales)
    return figure, axes


def label_axes(axes: "Axes", x_label: str, y_label: str, scales: tuple[str, str]) -> None:
    """Sets the labels and the scales of axes, with plain numbers on them."""
    from matplotlib.ticker import LogLocator

    axes.set(xlabel=printable(x_label), ylabel=printable(y_label), xscale=scales[0], yscale=scales[1])
    for axis, scale, labeled in ((axes.xaxis, scales[0], ()), (axes.yaxis, scales[1], (2, 5))):
        axis.set_major_formatter("{x:g}")
        if scale == "log":
            axis.set_minor_locator(LogLocator(subs=labeled or range(2, 10)))
            axis.set_minor_formatter("{x:g}" if labeled else "")


def legend_below(figure: "Figure", axes: "Axes") -> None:
    """Puts the legend below the axes, in two columns, and makes the figure that much higher."""
    handles = [each for each in (*axes.lines, *axes.patches) if not re.fullmatch(r"_child\d+", str(each.get_label()))]
    labels = [printable(str(each.get_label())) for each in handles]
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.14 * -(-len(labels) // 2))
    numbers = [f"{number}" for number in range(len(labels))]
    legend = figure.legend(handles, numbers, loc="outside lower center", ncols=min(2, len(labels)))
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)  # given to the legend, a name that begins with an underscore would be omitted


def svg(figure: "Figure") -> str:
    """Returns a figure as SVG."""
    file = io.BytesIO()
    save(figure, file)
    return file.getvalue().decode()


def save(figure: "Figure", path: str | os.PathLike | io.BytesIO) -> None:
    """Writes a figure; the format follows the path's suffix, PDF, SVG or PNG, and is SVG for a file in memory.

    Equal figures give equal files.
    """
    from matplotlib import style

    kind = "svg" if isinstance(path, io.BytesIO) else Path(path).suffix.removeprefix(".")
    no_date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with style.context(STYLE, after_reset=True):
        figure.savefig(path, metadata=no_date, dpi=200, format=kind)
