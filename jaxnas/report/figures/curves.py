"""Figures of a comparison, in one style, as Matplotlib figures that fit the columns of a paper.

Every function takes the dictionary of `summary.json`. No figure has a title: its caption says what it shows.
"""

import numpy as np

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

SIZE_LABELS = {"parameters": "parameters", "flops": "multiply-accumulates for one image"}
_PARTS = ("mean", "ci_low", "ci_high")


@styled
def regret_by_trials(result: dict):
    """Returns the figure of mean test regret over trials with its 95 % interval."""
    figure, axes = new_figure("trials", "test regret (percentage points)")
    for name, style in strategy_styles(result["strategies"]).items():
        curves = result["strategies"][name]
        trials = np.arange(1, len(curves["regret_mean"]) + 1)
        _band(axes, trials, curves, "regret", name, style)
    legend_below(figure, axes)
    return figure


@styled
def regret_by_cost(result: dict):
    """Returns the figure of mean test regret over epochs paid for."""
    figure, axes = new_figure("epochs of training paid for", "test regret (percentage points)")
    for name, style in strategy_styles(result["strategies"]).items():
        regrets = np.asarray(result["strategies"][name]["regret_mean_by_cost"], float)
        axes.plot(result["budget"], 100 * regrets, label=name, **style)
    legend_below(figure, axes)
    return figure


@styled
def ranks_by_trials(result: dict):
    """Returns the figure of the mean rank of each strategy over trials; 1 is the best."""
    figure, axes = new_figure("trials", "mean rank", scales=("log", "linear"))
    for name, style in strategy_styles(result["strategies"]).items():
        ranks = result["strategies"][name]["mean_rank_over_trials"]
        axes.plot(np.arange(1, len(ranks) + 1), ranks, label=name, **style)
    axes.invert_yaxis()
    legend_below(figure, axes)
    return figure


@styled
def hypervolume_by_trials(result: dict):
    """Returns the figure of the share of the true front's hypervolume still missing over trials, with its interval."""
    figure, axes = new_figure("trials", "missing hypervolume (%)")
    found = result["fronts"]
    for name, style in strategy_styles(found["strategies"]).items():
        curves = found["strategies"][name]
        missing = {f"hypervolume_{part}": 1 - np.asarray(curves[f"hypervolume_{part}"]) for part in _PARTS}
        _band(axes, found["points"], missing, "hypervolume", name, style)
    legend_below(figure, axes)
    return figure


@styled
def fronts(result: dict):
    """Returns the figure of the true front and of the front of each strategy's median run."""
    from matplotlib.ticker import EngFormatter, LogLocator

    found = result["fronts"]
    figure, axes = new_figure(SIZE_LABELS[found["size"]], "test accuracy (%)", scales=("log", "linear"))
    sizes, scores = np.asarray(found["true"]).T
    largest = max([sizes[-1], *(size for curves in found["strategies"].values() for size, _ in curves["front"])])
    sizes, scores = np.append(sizes, largest), np.append(scores, scores[-1])  # it dominates what is larger
    axes.step(sizes, 100 * scores, where="post", color="#bbbbbb", linewidth=3, label="true front")
    for name, style in strategy_styles(found["strategies"]).items():
        sizes, scores = np.reshape(found["strategies"][name]["front"], (-1, 2)).T
        axes.plot(sizes, 100 * scores, label=name, **style | {"markevery": 1, "linewidth": 0.7})
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    legend_below(figure, axes)
    return figure


@styled
def tried(history, best: int, size: str | None, measure: str):
    """Returns the figure of what a search tried: scores over trials; with a size, accuracy against size beside them.

    Args:
        history: the frame of a `SearchResult`.
        best: the number of the best trial.
        size: `"parameters"`, `"flops"` or None.
        measure: the column that was measured: `"accuracy"` or `"score"`.
    """
    from matplotlib.figure import Figure

    columns = [("index", "trial", "score", "score on validation data", "linear")]
    if size is not None:
        columns.append((size, SIZE_LABELS[size], measure, f"validation {measure}", "log"))
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


def _band(axes, points, curves: dict, key: str, name: str, style: dict) -> None:
    mean, low, high = (100 * np.asarray(curves[f"{key}_{part}"], float) for part in _PARTS)
    axes.plot(points, mean, label=name, **style)
    axes.fill_between(points, low, high, color=style["color"], alpha=0.15, linewidth=0)
