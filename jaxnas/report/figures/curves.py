"""Figures of a comparison: regret, ranks, hypervolume and fronts over trials and costs.

Every function takes the dictionary of `summary.json`. No figure has a title: its caption describes it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnas.checks import printable
from jaxnas.report import units
from jaxnas.report.figures.style import (
    COLORS,
    COLUMN,
    PAGE,
    label_axes,
    legend_below,
    new_figure,
    strategy_styles,
    styled,
)
from jaxnas.tasks.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST_TRIAL, OUTLIER = 10, 3
_PARTS = ("mean", "ci_low", "ci_high")


@styled
def regret_by_trials(result: dict[str, Any]) -> "Figure":
    """Returns the figure of mean test regret over trials with its 95 % interval."""
    metric = units.metric_of(result)
    figure, axes = new_figure("trials", _regret_label(metric))
    means = {}
    for name, style in strategy_styles(result["strategies"]).items():
        curves = result["strategies"][name]
        trials = np.arange(1, len(curves["regret_mean"]) + 1)
        regrets = [units.gap(np.asarray(curves[f"regret_{part}"], float), metric) for part in _PARTS]
        _band(axes, trials, regrets, name, style)
        means[name] = (trials, regrets[0])
    _show_from(axes, first_shown(result["num_trials"]), means)
    legend_below(figure, axes)
    return figure


@styled
def regret_by_cost(result: dict[str, Any]) -> "Figure":
    """Returns the figure of mean test regret over the cost paid."""
    metric = units.metric_of(result)
    figure, axes = new_figure(units.paid(result.get("cost_unit", "epochs")), _regret_label(metric))
    budget, means = np.asarray(result["budget"], float), {}
    for name, style in strategy_styles(result["strategies"]).items():
        regrets = units.gap(np.asarray(result["strategies"][name]["regret_mean_by_cost"], float), metric)
        axes.plot(budget, regrets, label=name, **style)
        means[name] = (budget, regrets)
    _show_from(axes, budget[min(first_shown(len(budget)), len(budget)) - 1], means)
    legend_below(figure, axes)
    return figure


@styled
def regret_spread(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the share of runs that ended with at most a regret, over that regret."""
    metric = units.metric_of(result)
    figure, axes = new_figure(f"final {_regret_label(metric)}", "runs (%)", scales=("linear", "linear"))
    for name, style in strategy_styles(result["strategies"]).items():
        regrets = units.gap(np.asarray(result["strategies"][name]["regret_quantiles"], float), metric)
        axes.plot(regrets, np.linspace(0, 100, len(regrets)), label=name, **style | {"marker": None})
    legend_below(figure, axes)
    return figure


