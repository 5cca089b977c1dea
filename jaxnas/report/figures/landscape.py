"""Figures of a landscape (`jaxnas.analysis.landscape`), in the style of the other figures.

Every function takes the dictionary of `summary.json`, and draws the part under its key `landscape`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnas.checks import printable
from jaxnas.report import units
from jaxnas.report.figures.style import COLORS, PAGE, legend_below, new_figure, styled
from jaxnas.tasks.metrics import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINEAR = ("linear", "linear")


@styled
def score_distribution(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the shares of architectures by their score, on validation and on test."""
    metric = units.metric_of(result)
    figure, axes = new_figure(_score(result), "architectures (%)", ("linear", "log"))
    looks: dict[str, dict[str, Any]] = {
        "validation": {"color": COLORS[0], "alpha": 0.35, "fill": True},
        "test": {"color": COLORS[1], "linewidth": 0.8},
    }
    for split, look in looks.items():
        found = result["landscape"]["scores"][split]
        shares = units.percent(np.asarray(found["counts"]) / np.sum(found["counts"]))
        edges, shares = _ascending(units.shown(np.asarray(found["edges"]), metric), shares)
        axes.stairs(shares, edges, label=split, **look)
    legend_below(figure, axes)
    return figure


@styled
def fitness_distance(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the mean score over the distance to the nearest global optimum."""
    found, metric = result["landscape"]["fitness_distance"], units.metric_of(result)
    figure, axes = new_figure("moves to the best architecture\n(how many architectures)", _score(result), _LINEAR)
    axes.plot(found["distances"], units.shown(np.asarray(found["means"]), metric), color=COLORS[0], marker="o")
    labels = [f"{distance}\n({count:,})" for distance, count in zip(found["distances"], found["counts"], strict=True)]
    axes.set_xticks(found["distances"], labels)
    if found["correlation"] is not None:
        _note(axes, f"correlation {found['correlation']:.2f}")
    return figure


@styled
def walk_autocorrelation(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the autocorrelation of scores along random walks."""
    found = result["landscape"]["autocorrelation"]
    figure, axes = new_figure("moves of a random walk", "autocorrelation of the score", _LINEAR)
    axes.plot(found["lags"], np.asarray(found["values"], float), color=COLORS[0], marker="o")
    axes.locator_params(axis="x", integer=True)
    if found["correlation_length"] is not None:
        _note(axes, f"correlation length {found['correlation_length']:.2f}")
    return figure


@styled
def fidelity_correlation(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the rank correlation of each fidelity with the last."""
    found = result["landscape"]["fidelities"]
    unit = units.fidelity(result.get("cost_unit", "epochs"))
    figure, axes = new_figure(unit, "Spearman correlation\nwith the last fidelity", _LINEAR)
    axes.plot(found["values"], np.asarray(found["spearman_with_last"], float), color=COLORS[0], marker="o")
    axes.locator_params(axis="x", integer=True)
    return figure


@styled
def decision_effects(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the effect of each decision's values on the mean score, and of the shares in its variance.

    In the square, the diagonal holds the share of each decision alone, the rest the shares of interactions of pairs.
    """
    from matplotlib.figure import Figure

    effects = result["landscape"]["effects"]
    num_rows = len(effects["decisions"])
    figure = Figure((PAGE, max(1.9, 0.9 + 0.24 * num_rows)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    _draw_values(left, effects["decisions"], units.metric_of(result))
    _draw_shares(right, effects)
    return figure


def _draw_values(axes: "Axes", decisions: list[dict[str, Any]], metric: Metric) -> None:
    width = max(len(each["values"]) for each in decisions)
    means = np.full((len(decisions), width), np.nan)
    for row, each in enumerate(decisions):
        means[row, : len(each["values"])] = [units.shown(value["mean"], metric) for value in each["values"]]
    names = [[printable(str(value["value"])) for value in each["values"]] for each in decisions]
    shared = all(each == names[0] for each in names)
    reach = np.nanmax(np.abs(means)) or 1
    texts = {}
    for row, column in zip(*np.nonzero(np.isfinite(means)), strict=True):
        text = _signed(float(means[row, column]), metric)
        texts[row, column] = text if shared else f"{names[row][column]}\n{text}"
    _draw_cells(axes, means, texts, cmap="PuOr_r", vmin=-reach, vmax=reach)
    _name_ticks(axes, names[0] if shared else [], [printable(each["name"]) for each in decisions])
    axes.set_xlabel(units.labeled("mean score, less that of all", units.gap_unit(metric)))


def _draw_shares(axes: "Axes", effects: dict[str, Any]) -> None:
    names = [each["name"] for each in effects["decisions"]]
    shares = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(shares, [units.percent(each["share"]) for each in effects["decisions"]])
    for each in effects["interactions"]:
        first, second = sorted((names.index(each["first"]), names.index(each["second"])))
        shares[second, first] = units.percent(each["share"])
    texts = {cell: f"{shares[cell]:.1f}" for cell in zip(*np.nonzero(np.isfinite(shares)), strict=True)}
    _draw_cells(axes, shares, texts, cmap="Blues", vmin=0, vmax=np.nanmax(shares) or 1)
    shown = [printable(name) for name in names]
    _name_ticks(axes, shown, shown)
    axes.set_xlabel("share of the variance (%)")
    higher = f"three and more\ndecisions: {units.percent_text(effects['higher_order_share'], 1)}"
    axes.text(0.98, 0.98, higher, ha="right", va="top", transform=axes.transAxes)


def _draw_cells(axes: "Axes", values: np.ndarray, texts: dict[tuple[int, int], str], **colors: Any) -> None:
    """Draws a matrix of colors with strings in its cells, as vectors; NaN stays blank."""
    axes.pcolormesh(values, edgecolors="white", linewidth=0.5, **colors)
    axes.invert_yaxis()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    dark = 0.6 * colors["vmax"]
    for (row, column), text in texts.items():
        color = "white" if abs(values[row, column]) > dark else "black"
        size = 6 if "\n" not in text else 5
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size, color=color)


def _name_ticks(axes: "Axes", below: list[str], left: list[str]) -> None:
    axes.set_xticks(np.arange(len(below)) + 0.5, below, rotation=20, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(left)) + 0.5, left)


def _signed(value: float, metric: Metric) -> str:
    """Returns a value that is shown in the metric's unit, with its sign and no minus before a zero."""
    return f"{round(value, 1) + 0.0:+.1f}" if units.unit(metric) == "%" else f"{value + 0.0:+.3g}"


def _ascending(edges: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (edges, values) if edges[0] <= edges[-1] else (edges[::-1], values[::-1])


def _score(result: dict[str, Any]) -> str:
    metric = units.metric_of(result)
    return units.labeled(metric.name, units.unit(metric))


def _note(axes: "Axes", text: str) -> None:
    axes.text(0.98, 0.95, text, ha="right", va="top", transform=axes.transAxes)
