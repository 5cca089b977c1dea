"""Confirmed incumbents: the best architectures of a run, evaluated again before one of them is returned."""

from typing import NamedTuple

import numpy as np

from jaxnas.analysis.incumbent import NONE_YET
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.checks import checked_size
from jaxnas.simulation.trials import Trials


class Confirmed(NamedTuple):
    """The incumbents of runs that confirm their best architectures after each trial.

    Attributes:
        numbers: the trial that holds the confirmed incumbent, int64[runs, T]; -1 before the first that succeeded.
        costs: the cost of the confirmation after that trial, float64[runs, T], in the benchmark's unit.
        runs: the numbers of the stored runs that confirm each trial's architecture if it is among the
            best, int64[runs, T, k].
    """

    numbers: np.ndarray
    costs: np.ndarray
    runs: np.ndarray


def confirmed(trials: Trials, bench: Benchmark, confirm: tuple[int, int], *, seed: int = 0) -> Confirmed:
    """Returns the incumbents after confirmation: the best `m` architectures are evaluated with `k` further runs each.

    The one with the best mean of these is the incumbent. If queries answer single noisy runs, the best of many
    is a lucky one, and more trials can make the choice worse; a confirmation does not see the lucky run.

    Args:
        trials: as `jn.run` returns them.
        bench: a benchmark with a table, whose stored runs at the last fidelity are drawn from.
        confirm: (m, k).
        seed: of the draw of runs.

    Raises ValueError if the table stores too few runs.
    """
    num_candidates, num_fresh = checked_confirm(confirm, bench)
    scores, fidelities = np.asarray(trials.observation.score), np.asarray(trials.query.fidelity)
    classes = classes_of(bench, trials.query.arch)
    fresh, confirming = _fresh_means(trials, bench, classes, num_fresh, seed)
    prices = num_fresh * np.asarray(bench.price(trials.query.arch, -1), np.float64)
    shape = (len(scores), num_candidates)
    held, held_scores = np.full(shape, NONE_YET), np.full(shape, -np.inf)
    highest, every = np.full(len(scores), -1), np.arange(len(scores))
    numbers, costs = np.empty(scores.shape, np.int64), np.empty(scores.shape)
    for trial in range(scores.shape[1]):
        succeeded = ~np.isnan(scores[:, trial])
        higher = succeeded & (fidelities[:, trial] > highest)
        highest = np.where(higher, fidelities[:, trial], highest)
        held[higher], held_scores[higher] = NONE_YET, -np.inf
        taken = succeeded & (fidelities[:, trial] == highest)
        _insert(held, held_scores, np.where(taken, scores[:, trial], -np.inf), classes, trial)
        means = np.where(held == NONE_YET, -np.inf, fresh[every[:, None], held])
        numbers[:, trial] = held[every, means.argmax(1)]
        costs[:, trial] = np.where(held == NONE_YET, 0, prices[every[:, None], held]).sum(1)
    return Confirmed(numbers, costs, confirming)


def checked_confirm(confirm: tuple[int, int], bench: Benchmark) -> tuple[int, int]:
    """Returns (m, k) if a benchmark's table stores enough runs to confirm by. Raises ValueError otherwise."""
    num_candidates, num_fresh = (checked_size(name, size) for name, size in zip(("m", "k"), confirm, strict=True))
    table = table_of(bench)
    most = int(table.num_runs(table.protocol(bench.protocol).told).min()) - 1
    if num_fresh > most:
        raise ValueError(f"Expected k of at most {most} further runs in {bench.id}, got {num_fresh}.")
    return num_candidates, num_fresh


def told_runs(bench: Benchmark) -> np.ndarray:
    """Returns the scores of the stored runs that searches observe at the last fidelity, float64[G, S]."""
    table = table_of(bench)
    protocol = table.protocol(bench.protocol)
    return bench.metric.better * table.scores(protocol.told)[..., protocol.fidelities[-1]].astype(np.float64)


def _insert(held: np.ndarray, held_scores: np.ndarray, score: np.ndarray, classes: np.ndarray, trial: int) -> None:
    """Puts a trial of each run among the best ones, [runs, m], best first; a class is held by its best trial."""
    every = np.arange(len(held))
    same = (classes[every[:, None], held] == classes[:, [trial]]) & (held != NONE_YET)
    place = np.where(same.any(1), same.argmax(1), held.shape[1] - 1)
    better = score > held_scores[every, place]
    held[every[better], place[better]] = trial
    held_scores[every[better], place[better]] = score[better]
    order = np.argsort(-held_scores, axis=1, kind="stable")
    held[:], held_scores[:] = (np.take_along_axis(values, order, axis=1) for values in (held, held_scores))


def _fresh_means(
    trials: Trials, bench: Benchmark, classes: np.ndarray, num_fresh: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean of further runs of the architecture of each trial, float64[runs, T], and their numbers [..., k].

    The mean is -inf if all failed.

    A run of a search draws the stored runs in one random order, and skips the one that the trial observed.
    """
    table = table_of(bench)
    protocol = table.protocol(bench.protocol)
    stored, num_runs = told_runs(bench), table.num_runs(protocol.told)
    priority = np.random.default_rng(seed).random((len(classes), 1, stored.shape[1]))
    numbers = np.arange(stored.shape[1])
    barred = numbers == np.asarray(trials.observation.seed)[..., None]
    barred |= numbers >= num_runs[classes][..., None]
    order = np.where(barred, np.inf, priority).argsort(-1)[..., :num_fresh]
    found = np.take_along_axis(stored[classes], order, axis=-1)
    succeeded = np.isfinite(found)
    count = succeeded.sum(-1)
    sums = np.where(succeeded, found, 0).sum(-1)
    means = np.divide(sums, count, out=np.full(count.shape, -np.inf), where=count > 0)
    return means + _offset(bench, trials), order


def _offset(bench: Benchmark, trials: Trials) -> np.ndarray:
    """Returns the term that an objective adds to the table's scores of trials: zero without a penalty."""
    table = table_of(bench)
    protocol = table.protocol(bench.protocol)
    plain = bench.metric.better * table.means(protocol.told)[:, protocol.fidelities[-1]]
    return np.nan_to_num(bench.validation_scores(trials.query.arch) - plain[classes_of(bench, trials.query.arch)])
