"""The incumbent of a run after each trial, and its score."""

import numpy as np

from jaxnas.analysis.optima import method_of
from jaxnas.analysis.statistics import mean_known
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials
from jaxnas.spaces.decisions import cardinalities

NONE_YET = -1


def incumbents(trials: Trials) -> np.ndarray:
    """Returns the number of the trial that holds the incumbent after each trial, int64[runs, T].

    The incumbent is the architecture that the run would have returned then, with the best validation score among the
    trials of the highest fidelity reached so far, ties to the earlier. Failed trials (NaN) never hold it, and the
    number is -1 before the first that succeeded. No held-out score enters. Raises ValueError if these are not trials.
    """
    if not isinstance(trials, Trials):
        raise ValueError(f"Expected Trials, such as jn.run returns, got {type(trials).__name__}.")
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
    trials: Trials,
    bench: Benchmark,
    split: str = "test",
    best: np.ndarray | None = None,
    *,
    optimum_from: str = "crossfit",
    confirming: np.ndarray | None = None,
) -> np.ndarray:
    """Returns the benchmark's score of the incumbent after each trial, float64[runs, T].

    It is the held-out score (`split="test"`) or the mean of the scores that queries answer at the last fidelity
    (`"validation"`). Before the first successful trial, and if every run of the incumbent failed,
    it is the lowest held-out score of the benchmark, NaN if unknown.

    If the benchmark holds the runs, the held-out score is the mean over those that the trial did not observe: a run
    that was chosen for its validation score is lucky on test, too. Runs that confirmed it are omitted as well, unless
    none remain.

    Args:
        best: the trials that hold the incumbents, int[runs, T]; `incumbents(trials)` by default.
        optimum_from: with `"maximum"` the held-out score is the mean over all runs.
        confirming: the numbers of the runs that confirmed each trial's architecture, as `Confirmed.runs`.
    """
    check_trials(trials, bench)
    best = incumbents(trials) if best is None else best
    every = np.arange(len(best))[:, None]
    ever = np.zeros(best.shape, bool)
    ever[every, np.maximum(best, 0)] = True
    scores = np.full(best.shape, np.nan)
    archs = np.asarray(trials.query.arch)[ever]
    if split != "test":
        scores[ever] = bench.validation_scores(archs)
    elif method_of(bench, optimum_from) == "crossfit":
        confirmed = None if confirming is None else confirming[ever]
        scores[ever] = _unseen_means(bench, archs, np.asarray(trials.observation.seed)[ever], confirmed)
    else:
        scores[ever] = bench.held_out.scores(archs)
    found = scores[every, np.maximum(best, 0)]
    lowest = bench.held_out.worst
    return np.where((best == NONE_YET) | np.isnan(found), np.nan if lowest is None else lowest, found)


def trial_scores(trials: Trials, bench: Benchmark, optimum_from: str = "crossfit") -> np.ndarray:
    """Returns the held-out score of the architecture of each trial, float64[runs, T], as `incumbent_scores` does."""
    numbers = np.broadcast_to(np.arange(trials.observation.score.shape[1]), trials.observation.score.shape)
    return incumbent_scores(trials, bench, best=numbers, optimum_from=optimum_from)


def _unseen_means(bench: Benchmark, archs: np.ndarray, told: np.ndarray, confirming: np.ndarray | None) -> np.ndarray:
    """Returns the mean held-out score over the runs that a search did not see of architectures [n, D], float64[n]."""
    assert bench.held_out.runs is not None
    runs = np.asarray(bench.held_out.runs(archs), np.float64)
    runs = np.where(np.isfinite(runs), runs, np.nan)
    if not bench.held_out.shares_runs:
        return mean_known(runs)
    numbers = np.arange(runs.shape[1])
    unseen = ~np.isnan(runs) & (numbers != told[:, None])
    if confirming is not None:
        unconfirmed = unseen & ~(numbers == confirming[..., None]).any(1)
        unseen = np.where(unconfirmed.any(1, keepdims=True), unconfirmed, unseen)
    return mean_known(np.where(unseen, runs, np.nan))


def check_trials(trials: Trials, bench: Benchmark) -> None:
    """Raises ValueError if trials have architectures or fidelities that a benchmark does not have."""
    archs, space = np.asarray(trials.query.arch), bench.space
    sizes = cardinalities(space.decisions)
    if bench.table is not None and archs.shape[-1] == 1 != len(sizes):
        sizes = np.asarray([space.num_architectures])
    if archs.shape[-1] != len(sizes):
        found = f"trials of {archs.shape[-1]} decisions"
        raise ValueError(f"Expected trials of {space.name}, of {len(sizes)} decisions, got {found}: of another space?")
    if archs.size and ((archs < 0).any() or (archs >= sizes).any()):
        raise ValueError(f"Expected trials of architectures of {space.name}, got others: of another space?")
    fidelity = np.asarray(trials.query.fidelity)
    if fidelity.size and fidelity.max() >= len(bench.fidelities):
        found = f"trials of fidelity {fidelity.max()}"
        raise ValueError(f"Expected trials of the {len(bench.fidelities)} fidelities of {bench.id}, got {found}.")
