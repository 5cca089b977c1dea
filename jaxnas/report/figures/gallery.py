"""Which figures a comparison has, what they show, and their files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas.report.figures import critical, curves, landscape, style

_BANDS = "bands are 95 % bootstrap intervals over runs"


class Shown(NamedTuple):
    """A figure: its title and caption for pages and indices, and the function that draws it of a result."""

    title: str
    caption: str
    draw: Callable


_REGRET = {
    "regret_by_trials": Shown(
        "Regret over trials", f"Mean test regret after each trial; {_BANDS}.", curves.regret_by_trials
    ),
    "regret_by_cost": Shown(
        "Regret over cost",
        "Mean test regret over what a run has paid; repeated evaluations are free.",
        curves.regret_by_cost,
    ),
}
_RANKS = {
    "ranks_by_trials": Shown(
        "Ranks over trials",
        "Expected rank (1 is best) after each trial, one run of each strategy drawn at random.",
        curves.ranks_by_trials,
    )
}
_FRONTS = {
    "hypervolume": Shown(
        "Missing hypervolume over trials",
        "Share of the true front's hypervolume that what a run had found (chosen by validation, valued by test) does "
        f"not dominate, mean over runs; {_BANDS}.",
        curves.hypervolume_by_trials,
    ),
    "fronts": Shown(
        "Fronts",
        "Test score and size of what the run with the median hypervolume found on its front by validation, and the "
        "benchmark's true front.",
        curves.fronts,
    ),
}
_OVERALL = {
    "critical_difference": Shown(
        "Ranks over tables",
        "Average rank over tables, 1 is best; a thick line joins strategies that are not separated.",
        critical.critical_difference,
    )
}
_LANDSCAPE = {
    "score_distribution": Shown(
        "Distribution of scores",
        "Shares of architectures by mean score at the last epoch, on a logarithmic scale.",
        landscape.score_distribution,
    ),
    "fitness_distance": Shown(
        "Score and distance",
        "Mean validation score at each distance, in moves, to the nearest best architecture, and Pearson's correlation "
        "of the two.",
        landscape.fitness_distance,
    ),
    "walk_autocorrelation": Shown(
        "Autocorrelation of random walks",
        "Autocorrelation of validation scores along random walks, exact.",
        landscape.walk_autocorrelation,
    ),
    "fidelity_correlation": Shown(
        "Fidelities",
        "Spearman's correlation of mean validation scores at each epoch with those at the last, over architectures.",
        landscape.fidelity_correlation,
    ),
}
_EFFECTS = {
    "decision_effects": Shown(
        "Effects of decisions",
        "What each value of each decision adds to the mean validation score, and the shares of decisions (diagonal) "
        "and of interactions of pairs in its variance over all architectures.",
        landscape.decision_effects,
    )
}


def landscape_figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of the landscape of a `summary.json` dictionary by their file names, none without it."""
    if "landscape" not in result:
        return {}
    return _LANDSCAPE | (_EFFECTS if "effects" in result["landscape"] else {})


def overall_figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of the ranks over several tables by their file names, none without or for one strategy."""
    return _OVERALL if len(result.get("overall", {}).get("strategies", ())) > 1 else {}


def figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of a `summary.json` dictionary by their file names."""
    has_ranks = all("mean_rank_over_trials" in numbers for numbers in result["strategies"].values())
    found = _REGRET | (_RANKS if has_ranks else {}) | (_FRONTS if "fronts" in result else {})
    return found | overall_figures_of(result) | landscape_figures_of(result)


def write_figures(folder: str | os.PathLike, result: dict[str, Any], shown: dict[str, Shown]) -> None:
    """Writes figures of a `summary.json` dictionary into a folder, each as PDF and SVG."""
    for name, each in shown.items():
        figure = each.draw(result)
        for suffix in (".svg", ".pdf"):
            style.save(figure, Path(folder) / f"{name}{suffix}")
