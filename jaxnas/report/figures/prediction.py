"""Figures of predictors: how well they rank over the number of trainings that they are given, and over their cost."""

from typing import TYPE_CHECKING, Any

from jaxnas.report.figures.style import GRAY, PAGE, legend_below, new_figure, strategy_styles, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def draw_by_training(result: dict[str, Any]) -> "Figure":
    """Returns the figure of tau over the number of trained architectures; those that need none are lines."""
    figure, axes = new_figure("trained architectures", "Kendall's tau-b", ("log", "linear"), (PAGE, 3.0))
    sizes = sorted({each["num_train"] for each in result["evaluations"] if each["num_train"]}) or [1, 2]
    styles = strategy_styles(result["predictors"])
    for name, rows in _by_predictor(result).items():
        if all(row["num_train"] for row in rows):
            axes.plot([row["num_train"] for row in rows], [_tau(row) for row in rows], label=name, **styles[name])
        else:
            for row in rows:
                label = f"{name}, {row['num_epochs']} epochs"
                axes.plot([sizes[0], sizes[-1]], [_tau(row)] * 2, label=label, **styles[name])
    _add_ceiling(axes, result)
    legend_below(figure, axes)
    return figure


@styled
def draw_by_cost(result: dict[str, Any]) -> "Figure":
    """Returns the figure of tau over the cost of all trainings that a ranking needed."""
    unit = result["cost_unit"]
    figure, axes = new_figure(f"cost of all trainings ({unit})", "Kendall's tau-b", ("log", "linear"), (PAGE, 3.0))
    styles = strategy_styles(result["predictors"])
    for name, rows in _by_predictor(result).items():
        rows = sorted((row for row in rows if row["cost"] > 0), key=lambda row: row["cost"])
        look = styles[name] | {"markevery": None}
        axes.plot([row["cost"] for row in rows], [_tau(row) for row in rows], label=name, **look)
    _add_ceiling(axes, result)
    legend_below(figure, axes)
    return figure


def _by_predictor(result: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    rows = [each for each in result["evaluations"] if each["tau"]]
    return {name: found for name in result["predictors"] if (found := [r for r in rows if r["predictor"] == name])}


def _tau(row: dict[str, Any]) -> float:
    return row["tau"]["mean"]


def _add_ceiling(axes: Any, result: dict[str, Any]) -> None:
    if result["ceiling"]:
        axes.axhline(result["ceiling"]["mean"], color=GRAY, linewidth=0.8, linestyle=":", label="one run, others' mean")
