"""Comparisons by two objectives: the part `fronts` of `summary.json`, and what tests are of."""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import fronts
from jaxnas.analysis.incumbent import trial_scores
from jaxnas.analysis.statistics import mean_interval
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials

NUM_POINTS = 24


class Fronts(NamedTuple):
    """What runs of strategies had found of a front.

    Attributes:
        summary: the part `fronts` of `summary.json`.
        points: numbers of trials after which fronts were measured, int[B].
        missing: of each strategy the share of the true front's hypervolume that runs lack, float[runs, B].
        distances: of each strategy the IGD+, float[runs, B].
        missing_at_cost: the missing share after the trials that an equal cost pays for, float[runs]; None without.
    """

    summary: dict[str, Any]
    points: np.ndarray
    missing: dict[str, np.ndarray]
    distances: dict[str, np.ndarray]
    missing_at_cost: dict[str, np.ndarray] | None


def summarize_fronts(
    trials: dict[str, Trials],
    bench: Benchmark,
    size: str,
    *,
    log: bool = False,
    optimum_from: str = "crossfit",
    paid: dict[str, np.ndarray] | None = None,
) -> Fronts:
    """Returns the numbers of a comparison by two objectives, score and size.

    The part for `summary.json` has `size` and `log_size`; `points`, numbers of trials after which fronts were measured;
    `true`, the front of the benchmark, pairs (size, mean test score); `reference`, the reference point of hypervolumes,
    its size and score, and `margin`, how far it is beyond the nadir of the true front. For each strategy:
    `hypervolume_mean` relative to the true front's with its 95 % interval, and `distance_mean`, the IGD+, at the
    points; `front`: that of the run with the median hypervolume; `attainment`: see `fronts.attainment`.

    Args:
        size, log, optimum_from: as of `fronts.front_quality`.
        paid: how many trials of each run an equal cost pays for, int[runs], by strategy.
    """
    num_trials = next(iter(trials.values())).observation.score.shape[1]
    points = np.unique(np.geomspace(1, num_trials, NUM_POINTS).round().astype(int))
    missing, distances, at_cost, strategies = {}, {}, {}, {}
    for name, each in trials.items():
        counts = np.broadcast_to(points, (len(each.observation.score), len(points)))
        if paid is not None:
            counts = np.concatenate([counts, paid[name][:, None]], axis=1)
        volumes, found = fronts.front_quality(each, bench, size, counts, log=log, optimum_from=optimum_from)
        at_cost[name] = 1 - volumes[:, -1]
        volumes, distances[name] = volumes[:, : len(points)], found[:, : len(points)]
        missing[name] = 1 - volumes
        strategies[name] = _summarize_one(each, bench, size, optimum_from, volumes, distances[name])
    true = fronts.true_front(bench, size)[:, None]
    scale = fronts.scale_of(bench, size, log=log)
    score, largest = scale.reference_point()
    summary = {
        "size": size,
        "log_size": log,
        "reference": {"size": largest, "score": score, "margin": fronts.MARGIN},
        "points": points.tolist(),
        "true": np.stack([bench.sizes(size, true), bench.held_out.scores(true)], axis=1).tolist(),
        "strategies": strategies,
    }
    return Fronts(summary, points, missing, distances, None if paid is None else at_cost)


def _summarize_one(
    trials: Trials, bench: Benchmark, size: str, optimum_from: str, volumes: np.ndarray, distances: np.ndarray
) -> dict[str, Any]:
    low, high = mean_interval(volumes)
    scores, sizes = trial_scores(trials, bench, optimum_from), bench.sizes(size, trials.query.arch)
    every = np.full(len(scores), scores.shape[1])
    found = [(scores[run, at], sizes[run, at]) for run, at in enumerate(fronts.found_fronts(trials, sizes, every))]
    median = found[np.argsort(volumes[:, -1])[len(volumes) // 2]]
    return {
        "hypervolume_mean": volumes.mean(0).tolist(),
        "hypervolume_ci_low": low.tolist(),
        "hypervolume_ci_high": high.tolist(),
        "distance_mean": distances.mean(0).tolist(),
        "front": np.stack(median[::-1], axis=1).tolist(),
        "attainment": fronts.attainment(found),
    }


def over_trials(values: np.ndarray, points: np.ndarray, num_trials: int) -> np.ndarray:
    """Returns values [B] after some numbers of trials for each trial, float[T]: the last one measured."""
    return values[np.searchsorted(points, np.arange(1, num_trials + 1), "right") - 1]
