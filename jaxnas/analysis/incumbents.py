"""What a run had found after each trial, and how far that is from the best."""

import numpy as np

from jaxnas.simulation.trials import Trials

NONE_YET = -1


def incumbents(trials: Trials) -> np.ndarray:
    """Returns the number of the trial that holds the incumbent after each trial, int64[runs, T].

    The incumbent is the architecture that the run would have returned then: that of the best validation score among
    the trials of the highest fidelity reached so far, ties to the earlier. Failed trials (NaN) never hold it, and the
    number is -1 before the first that succeeded. No test score enters.
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


def incumbent_scores(trials: Trials, bench, split: str = "test") -> np.ndarray:
    """Returns the benchmark's score of the incumbent after each trial, float[runs, T].

    It is the mean over seeds at the last fidelity. Before the first successful trial, and where every seed of the
    incumbent failed by the last fidelity, it is the lowest score of the benchmark. `split` is `"test"` or
    `"validation"`.
    """
    scores = getattr(bench, f"{split}_scores")(np.asarray(trials.query.arch))
    best = incumbents(trials)
    chosen = np.take_along_axis(scores, np.maximum(best, 0), axis=1)
    lowest = getattr(bench, "worst", None)
    return np.where((best == NONE_YET) | np.isnan(chosen), np.nan if lowest is None else lowest, chosen)