@styled
def ranks_by_trials(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the mean rank of each strategy over trials; 1 is the best."""
    figure, axes = new_figure("trials", "mean rank", scales=("log", "linear"))
    for name, style in strategy_styles(result["strategies"]).items():
        ranks = result["strategies"][name]["mean_rank_over_trials"]
        axes.plot(np.arange(1, len(ranks) + 1), ranks, label=name, **style)
    axes.invert_yaxis()
    legend_below(figure, axes)
    return figure


@styled
def hypervolume_by_trials(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the share of the true front's hypervolume still missing over trials, with its interval."""
    figure, axes = new_figure("trials", "missing hypervolume (%)")
    found = result["fronts"]
    for name, style in strategy_styles(found["strategies"]).items():
        curves = found["strategies"][name]
        missing = [units.percent(1 - np.asarray(curves[f"hypervolume_{part}"])) for part in _PARTS]
        _band(axes, found["points"], missing, name, style)
    legend_below(figure, axes)
    return figure


@styled
def fronts(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the true front and of the front of each strategy's median run."""
    from matplotlib.ticker import EngFormatter, LogLocator

    found, metric = result["fronts"], units.metric_of(result)
    label = units.labeled(f"test {metric.name}", units.unit(metric))
    sizes, scores = np.asarray(found["true"]).T
    positive = sizes.min() > 0
    figure, axes = new_figure(units.size_label(found), label, scales=("log" if positive else "linear", "linear"))
    largest = max([sizes[-1], *(size for curves in found["strategies"].values() for size, _ in curves["front"])])
    sizes, scores = np.append(sizes, largest), np.append(scores, scores[-1])  # it dominates larger sizes
    axes.step(sizes, units.shown(scores, metric), where="post", color="#bbbbbb", linewidth=3, label="true front")
    for name, style in strategy_styles(found["strategies"]).items():
        sizes, scores = np.reshape(found["strategies"][name]["front"], (-1, 2)).T
        axes.plot(sizes, units.shown(scores, metric), label=name, **style | {"markevery": 1, "linewidth": 0.7})
    if positive:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    legend_below(figure, axes)
    return figure


@styled
def attainment(result: dict[str, Any]) -> "Figure":
    """Returns the figure of the front that half of the runs of each strategy reached, between the quarters' fronts."""
    found, metric = result["fronts"], units.metric_of(result)
    label = units.labeled(f"test {metric.name}", units.unit(metric))
    figure, axes = new_figure(units.size_label(found), label, scales=("linear", "linear"))
    for name, style in strategy_styles(found["strategies"]).items():
        surfaces = found["strategies"][name].get("attainment", {})
        for share, points in sorted(surfaces.items()):
            sizes, scores = np.reshape(points, (-1, 2)).T
            is_middle = float(share) == 0.5
            width, alpha = (1.2, 1) if is_middle else (0.5, 0.6)
            look = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": width, "alpha": alpha}
            named: dict[str, Any] = {"label": name} if is_middle else {}
            axes.step(sizes, units.shown(scores, metric), where="post", **look, **named)
    legend_below(figure, axes)
    return figure


@styled
def tried(history: "pd.DataFrame", best: int, size: str | None, measure: str) -> "Figure":
    """Returns the figure of a search's trials: scores over trials; with a size, also the measured column against it.

    Args:
        history: the frame of a `SearchResult`.
        best: the number of the best trial.
        size: `"parameters"`, `"flops"` or None.
        measure: the column that was measured: the name of the metric, or `"score"`.
    """
    from matplotlib.figure import Figure

    columns = [("index", "trial", "score", "score on validation data", "linear")]
    if size is not None:
        columns.append((size, units.SIZE_LABELS.get(size, size), measure, f"validation {measure}", "log"))
    points = history.reset_index(names="index")
    figure = Figure((PAGE if size else COLUMN, 2.3), layout="constrained")
    panels = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, (x, x_label, y, y_label, scale) in zip(panels, columns, strict=True):
        label_axes(axes, x_label, y_label, (scale, "linear"))
        axes.plot(points[x], points[y], "o", color="#999999", label="tried")
        axes.plot(points[x][best], points[y][best], "*", color=COLORS[1], markersize=8, label="best")
    so_far = np.fmax.accumulate(points["score"].to_numpy())
    panels[0].plot(points["index"], so_far, color=COLORS[0], drawstyle="steps-post", label="best so far")
    panels[0].legend()
    return figure


def first_shown(num_trials: int) -> int:
    """Returns the number of trials from which curves are shown: the first ones are luck, and far above the others."""
    return FIRST_TRIAL if num_trials > 2 * FIRST_TRIAL else 1


def shown_range(curves: dict[str, np.ndarray]) -> tuple[float, float, list[str]]:
    """Returns the least and the largest value to show of curves, and the names of those that reach beyond.

    A curve whose largest value is more than `OUTLIER` times the median of all of these would squeeze the others.
    """
    found = {name: each[np.isfinite(each)] for name, each in curves.items()}
    tops = {name: float(each.max()) for name, each in found.items() if len(each)}
    if not tops:
        return 0.1, 1.0, []
    limit = OUTLIER * max(float(np.median(list(tops.values()))), 0)
    high = max([top for top in tops.values() if top <= limit], default=max(tops.values()))
    low = min(float(each.min()) for each in found.values() if len(each))
    return low, high, [name for name, top in tops.items() if top > high]


def _show_from(axes: "Axes", start: float, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Limits axes to the part after a start and to usual values, and lists the curves that leave them.

    Values that are not above zero have no logarithm: then the axis is linear.
    """
    low, high, beyond = shown_range({name: ys[xs >= start] for name, (xs, ys) in curves.items()})
    axes.set_xlim(left=start)
    if low > 0:
        axes.set_ylim(low / 1.15, high * 1.15 if high > low else 2 * high)
    else:
        margin = 0.05 * (high - low) or 1
        axes.set(yscale="linear", ylim=(low - margin, high + margin))
        axes.yaxis.set_major_formatter("{x:g}")
    if beyond:
        text = f"above: {', '.join(map(printable, beyond))}"
        axes.text(0.98, 0.97, text, ha="right", va="top", fontsize=6, transform=axes.transAxes)


def _regret_label(metric: Metric) -> str:
    return units.labeled("test regret", units.gap_unit(metric))


def _band(
    axes: "Axes", points: Sequence[int] | np.ndarray, curves: list[np.ndarray], name: str, style: dict[str, Any]
) -> None:
    """Draws the curve of means with the band of its interval; `curves` are the mean and both ends."""
    mean, low, high = curves
    axes.plot(points, mean, label=name, **style)
    axes.fill_between(points, low, high, color=style["color"], alpha=0.15, linewidth=0)
