"""What a run had found after each trial."""

import numpy as np

from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials

NONE_YET = -1


def incumbents(trials: Trials) -> np.ndarray:
    """Returns the number of the trial that holds the incumbent after each trial, int64[runs, T].

    The incumbent is the architecture that the run would have returned then: that of the best validation score among
    the trials of the highest fidelity reached so far, ties to the earlier. Failed trials (NaN) never hold it, and the
    number is -1 before the first that succeeded. No held-out score enters.
    """
    scores = np.asarray(trials.observation.score)
    fidelities = np.asarray(trials.query.fidelity)
    best_score = np.full(len(scores), -np.inf)
    best_fidelity = np.full(len(scores), -1)
    best = np.full(len(scores), NONE_YET)
    found = np.empty(scores.shape, np.int64)
    for trial in range(scores.shape[1]):
        score, fidelity = scores[:, trial], fidelities[:, trial]
        better = (fidelity > best_fidelity) | ((fidelity == best_fidelity) & (score > best_score))
        better &= ~np.isnan(score)
        best = np.where(better, trial, best)
        best_score = np.where(better, score, best_score)
        best_fidelity = np.where(better, fidelity, best_fidelity)
        found[:, trial] = best
    return found


def incumbent_scores(
    trials: Trials, bench: Benchmark, split: str = "test", best: np.ndarray | None = None
) -> np.ndarray:
    """Returns the benchmark's score of the incumbent after each trial, float[runs, T].

    It is the held-out score (`split="test"`) or the mean of the scores that queries answer at the last fidelity
    (`"validation"`). Before the first successful trial, and where every run of the incumbent failed, it is the lowest
    held-out score of the benchmark, NaN where that is not known.

    Args:
        best: the trials that hold the incumbents, int[runs, T]; by default those of `incumbents`.
    """
    best = incumbents(trials) if best is None else best
    archs = np.take_along_axis(np.asarray(trials.query.arch), np.maximum(best, 0)[..., None], axis=1)
    scores = bench.held_out.scores(archs) if split == "test" else bench.validation_scores(archs)
    lowest = bench.held_out.worst
    return np.where((best == NONE_YET) | np.isnan(scores), np.nan if lowest is None else lowest, scores)
