"""Fronts of two objectives: a score that is to be large and a size that is to be small."""

import numpy as np

from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.simulation.trials import Trials


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
    """Returns the IGD+ of points: the mean distance of the front's points to the nearest point, where that is worse.

    Both objectives are measured in the front's own range. Infinite without points. Ishibuchi, Masuda, Tanigaki and
    Nojima, "Modified Distance Calculation in Generational Distance and Inverted Generational Distance", EMO 2015.
    """
    if not len(scores):
        return float("inf")
    score_range, size_range = (max(float(np.ptp(values)), 1e-12) for values in (front_scores, front_sizes))
    lower = np.maximum(np.asarray(front_scores)[:, None] - np.asarray(scores)[None], 0) / score_range
    larger = np.maximum(np.asarray(sizes)[None] - np.asarray(front_sizes)[:, None], 0) / size_range
    return float(np.hypot(lower, larger).min(1).mean())


def true_front(bench: Benchmark, size: str) -> np.ndarray:
    """Returns the rows of the architectures on the front of held-out score and size, int64[n], small ones first.

    For reports only. Raises ValueError where no table holds the scores.
    """
    rows = np.unique(table_of(bench).representatives)
    scores, sizes = bench.held_out.scores(rows[:, None]), bench.sizes(size, rows[:, None])
    front = rows[on_front(scores, sizes)]
    return front[np.argsort(bench.sizes(size, front[:, None]))]


def front_quality(trials: Trials, bench: Benchmark, size: str, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the relative hypervolume and the IGD+ of what each run had found, both float[runs, B].

    A run's front is chosen by the scores that it was told (at the highest fidelity reached) and valued by held-out
    scores. The hypervolume is relative to that of the true front; its reference point is the worst held-out score and
    the largest size of the benchmark.

    Args:
        size: one of the benchmark's `size_names`.
        points: numbers of trials [B] after which to measure.
    """
    front = true_front(bench, size)[:, None]
    everything = np.arange(bench.space.num_architectures)[:, None]
    reference = (float(np.nanmin(bench.held_out.scores(everything))), float(bench.sizes(size, everything).max()))
    front_scores, front_sizes = bench.held_out.scores(front), bench.sizes(size, front)
    whole = hypervolume(front_scores, front_sizes, *reference)
    told, fidelities = np.asarray(trials.observation.score), np.asarray(trials.query.fidelity)
    archs = np.asarray(trials.query.arch)
    scores, sizes = bench.held_out.scores(archs), bench.sizes(size, archs)
    volumes, distances = np.empty((2, len(told), len(points)))
    for run in range(len(told)):
        for column, point in enumerate(points):
            seen = fidelities[run, :point] == fidelities[run, :point].max()
            chosen = np.flatnonzero(seen)[on_front(told[run, :point][seen], sizes[run, :point][seen])]
            found = scores[run, chosen], sizes[run, chosen]
            volumes[run, column] = hypervolume(*found, *reference) / whole
            distances[run, column] = distance_to_front(*found, front_scores, front_sizes)
    return volumes, distances
