"""Which figures a comparison has, what they show, and their files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas.report.figures import critical, curves, explanation, landscape, style

FEWEST_DRAWN = 3
"""The fewest tables whose critical difference is drawn: over fewer there is no test."""
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
        "Mean test regret over what a run has paid; repeated evaluations of one training are free.",
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
_SPREAD = {
    "regret_spread": Shown(
        "Spread over runs",
        "Share of runs whose regret after the last trial is at most that.",
        curves.regret_spread,
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
_ATTAINMENT = {
    "attainment": Shown(
        "Attainment surfaces",
        "What half of the runs had reached after the last trial (lines), between what a quarter and three quarters had "
        "(bands): test score within a size.",
        curves.attainment,
    )
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

_EXPLANATION = {
    "explanation": Shown(
        "Why the best architecture is good",
        "From an architecture of median score to the best one, one decision at a time, each the one of the largest "
        "gain; and the Shapley value of each decision. Bars are standard errors.",
        explanation.decision_values,
    )
}


FIGURE_NAMES = tuple(
    _REGRET | _RANKS | _SPREAD | _FRONTS | _ATTAINMENT | _OVERALL | _LANDSCAPE | _EFFECTS | _EXPLANATION
)
"""The names of all figures that a comparison can have, without the suffix of their files."""

_PARTS = {
    "score_distribution": "scores",
    "fitness_distance": "fitness_distance",
    "walk_autocorrelation": "autocorrelation",
    "fidelity_correlation": "fidelities",
    "decision_effects": "effects",
}
"""What each figure of a landscape draws, by its key there."""


def landscape_figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of the landscape of a `summary.json` dictionary by their file names, none without it."""
    found = result.get("landscape", {})
    return {name: each for name, each in (_LANDSCAPE | _EFFECTS).items() if found.get(_PARTS[name])}


def overall_figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of the ranks over several tables by their file names.

    None for one strategy, or fewer tables than a test takes.
    """
    found = result.get("overall", {"strategies": (), "benchmarks": ()})
    return _OVERALL if len(found["strategies"]) > 1 and len(found["benchmarks"]) >= FEWEST_DRAWN else {}


def figures_of(result: dict[str, Any]) -> dict[str, Shown]:
    """Returns the figures of a `summary.json` dictionary by their file names."""
    each = result["strategies"].values()
    found = _REGRET | (_RANKS if all("mean_rank_over_trials" in numbers for numbers in each) else {})
    found |= _SPREAD if all("regret_quantiles" in numbers for numbers in each) else {}
    found |= _fronts_of(result.get("fronts"))
    found |= _EXPLANATION if result.get("explanation") else {}
    return found | overall_figures_of(result) | landscape_figures_of(result)


def _fronts_of(fronts: dict[str, Any] | None) -> dict[str, Shown]:
    if fronts is None:
        return {}
    return _FRONTS | (_ATTAINMENT if any("attainment" in each for each in fronts["strategies"].values()) else {})


def write_figures(
    folder: str | os.PathLike, result: dict[str, Any], shown: dict[str, Shown], pdf: bool = False
) -> None:
    """Writes figures of a `summary.json` dictionary into a folder, each as SVG, and as PDF where asked for."""
    for name, each in shown.items():
        figure = each.draw(result)
        for suffix in (".svg", ".pdf") if pdf else (".svg",):
            style.save(figure, Path(folder) / f"{name}{suffix}")
