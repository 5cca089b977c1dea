"""How far what a run had found is from the best, after each trial or for a budget."""

import numpy as np

from jaxnas.analysis.confirmation import confirmed
from jaxnas.analysis.incumbents import incumbent_scores
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials


def regret(trials: Trials, bench: Benchmark, *, confirm: tuple[int, int] | None = None) -> np.ndarray:
    """Returns the regret after each trial, float[runs, T]: the optimum less the score of the incumbent.

    Both are held-out scores: means over runs at the reported fidelity.

    Args:
        confirm: (m, k): the incumbent is that of `jn.confirmed`, the best m architectures evaluated k times more.

    Raises:
        ValueError: where the benchmark has no known optimum, or stores too few runs to confirm with.
    """
    optimum = bench.held_out.optimum
    if optimum is None:
        raise ValueError(f"Expected a benchmark with a known optimum, got {bench.id} without one.")
    best = None if confirm is None else confirmed(trials, bench, confirm).numbers
    return optimum - incumbent_scores(trials, bench, best=best)


def at_budgets(values: np.ndarray, trials: Trials, budgets: np.ndarray) -> np.ndarray:
    """Returns values [runs, T] after the last trial that each budget pays for, float[runs, B].

    NaN where a budget pays for no trial. Budgets count what trials cost, repeated queries free (see `Trials`).
    """
    spent = np.cumsum(np.asarray(trials.observation.cost, np.float64), axis=1)
    last = np.stack([np.searchsorted(row, np.asarray(budgets) * (1 + 1e-9), side="right") - 1 for row in spent])
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), axis=1))
