"""How far the incumbent of a run is from the best architecture, after each trial."""

from typing import NamedTuple

import numpy as np

from jaxnas.analysis.confirmation import confirmed
from jaxnas.analysis.incumbent import incumbent_scores, incumbents
from jaxnas.analysis.optima import Limit, optimum
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials


def regret(
    trials: Trials,
    bench: Benchmark,
    *,
    confirm: tuple[int, int] | None = None,
    optimum_from: str = "crossfit",
    limit: Limit | None = None,
) -> np.ndarray:
    """Returns the regret after each trial, float64[runs, T]: the optimum less the score of the incumbent.

    The optimum is the best expected held-out score, estimated if a table holds noisy runs
    (`jn.analysis.optimum`). The score of the incumbent is the mean over the runs that its query did
    not see. Neither profits from luck, so the regret of a single run may be below zero; its mean
    over runs is right but for the standard error of the optimum.

    Args:
        confirm: (m, k): the incumbent is chosen by `jn.analysis.confirmed`, among the best m architectures by k more
            evaluations of each.
        optimum_from: `"crossfit"`, or `"maximum"`: the largest mean over all runs less the
            incumbent's, the definition of most papers, and of tables that hold only means.
        limit: (size, maximum): the optimum is among the architectures up to a size, as of `jn.constrained`.

    Raises ValueError without a known optimum, with too few runs to confirm, or on trials of another space.
    """
    best = optimum(bench, optimum_from=optimum_from, limit=limit)
    return best.value - found_by(trials, bench, confirm, optimum_from).scores


class Found(NamedTuple):
    """The incumbents of a strategy's runs after each trial.

    Attributes:
        best: the trials that hold the incumbents, int[runs, T].
        scores: the reported scores of these, float[runs, T].
        reserved: the cost of their confirmation, float[runs, T]; None without.
    """

    best: np.ndarray
    scores: np.ndarray
    reserved: np.ndarray | None


def found_by(trials: Trials, bench: Benchmark, confirm: tuple[int, int] | None, optimum_from: str) -> Found:
    """Returns the incumbents of runs with their held-out scores, confirmed if asked for; arguments as of `regret`."""
    if confirm is None:
        best = incumbents(trials)
        return Found(best, incumbent_scores(trials, bench, best=best, optimum_from=optimum_from), None)
    found = confirmed(trials, bench, confirm)
    scores = incumbent_scores(trials, bench, best=found.numbers, optimum_from=optimum_from, confirming=found.runs)
    return Found(found.numbers, scores, found.costs)


def final_regrets(found: np.ndarray | Trials, bench: Benchmark | None) -> np.ndarray:
    """Returns the regrets of runs after their last trial, float64[runs], of trials on a benchmark or given as numbers.

    Raises ValueError on trials without a benchmark, or on regrets that are not of one trial.
    """
    if isinstance(found, Trials):
        if bench is None:
            raise ValueError("Expected the benchmark of the trials, too, got trials without.")
        return regret(found, bench)[:, -1]
    values = np.asarray(found, np.float64)
    if values.ndim != 1 or not len(values):
        shape = list(values.shape)
        raise ValueError(f"Expected regrets at one trial, such as jn.regret(trials, bench)[:, -1], got shape {shape}.")
    return values
