"""Fronts of two objectives: a score that is to be large and a size that is to be small."""

import functools
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis.incumbent import trial_scores
from jaxnas.analysis.statistics import mean_interval
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.simulation.trials import Trials

MARGIN = 0.1  # of the reference point of hypervolumes beyond the nadir, in ranges of the true front
SHARES = (0.25, 0.5, 0.75)
MOST_STEPS = 200
NUM_POINTS = 24


def on_front(scores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns which points no other one dominates, bool[n]; NaN scores never, and one of equal points only."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    order = np.lexsort((-scores, sizes))  # from small to large, the best of equal sizes first
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(scores[order])[:-1]])
    front = np.zeros(len(scores), bool)
    front[order] = scores[order] > best_before
    return front


def hypervolume(scores: np.ndarray, sizes: np.ndarray, worst_score: float, largest_size: float) -> float:
    """Returns the area that points dominate, down to a worst score and up to a largest size.

    Zitzler and Thiele, "Multiobjective Evolutionary Algorithms: A Comparative Case Study and the Strength Pareto
    Approach", IEEE Transactions on Evolutionary Computation, 1999.
    """
    scores, sizes = np.asarray(scores, np.float64), np.asarray(sizes, np.float64)
    inside = (scores > worst_score) & (sizes < largest_size)
    scores, sizes = scores[inside], sizes[inside]
    front = on_front(scores, sizes)
    order = np.argsort(sizes[front])
    scores, sizes = scores[front][order], sizes[front][order]
    widths = np.diff(np.append(sizes, largest_size))
    return float((widths * (scores - worst_score)).sum())


def distance_to_front(
    scores: np.ndarray, sizes: np.ndarray, front_scores: np.ndarray, front_sizes: np.ndarray
) -> float:
    """Returns the IGD+ of points: the front's mean distance to the nearest point, in worse objectives only.

    Both objectives are measured in the front's own range. Infinite without points. Ishibuchi, Masuda, Tanigaki and
    Nojima, "Modified Distance Calculation in Generational Distance and Inverted Generational Distance", EMO 2015.
    """
    if not len(scores):
        return float("inf")
    score_range, size_range = (max(float(np.ptp(values)), 1e-12) for values in (front_scores, front_sizes))
    lower = np.maximum(np.asarray(front_scores)[:, None] - np.asarray(scores)[None], 0) / score_range
    larger = np.maximum(np.asarray(sizes)[None] - np.asarray(front_sizes)[:, None], 0) / size_range
    return float(np.hypot(lower, larger).min(1).mean())


