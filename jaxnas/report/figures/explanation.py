"""The figure of why an architecture is good: contributions of its decisions, and the path from a reference to it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnas.checks import printable
from jaxnas.report import units
from jaxnas.report.figures.style import COLORS, GRAY, PAGE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxnas.tasks.metrics import Metric

MOST_CHARACTERS = 40


@styled
def decision_values(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the key `explanation` of a `summary.json` dictionary.

    On the left the ablation path, from the score of the reference to the architecture's; on the right the
    Shapley value of each decision. Bars at the ends are standard errors.
    """
    from matplotlib.figure import Figure

    explanation, metric = result["explanation"], units.metric_of(result)
    rows = max(len(explanation["path"]) + 1, len(explanation["values"] or ()))
    figure = Figure((PAGE, 0.8 + 0.24 * rows), layout="constrained")
    path, worth = figure.subplots(1, 2)
    _draw_path(path, explanation, metric)
    _draw_values(worth, explanation, metric)
    return figure


def _draw_path(axes: "Axes", explanation: dict[str, Any], metric: "Metric") -> None:
    steps = explanation["path"]
    start = explanation["reference"]["score"]
    scores = np.asarray([start, *(step["score"] for step in steps)])
    names = ["reference", *(_text(step["changes"]) for step in steps)]
    axes.plot(units.shown(start, metric), 0, "o", color=GRAY)
    for place, step in enumerate(steps, 1):
        ends = units.shown(scores[place - 1 : place + 1], metric)
        color = COLORS[0] if step["gain"] >= 0 else COLORS[1]
        axes.barh(place, ends[1] - ends[0], left=ends[0], color=color, height=0.6)
        if step["standard_error"] is not None:
            axes.errorbar(ends[1], place, xerr=units.gap(step["standard_error"], metric), color="black", linewidth=0.8)
    axes.use_sticky_edges = False  # room next to the reference
    _label(axes, names, units.labeled(metric.name, units.unit(metric)))
    axes.set_title("One decision at a time")


def _draw_values(axes: "Axes", explanation: dict[str, Any], metric: "Metric") -> None:
    values = explanation["values"] or ()
    for place, each in enumerate(values):
        color = COLORS[0] if each["value"] >= 0 else COLORS[1]
        error = None if each["standard_error"] is None else units.gap(each["standard_error"], metric)
        axes.barh(place, units.shown(each["value"], metric), xerr=error, color=color, height=0.6)
    axes.axvline(0, color="black", linewidth=0.6)
    names = [f"{each['decision']}: {each['after']}" for each in values]
    _label(axes, names, units.labeled("worth", units.points(metric)))
    axes.set_title("Shapley values")


def _label(axes: "Axes", names: list[str], x_label: str) -> None:
    shown = [printable(name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 3]}...") for name in names]
    axes.set_yticks(range(len(shown)), shown)
    axes.invert_yaxis()
    axes.set_xlabel(printable(x_label))
    axes.grid(axis="y", visible=False)


def _text(changes: list[dict[str, str]]) -> str:
    return ", ".join(f"{each['decision']}: {each['after']}" for each in changes)
