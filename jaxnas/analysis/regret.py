"""How far what a run had found is from the best, after each trial or for a budget."""

import numpy as np

from jaxnas.analysis.confirmation import confirmed
from jaxnas.analysis.incumbents import incumbent_scores
from jaxnas.analysis.optimum import Limit, optimum
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials


def regret(
    trials: Trials,
    bench: Benchmark,
    *,
    confirm: tuple[int, int] | None = None,
    reference: str = "crossfit",
    limit: Limit | None = None,
) -> np.ndarray:
    """Returns the regret after each trial, float64[runs, T]: the optimum less the score of the incumbent.

    The optimum is the best expected held-out score, estimated where a table holds noisy runs (`jn.optimum`); the score
    of the incumbent is the mean over the runs that its query was not told. Neither profits from luck, so that the
    regret of a single run may be below zero; its mean over runs is right but for the standard error of the optimum.

    Args:
        confirm: (m, k): the incumbent is that of `jn.confirmed`, the best m architectures evaluated k times more.
        reference: `"crossfit"`, or `"maximum"`: the largest mean over all runs less that of the incumbent, the
            definition of most papers, and of tables that hold only means.
        limit: (size, maximum): the optimum is among the architectures up to a size, as of `jn.constrained`.

    Raises:
        ValueError: where the benchmark has no known optimum, stores too few runs to confirm with, or has another space
            than the trials.
    """
    best = optimum(bench, reference=reference, limit=limit)
    return best.value - reported_scores(trials, bench, confirm=confirm, reference=reference)


def reported_scores(
    trials: Trials, bench: Benchmark, *, confirm: tuple[int, int] | None = None, reference: str = "crossfit"
) -> np.ndarray:
    """Returns the held-out score of the incumbent after each trial, float64[runs, T]; arguments as of `regret`."""
    if confirm is None:
        return incumbent_scores(trials, bench, reference=reference)
    found = confirmed(trials, bench, confirm)
    return incumbent_scores(trials, bench, best=found.numbers, reference=reference, confirming=found.runs)


def at_budgets(values: np.ndarray, trials: Trials, budgets: np.ndarray) -> np.ndarray:
    """Returns values [runs, T] after the last trial that each budget pays for, float[runs, B].

    NaN where a budget pays for no trial. Budgets count what trials cost, repeated queries free (see `Trials`).
    """
    spent = np.cumsum(np.asarray(trials.observation.cost, np.float64), axis=1)
    last = np.stack([np.searchsorted(row, np.asarray(budgets) * (1 + 1e-9), side="right") - 1 for row in spent])
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), axis=1))
