"""The cost of selecting by validation: the test regret of the architecture that is best by validation."""

from typing import NamedTuple

import numpy as np

from jaxnas.analysis.confirmation import told_runs
from jaxnas.analysis.optima import Limit, Optimum, candidates
from jaxnas.analysis.statistics import mean_known
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.tables.selection import top_ranking


class Selection(NamedTuple):
    """How well validation chooses by test.

    Attributes:
        best_validation: the largest mean validation score, from which validation regret is measured.
        floor: the test regret of the architecture that is best by validation. Of noisy runs it is chosen by all but
            one and valued by that one, the mean over runs.
        top_spearman, num_top: how validation ranks the top 5 %, see `top_ranking`.
    """

    best_validation: float
    floor: float
    top_spearman: float | None
    num_top: int


def selection(bench: Benchmark, best: Optimum, limit: Limit | None = None) -> Selection:
    """Returns how well validation chooses by test on a benchmark with a table; regrets are from `best`."""
    rows = candidates(bench, limit)
    validation, test = bench.validation_scores(rows), bench.held_out.scores(rows)
    known = np.isfinite(validation) & np.isfinite(test)
    rows, validation, test = rows[known], validation[known].astype(float), test[known].astype(float)
    chosen = test[validation.argmax()]
    if best.method == "crossfit" and bench.held_out.shares_runs and bench.held_out.runs is not None:
        told, tested = told_runs(bench)[classes_of(bench, rows)], bench.held_out.runs(rows)
        told += (validation - mean_known(told))[:, None]  # less an objective's penalty
        others = np.stack([mean_known(np.delete(told, run, axis=1)) for run in range(told.shape[1])], axis=1)
        others = np.where(np.isfinite(others) & np.isfinite(tested), others, -np.inf)
        chosen = np.take_along_axis(tested, others.argmax(0)[None], axis=0).mean()
    return Selection(float(validation.max()), best.value - float(chosen), *top_ranking(validation, test))
