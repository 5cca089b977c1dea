"""Which figures a comparison has, their captions, and their files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas.report.figures import critical, curves, explanation, landscape, style

FEWEST_DRAWN = 3
"""The fewest tables whose critical difference is drawn: over fewer there is no test."""
_BANDS = "bands are 95 % bootstrap intervals over runs"


class Shown(NamedTuple):
    """A figure: its title and caption for pages and indices, its drawing function, and the function of its results."""

    title: str
    caption: str
    draw: Callable
    fits: Callable[[dict[str, Any]], Any] = lambda result: True


def _of_all(key: str) -> Callable[[dict[str, Any]], bool]:
    return lambda result: all(key in numbers for numbers in result["strategies"].values())


def _of_landscape(part: str) -> Callable[[dict[str, Any]], Any]:
    return lambda result: result.get("landscape", {}).get(part)


def _has_attainment(result: dict[str, Any]) -> bool:
    return any("attainment" in each for each in result.get("fronts", {}).get("strategies", {}).values())


def _has_test(result: dict[str, Any]) -> bool:
    """Returns whether there are ranks of several strategies over as many tables as a test takes."""
    found = result.get("overall", {"strategies": (), "benchmarks": ()})
    return len(found["strategies"]) > 1 and len(found["benchmarks"]) >= FEWEST_DRAWN


_FIGURES = {
    "regret_by_trials": Shown(
        "Regret over trials", f"Mean test regret after each trial; {_BANDS}.", curves.regret_by_trials
    ),
    "regret_by_cost": Shown(
        "Regret over cost",
        "Mean test regret over what a run has paid; repeated evaluations of one training are free.",
        curves.regret_by_cost,
    ),
    "ranks_by_trials": Shown(
        "Ranks over trials",
        "Expected rank (1 is best) after each trial, one run of each strategy drawn at random.",
        curves.ranks_by_trials,
        _of_all("mean_rank_over_trials"),
    ),
    "regret_spread": Shown(
        "Spread over runs",
        "Share of runs whose regret after the last trial is at most that.",
        curves.regret_spread,
        _of_all("regret_quantiles"),
    ),
    "hypervolume": Shown(
        "Missing hypervolume over trials",
        "Share of the true front's hypervolume that what a run had found (chosen by validation, valued by test) does "
        f"not dominate, mean over runs; {_BANDS}.",
        curves.hypervolume_by_trials,
        lambda result: "fronts" in result,
    ),
    "fronts": Shown(
        "Fronts",
        "Test score and size of what the run with the median hypervolume found on its front by validation, and the "
        "benchmark's true front.",
        curves.fronts,
        lambda result: "fronts" in result,
    ),
    "attainment": Shown(
        "Attainment surfaces",
        "What half of the runs had reached after the last trial (lines), between what a quarter and three quarters had "
        "(bands): test score within a size.",
        curves.attainment,
        _has_attainment,
    ),
    "explanation": Shown(
        "Why the best architecture is good",
        "From an architecture of median score to the best one, one decision at a time, each the one of the largest "
        "gain; and the Shapley value of each decision. Bars are standard errors.",
        explanation.decision_values,
        lambda result: result.get("explanation"),
    ),
    "critical_difference": Shown(
        "Ranks over tables",
        "Average rank over tables, 1 is best; a thick line joins strategies that are not separated.",
        critical.critical_difference,
        _has_test,
    ),
    "score_distribution": Shown(
        "Distribution of scores",
        "Shares of architectures by mean score at the last epoch, on a logarithmic scale.",
        landscape.score_distribution,
        _of_landscape("scores"),
    ),
    "fitness_distance": Shown(
        "Score and distance",
        "Mean validation score at each distance, in moves, to the nearest best architecture, and Pearson's correlation "
        "of the two.",
        landscape.fitness_distance,
        _of_landscape("fitness_distance"),
    ),
    "walk_autocorrelation": Shown(
        "Autocorrelation of random walks",
        "Autocorrelation of validation scores along random walks, exact.",
        landscape.walk_autocorrelation,
        _of_landscape("autocorrelation"),
    ),
    "fidelity_correlation": Shown(
        "Fidelities",
        "Spearman's correlation of mean validation scores at each epoch with those at the last, over architectures.",
        landscape.fidelity_correlation,
        _of_landscape("fidelities"),
    ),
    "decision_effects": Shown(
        "Effects of decisions",
        "What each value of each decision adds to the mean validation score, and the shares of decisions (diagonal) "
        "and of interactions of pairs in its variance over all architectures.",
        landscape.decision_effects,
        _of_landscape("effects"),
    ),
}
FIGURE_NAMES = tuple(_FIGURES)
"""The names of all figures that a comparison can have, without the suffix of their files."""


def figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of a `summary.json` dictionary by their file names."""
    return {name: each for name, each in _FIGURES.items() if each.fits(result)}


def overall_figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figure of the ranks over several tables by its file name, none if there is no test of them."""
    return {"critical_difference": _FIGURES["critical_difference"]} if _has_test(result) else {}


def write_figures(
    folder: str | os.PathLike, result: dict[str, Any], shown: dict[str, Shown], pdf: bool = False
) -> None:
    """Writes figures of a `summary.json` dictionary into a folder, each as SVG, and as PDF if asked for."""
    for name, each in shown.items():
        figure = each.draw(result)
        for suffix in (".svg", ".pdf") if pdf else (".svg",):
            style.save(figure, Path(folder) / f"{name}{suffix}")