class Scale(NamedTuple):
    """How score and size are measured on one scale: 0 at the best of the true front, 1 at its worst (the nadir)."""

    best_score: float
    score_range: float
    smallest_size: float
    size_range: float
    log: bool

    def losses(self, scores: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns scores and sizes on the scale, both smaller-is-better."""
        measured = np.log(sizes) if self.log else np.asarray(sizes, np.float64)
        return (self.best_score - scores) / self.score_range, (measured - self.smallest_size) / self.size_range

    def hypervolume(self, scores: np.ndarray, sizes: np.ndarray) -> float:
        """Returns the area that points dominate, up to the reference point, `MARGIN` beyond the nadir on both axes."""
        score_losses, size_losses = self.losses(scores, sizes)
        return hypervolume(-score_losses, size_losses, -1 - MARGIN, 1 + MARGIN)

    def distance(self, scores: np.ndarray, sizes: np.ndarray, front: tuple[np.ndarray, np.ndarray]) -> float:
        """Returns the IGD+ of points to a front on the scale; no points are as far as the reference point."""
        (scores, sizes), (front_scores, front_sizes) = self.losses(scores, sizes), self.losses(*front)
        if not len(scores):
            scores = sizes = np.asarray([1 + MARGIN])
        return distance_to_front(-scores, sizes, -front_scores, front_sizes)

    def reference_point(self) -> tuple[float, float]:
        """Returns the score and the size of the reference point."""
        size = self.smallest_size + (1 + MARGIN) * self.size_range
        return self.best_score - (1 + MARGIN) * self.score_range, float(np.exp(size)) if self.log else size


def true_front(bench: Benchmark, size: str) -> np.ndarray:
    """Returns the rows of the architectures on the front of held-out score and size, int64[n], small ones first.

    Scores are means over all runs. For reports only. Raises ValueError if no table holds the scores.
    """
    rows = np.unique(table_of(bench).representatives)
    scores, sizes = bench.held_out.scores(rows[:, None]), bench.sizes(size, rows[:, None])
    front = rows[on_front(scores, sizes)]
    return front[np.argsort(bench.sizes(size, front[:, None]))]


def scale_of(bench: Benchmark, size: str, *, log: bool = False) -> Scale:
    """Returns the scale of a benchmark's true front; with `log` sizes are measured by their logarithm.

    If the front is one point, a range is taken over all architectures. Raises ValueError on a
    logarithm of a size of 0 or less.
    """
    front, every = true_front(bench, size)[:, None], np.asarray(table_of(bench).representatives)[:, None]
    scores, sizes = (
        np.asarray(of(front), np.float64) for of in (bench.held_out.scores, functools.partial(bench.sizes, size))
    )
    all_scores, all_sizes = bench.held_out.scores(every), np.asarray(bench.sizes(size, every), np.float64)
    if log:
        if all_sizes.min() <= 0:
            raise ValueError(f"Expected sizes above 0 for log-{size} in {bench.id}, got {all_sizes.min():g}.")
        sizes, all_sizes = np.log(sizes), np.log(all_sizes)
    ranges = [float(np.ptp(of_front) or np.ptp(all_of)) or 1.0
              for of_front, all_of in ((scores, all_scores[np.isfinite(all_scores)]), (sizes, all_sizes))]  # fmt: skip
    return Scale(float(scores.max()), ranges[0], float(sizes.min()), ranges[1], log)


def found_fronts(trials: Trials, sizes: np.ndarray, num_trials: np.ndarray) -> list[np.ndarray]:
    """Returns the trials on the front of each run after a number of trials [runs], as numbers, small sizes first.

    A run's front is chosen by the validation scores that it observed, at the highest fidelity reached.
    """
    told, fidelities = np.asarray(trials.observation.score), np.asarray(trials.query.fidelity)
    found = []
    for scores, fidelity, size, stop in zip(told, fidelities, sizes, num_trials, strict=True):
        succeeded = np.flatnonzero(~np.isnan(scores[:stop]))
        reached = succeeded[fidelity[succeeded] == fidelity[succeeded].max(initial=0)]
        chosen = reached[on_front(scores[reached], size[reached])]
        found.append(chosen[np.argsort(size[chosen], kind="stable")])
    return found


def front_quality(
    trials: Trials,
    bench: Benchmark,
    size: str,
    points: np.ndarray,
    *,
    log: bool = False,
    optimum_from: str = "crossfit",
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the relative hypervolume and the IGD+ of the front that each run had found, both float[runs, B].

    A run's front is chosen by the validation scores that it observed (at the highest fidelity reached) and
    valued by held-out scores, as incumbents are. Both axes are scaled by the range of the true front, so
    covering the front is rewarded; the hypervolume is relative to the hypervolume of the true front.

    Args:
        size: one of the benchmark's `size_names`.
        points: numbers of trials after which to measure, [B], or [runs, B].
        log: whether sizes are measured by their logarithm.
        optimum_from: of held-out scores, as of `jn.regret`.
    """
    scale, front = scale_of(bench, size, log=log), true_front(bench, size)[:, None]
    true = bench.held_out.scores(front), bench.sizes(size, front)
    whole = scale.hypervolume(*true)
    scores, sizes = trial_scores(trials, bench, optimum_from), bench.sizes(size, trials.query.arch)
    points = np.broadcast_to(points, (len(scores), np.shape(points)[-1]))
    volumes, distances = np.empty((2, *points.shape))
    for column in range(points.shape[1]):
        for run, chosen in enumerate(found_fronts(trials, sizes, points[:, column])):
            found = scores[run, chosen], sizes[run, chosen]
            volumes[run, column] = scale.hypervolume(*found) / whole
            distances[run, column] = scale.distance(*found, true)
    return volumes, distances


def attainment(found: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, list[list[float]]]:
    """Returns the surfaces that shares of the runs attain, by share: steps (size, score), small sizes first.

    At each size it is the score that this share of the runs had reached with no larger
    architecture. Fonseca and Fleming, "On the Performance Assessment and Comparison of Stochastic
    Multiobjective Optimizers", PPSN 1996; Lopez-Ibanez, Paquete and Stutzle, "Exploratory Analysis
    of Stochastic Local Search Algorithms in Biobjective Optimization", 2010. `found` are the scores
    and the sizes of the front of each run, by ascending size.
    """
    grid = np.unique(np.concatenate([sizes for _, sizes in found]))
    if len(grid) > MOST_STEPS:
        grid = grid[np.unique(np.linspace(0, len(grid) - 1, MOST_STEPS).round().astype(int))]
    reached = np.full((len(found), len(grid)), -np.inf)
    for row, (scores, sizes) in zip(reached, found, strict=True):
        so_far = np.concatenate([[-np.inf], np.maximum.accumulate(scores)])
        row[:] = so_far[np.searchsorted(sizes, grid, "right")]
    descending = -np.sort(-reached, axis=0)
    surfaces = {}
    for share in SHARES:
        attained = descending[int(np.ceil(share * len(found))) - 1]
        steps = attained > np.concatenate([[-np.inf], np.maximum.accumulate(attained)[:-1]])
        surfaces[str(share)] = np.stack([grid[steps], attained[steps]], axis=1).tolist()
    return surfaces


class Fronts(NamedTuple):
    """The fronts that runs of strategies had found.

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

    The part for `summary.json` has `size` with its `unit` and `log_size`; `points`, numbers of trials after which
    fronts were measured; `true`, the front of the benchmark, pairs (size, mean test score);
    `reference`, the reference point of hypervolumes, its size and score, and `margin`, how far it
    is beyond the nadir of the true front. For each strategy: `hypervolume_mean` relative to the
    true front's with its 95 % interval, and `distance_mean`, the IGD+, at the points; `front`: that
    of the run with the median hypervolume; `attainment`: see `attainment`.

    Args:
        size, log, optimum_from: as of `front_quality`.
        paid: how many trials of each run an equal cost pays for, int[runs], by strategy.
    """
    num_trials = next(iter(trials.values())).observation.score.shape[1]
    points = np.unique(np.geomspace(1, num_trials, NUM_POINTS).round().astype(int))
    missing, distances, at_cost, strategies = {}, {}, {}, {}
    for name, each in trials.items():
        counts = np.broadcast_to(points, (len(each.observation.score), len(points)))
        if paid is not None:
            counts = np.concatenate([counts, paid[name][:, None]], axis=1)
        volumes, found = front_quality(each, bench, size, counts, log=log, optimum_from=optimum_from)
        at_cost[name] = 1 - volumes[:, -1]
        volumes, distances[name] = volumes[:, : len(points)], found[:, : len(points)]
        missing[name] = 1 - volumes
        strategies[name] = _summarize_one(each, bench, size, optimum_from, volumes, distances[name])
    true = true_front(bench, size)[:, None]
    scale = scale_of(bench, size, log=log)
    score, largest = scale.reference_point()
    summary = {
        "size": size,
        "unit": table_of(bench).size_unit(size),
        "log_size": log,
        "reference": {"size": largest, "score": score, "margin": MARGIN},
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
    found = [(scores[run, at], sizes[run, at]) for run, at in enumerate(found_fronts(trials, sizes, every))]
    median = found[np.argsort(volumes[:, -1])[len(volumes) // 2]]
    return {
        "hypervolume_mean": volumes.mean(0).tolist(),
        "hypervolume_ci_low": low.tolist(),
        "hypervolume_ci_high": high.tolist(),
        "distance_mean": distances.mean(0).tolist(),
        "front": np.stack(median[::-1], axis=1).tolist(),
        "attainment": attainment(found),
    }


def over_trials(values: np.ndarray, points: np.ndarray, num_trials: int) -> np.ndarray:
    """Returns values [B] after some numbers of trials for each trial, float[T]: the last one measured."""
    return values[np.searchsorted(points, np.arange(1, num_trials + 1), "right") - 1]
