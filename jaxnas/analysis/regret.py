"""What a run had found after each trial, and how far that is from the best."""

import numpy as np

from jaxnas.analysis.incumbents import incumbent_scores
from jaxnas.simulation.trials import Trials


def regret(trials: Trials, bench) -> np.ndarray:
    """Returns the regret after each trial, float[runs, T]: the benchmark's optimum less the incumbent's test score.

    Both are means over seeds at the last fidelity. Raises ValueError where the benchmark has no known optimum.
    """
    if bench.optimum is None:
        raise ValueError(f"Expected a benchmark with a known optimum, got {type(bench).__name__} without one.")
    return bench.optimum - incumbent_scores(trials, bench)


def at_budgets(values: np.ndarray, trials: Trials, budgets: np.ndarray) -> np.ndarray:
    """Returns values [runs, T] after the last trial that each budget pays for, float[runs, B].

    NaN where a budget pays for no trial. Budgets count what trials cost, repeated queries free (see `Trials`).
    """
    spent = np.cumsum(np.asarray(trials.observation.cost, np.float64), axis=1)
    last = np.stack([np.searchsorted(row, np.asarray(budgets) * (1 + 1e-9), side="right") - 1 for row in spent])
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), axis=1))
