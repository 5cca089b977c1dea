"""Figures of a comparison, in one style, as Matplotlib figures."""

import numpy as np

# Okabe and Ito's colours, told apart by the colour-blind; line styles tell curves apart in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxnas",
    "pdf.fonttype": 42,
}
_SIZE = (5.5, 3.4)
SIZE_LABELS = {"parameters": "parameters", "flops": "multiply-accumulates for one image"}


def regret_by_trials(result: dict):
    """Returns the figure of mean test regret over trials with its 95 % interval, of a `summary.json` dictionary."""
    figure, axes = _figure("trials", "test regret (percentage points)")
    for (name, curves), style in zip(result["strategies"].items(), _styles(), strict=False):
        trials = np.arange(1, len(curves["regret_mean"]) + 1)
        low, high = (100 * np.asarray(curves[f"regret_ci_{end}"]) for end in ("low", "high"))
        axes.plot(trials, 100 * np.asarray(curves["regret_mean"]), label=name, **style)
        axes.fill_between(trials, low, high, color=style["color"], alpha=0.2, linewidth=0)
    axes.legend(frameon=False)
    return figure


def regret_by_cost(result: dict):
    """Returns the figure of mean test regret over epochs paid for, of a `summary.json` dictionary."""
    figure, axes = _figure("epochs of training paid for", "test regret (percentage points)")
    for (name, curves), style in zip(result["strategies"].items(), _styles(), strict=False):
        axes.plot(result["budget"], 100 * np.asarray(curves["regret_mean_by_cost"], float), label=name, **style)
    axes.legend(frameon=False)
    return figure


def hypervolume_by_trials(result: dict):
    """Returns the figure of the hypervolume found over trials with its 95 % interval."""
    figure, axes = _figure("trials", "hypervolume (% of the true front's)", scales=("log", "linear"))
    fronts = result["fronts"]
    for (name, curves), style in zip(fronts["strategies"].items(), _styles(), strict=False):
        mean, low, high = (100 * np.asarray(curves[f"hypervolume_{key}"]) for key in ("mean", "ci_low", "ci_high"))
        axes.plot(fronts["points"], mean, label=name, **style)
        axes.fill_between(fronts["points"], low, high, color=style["color"], alpha=0.2, linewidth=0)
    axes.legend(frameon=False)
    return figure


def fronts(result: dict):
    """Returns the figure of the true front and of the front of each strategy's median run."""
    found = result["fronts"]
    figure, axes = _figure(SIZE_LABELS[found["size"]], "test accuracy (%)", scales=("log", "linear"))
    sizes, scores = np.asarray(found["true"]).T
    axes.step(sizes, 100 * scores, where="post", color="#999999", linewidth=3, label="true front")
    for (name, curves), style in zip(found["strategies"].items(), _styles(), strict=False):
        sizes, scores = np.asarray(curves["front"]).T
        axes.plot(sizes, 100 * scores, marker="o", markersize=3, label=name, **style)
    axes.legend(frameon=False)
    return figure


def tried(history, best: int, size: str | None, measure: str):
    """Returns the figure of what a search tried: scores over trials; with a size, accuracy against size beside them.

    Args:
        history: the frame of a `SearchResult`.
        best: the number of the best trial.
        size: `"parameters"`, `"flops"` or None.
        measure: the column that was measured: `"accuracy"` or `"score"`.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = [("index", "trial", "score", "score on validation data", "linear")]
    if size is not None:
        columns.append((size, SIZE_LABELS[size], measure, f"validation {measure}", "log"))
    points = history.reset_index(names="index")
    with rc_context(_STYLE):
        figure = Figure((_SIZE[0] * len(columns), _SIZE[1]), layout="constrained")
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for axes, (x, x_label, y, y_label, scale) in zip(panels, columns, strict=True):
            _label(axes, x_label, y_label, (scale, "linear"))
            axes.plot(points[x], points[y], "o", color="#999999", markersize=3, label="tried")
            axes.plot(points[x][best], points[y][best], "*", color=COLORS[1], markersize=10, label="best")
        so_far = np.fmax.accumulate(points["score"].to_numpy())
        panels[0].plot(points["index"], so_far, color=COLORS[0], drawstyle="steps-post", label="best so far")
        panels[0].legend(frameon=False)
    return figure


def _styles():
    return (
        {"color": COLORS[n % len(COLORS)], "linestyle": LINES[n // len(COLORS) % len(LINES)], "linewidth": 1.6}
        for n in range(99)
    )


def _figure(x_label: str, y_label: str, scales: tuple[str, str] = ("log", "log")):
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(_SIZE, layout="constrained")
        axes = figure.add_subplot()
        _label(axes, x_label, y_label, scales)
    return figure, axes


def _label(axes, x_label: str, y_label: str, scales: tuple[str, str]) -> None:
    from matplotlib.ticker import LogFormatter

    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    for axis, set_scale, scale in zip(
        (axes.xaxis, axes.yaxis), (axes.set_xscale, axes.set_yscale), scales, strict=True
    ):
        set_scale(scale)
        axis.set_major_formatter("{x:g}")
        if scale == "log":
            axis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))


def save(figure, path) -> None:
    """Writes a figure; the format is that of the path's suffix. Equal figures give equal files."""
    from matplotlib import rc_context

    no_date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[path.suffix[1:]]
    with rc_context(_STYLE):
        figure.savefig(path, metadata=no_date)
