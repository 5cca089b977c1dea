"""The landscape of a complete table, exactly: optima and their basins, distances, walks, effects of decisions, noise.

Architectures (not classes) are scored by mean validation score at the last
fidelity, with the neighborhood of the space, taken to be symmetric. Members of one class have equal
scores, so there are plateaus: a plateau is a set of equal architectures that neighbors connect, and
a local optimum is a plateau with no better neighbor (Verel, Ochoa and Tomassini, "Local Optima
Networks of NK Landscapes With Neutrality", IEEE Transactions on Evolutionary Computation, 2011). On
landscapes of architectures see Ochoa and Veerapen, "Neural Architecture Search: A Visual Analysis",
PPSN 2022, and Tao and Bang, "Fitness Landscape Analysis of a Cell-Based Neural Architecture Search
Space", SciTePress, 2024.
"""

import copy
import functools
import itertools
import math
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.analysis.statistics import finite
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.benchmarks.tabular import TableBenchmark, classes_of
from jaxnas.ranks import spearman
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities, num_combinations, radix_weights
from jaxnas.spaces.enumerated import neighbor_table
from jaxnas.tables.reliability import reliability, top_reliability, variance_components
from jaxnas.tables.table import Table

NUM_BINS = 100
NUM_LAGS = 20
MOST_SHOWN = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def landscape(source: Table | Benchmark) -> dict:
    """Returns the landscape of a complete table as a dictionary of JSON values, the key `landscape` of `summary.json`.

    An architecture of which every seed failed has the lowest score of all. Parts that a table does not allow are
    None (no noise with one seed, no correlation with a constant) or missing (`effects` if not every combination of
    decisions is an architecture).

    Args:
        source: a `Table` of a space in the catalog, or a benchmark with a table; scores are the
            benchmark's, less a weighted size if it is penalized.

    Keys: `num_architectures`, `num_classes`, `split`, `fidelity`; `scores`: distribution on validation and test;
    `optima`: see `summits`, the best of them with the share of architectures whose ascent ends there, and
    `num_without_better_neighbor`, the number of architectures without one; `fitness_distance`: the mean score at each
    distance to the nearest global optimum, and Pearson's correlation of the two, -1 if distance alone leads there
    (Jones and Forrest, ICGA 1995); `autocorrelation`: see `walk_autocorrelation`, the length is Weinberger's;
    `neutrality`: shares of the pairs of neighbors that are of one class, and whose means differ by no more than a
    standard error of a mean over the seeds; `effects`: see `variance_shares`; `noise`: standard deviations of seeds
    and of classes, the intraclass correlation of one seed, and the reliability of the mean over the seeds among all
    classes and the best 5 %; `fidelities`, `sizes`: rank correlations (Spearman) over architectures with the mean
    score.

    Raises ValueError if the table is not complete, or the benchmark has none.
    """
    return copy.deepcopy(_kept(source) if isinstance(source, Hashable) else _landscape(source))


@functools.lru_cache(maxsize=1)
def _kept(source: Any) -> dict[str, Any]:
    return _landscape(source)


def _landscape(source: Table | Benchmark) -> dict[str, Any]:
    bench = TableBenchmark(source) if isinstance(source, Table) else source
    class_of = classes_of(bench, np.arange(bench.space.num_architectures)[:, None])
    told = mean_scores(bench)[class_of]
    held_out = _lowest_where_failed(bench.held_out.scores(_representatives(bench)), bench)
    final = {"validation": told[:, -1], "test": held_out[class_of]}
    neighbors, degrees = neighbor_table(bench.space)
    neighbors = np.concatenate([neighbors, np.arange(len(neighbors))[:, None]], axis=1)  # and then their own rows
    noise, standard_error = _noise(bench)
    found = {
        "num_architectures": len(class_of),
        "num_classes": len(table_of(bench).representatives),
        "split": "validation",
        "fidelity": bench.fidelities[-1],
        "scores": {split: _distribution(values) for split, values in final.items()},
        "optima": _optima(bench.space, final, neighbors),
        "fitness_distance": _fitness_distance(final["validation"], neighbors),
        "autocorrelation": _autocorrelation(final["validation"], neighbors, degrees),
        "neutrality": _neutrality(class_of, final["validation"], neighbors, degrees, standard_error),
        "noise": noise,
        "fidelities": {
            "values": list(bench.fidelities),
            "spearman_with_last": [spearman(values, final["validation"]) for values in told.T],
        },
        "sizes": _sizes(bench, final["validation"]),
    }
    if num_combinations(bench.space.decisions) == len(class_of):
        found["effects"] = _effects(bench.space, final["validation"])
    return found


def mean_scores(bench: Benchmark) -> np.ndarray:
    """Returns the mean score that queries answer of each class at each fidelity, float64[G, F].

    Means are over the runs that did not fail, rounded as those that regrets rank by. If all failed it is the lowest
    of the fidelity.
    """
    archs = _representatives(bench)
    means = [bench.validation_scores(archs, fidelity) for fidelity in range(len(bench.fidelities))]
    return _lowest_where_failed(np.stack(means, axis=1), bench)


def _representatives(bench: Benchmark) -> np.ndarray:
    return np.asarray(table_of(bench).representatives, np.int64)[:, None]


def _lowest_where_failed(means: np.ndarray, bench: Benchmark) -> np.ndarray:
    if np.isnan(means).all(axis=0).any():
        raise ValueError(f"Expected trainings of {bench.id} that did not fail at every fidelity, got none.")
    return np.where(np.isnan(means), np.nanmin(means, axis=0), means).astype(np.float64)


def summits(scores: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
    """Returns the local optimum that ascent ends in from each architecture, int64[A], by its smallest row.

    Ascent moves to the best neighbor (the first of equal ones) if it is better, or else by the best way
    out of the plateau that the architecture is on. Its own row may be among its neighbors [A, K].
    """
    best = np.take_along_axis(neighbors, scores[neighbors].argmax(axis=1)[:, None], axis=1)[:, 0]
    plateaus = _plateaus(scores, neighbors)
    ends = np.where(scores[best] > scores, best, _ways_out(scores, best, plateaus)[plateaus])
    while (ends[ends] != ends).any():
        ends = ends[ends]
    return ends


def _ways_out(scores: np.ndarray, best: np.ndarray, plateaus: np.ndarray) -> np.ndarray:
    """Returns the architecture that ascent goes to from each plateau, int[P].

    It is the best neighbor, `best` [A], of any member if better than the plateau, or else the
    member with the smallest row.
    """
    _, smallest = np.unique(plateaus, return_index=True)
    from_best_down = np.lexsort((-scores[best], plateaus))  # plateau after plateau
    _, first = np.unique(plateaus[from_best_down], return_index=True)
    way_out = best[from_best_down[first]]
    return np.where(scores[way_out] > scores[smallest], way_out, smallest)


def _plateaus(scores: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
    """Returns the number of the plateau that each architecture is on, int[A]."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = np.nonzero(scores[neighbors] == scores[:, None])
    ties = coo_array((np.ones(len(rows), np.int8), (rows, neighbors[rows, columns])), shape=(len(scores),) * 2)
    return connected_components(ties, directed=False)[1]


def distances(neighbors: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Returns the number of moves between each architecture and the nearest goal, int[A], -1 if there is no way.

    `goals` are rows.
    """
    found = np.full(len(neighbors), -1)
    frontier, distance = np.asarray(goals), 0
    while len(frontier):
        found[frontier] = distance
        distance += 1
        reached = np.unique(neighbors[frontier])
        frontier = reached[found[reached] < 0]
    return found


def walk_autocorrelation(scores: np.ndarray, neighbors: np.ndarray, degrees: np.ndarray, num_lags: int) -> np.ndarray:
    """Returns the autocorrelation of scores along random walks at lags 0 to `num_lags`, NaN for constant scores.

    It is exact, the expectation over all walks that start in the stationary distribution, in which an architecture
    weighs as many as it has neighbors: the first `degrees` [A] of a row [A, K]. Weinberger, "Correlated and
    Uncorrelated Fitness Landscapes and How to Tell the Difference", Biological Cybernetics, 1990.
    """
    from scipy.sparse import csr_array

    if not degrees.any():
        return np.full(num_lags + 1, np.nan)
    size, width = neighbors.shape
    weights = _is_neighbor(neighbors, degrees) / np.maximum(degrees, 1)[:, None]
    step = csr_array((weights.reshape(-1), neighbors.reshape(-1), np.arange(size + 1) * width), shape=(size, size))
    stationary = degrees / degrees.sum()
    start = scores - stationary @ scores
    ahead, covariances = start, []
    for _ in range(num_lags + 1):
        covariances.append(stationary @ (start * ahead))
        ahead = step @ ahead
    with np.errstate(invalid="ignore"):
        return np.asarray(covariances) / covariances[0]


def _is_neighbor(neighbors: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    return np.arange(neighbors.shape[1]) < degrees[:, None]


def variance_shares(grid: np.ndarray) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
    """Returns the main effect of each axis and the interaction of each pair of axes, as deviations from the mean.

    The share of an effect in the variance is its mean square over the variance of the grid. Functional analysis of
    variance, exact because the grid holds every combination: Hutter, Hoos and Leyton-Brown, "An Efficient Approach for
    Assessing Hyperparameter Importance", ICML 2014; Sobol, 1993.
    """
    axes = range(grid.ndim)
    mean = grid.mean()

    def mean_over_others(*kept: int) -> np.ndarray:
        return grid.mean(axis=tuple(axis for axis in axes if axis not in kept))

    main = [mean_over_others(axis) - mean for axis in axes]
    pairs = {
        (first, second): mean_over_others(first, second) - main[first][:, None] - main[second] - mean
        for first, second in itertools.combinations(axes, 2)
    }
    return main, pairs


def _distribution(scores: np.ndarray) -> dict:
    counts, edges = np.histogram(scores, NUM_BINS)
    quantiles = {str(share): float(np.quantile(scores, share)) for share in QUANTILES}
    return {"edges": edges.tolist(), "counts": counts.tolist(), "quantiles": quantiles}


def _optima(space: Space, final: dict[str, np.ndarray], neighbors: np.ndarray) -> dict:
    validation = final["validation"]
    ends = summits(validation, neighbors)
    without_better = (validation[neighbors] <= validation[:, None]).all(axis=1)
    optima, sizes = np.unique(ends, return_counts=True)
    order = np.argsort(-validation[optima], kind="stable")
    shown = optima[order][:MOST_SHOWN]
    archs = np.asarray(jax.jit(space.arch_at)(jnp.asarray(shown, jnp.int32)))  # one program for all
    best = [
        {
            "architecture": space.to_str(arch),
            "row": int(row),
            "validation": float(validation[row]),
            "test": float(final["test"][row]),
            "basin_share": float(size / len(ends)),
        }
        for arch, row, size in zip(archs, shown, sizes[order], strict=False)
    ]
    in_global = validation[ends] == validation.max()
    return {
        "num_local": len(optima),
        "num_without_better_neighbor": int(without_better.sum()),
        "num_global_found_by": float(in_global.mean()),
        "best": best,
    }


def _fitness_distance(scores: np.ndarray, neighbors: np.ndarray) -> dict:
    found = distances(neighbors, np.flatnonzero(scores == scores.max()))
    reached = found >= 0
    counts = np.bincount(found[reached])
    means = np.bincount(found[reached], weights=scores[reached]) / counts
    varies = len(counts) > 1 and np.ptp(scores[reached]) > 0
    return {
        "correlation": float(np.corrcoef(found[reached], scores[reached])[0, 1]) if varies else None,
        "distances": list(range(len(counts))),
        "means": means.tolist(),
        "counts": counts.tolist(),
    }


def _autocorrelation(scores: np.ndarray, neighbors: np.ndarray, degrees: np.ndarray) -> dict:
    values = [finite(value) for value in walk_autocorrelation(scores, neighbors, degrees, NUM_LAGS)]
    first = values[1]
    length = -1 / math.log(first) if first is not None and 0 < first < 1 else None
    return {"lags": list(range(len(values))), "values": values, "correlation_length": length}


def _neutrality(
    class_of: np.ndarray,
    scores: np.ndarray,
    neighbors: np.ndarray,
    degrees: np.ndarray,
    standard_error: float | None,
) -> dict:
    pairs = _is_neighbor(neighbors, degrees)
    equal = class_of[neighbors] == class_of[:, None]
    near = None if standard_error is None else np.abs(scores[neighbors] - scores[:, None]) <= standard_error
    shares = {"share_equal_class": equal, "share_within_noise": near}
    if not pairs.any():
        return dict.fromkeys(shares)
    return {name: None if where is None else float(where[pairs].mean()) for name, where in shares.items()}


def _effects(space: Space, scores: np.ndarray) -> dict:
    archs = np.asarray(jax.jit(space.arch_at)(jnp.arange(len(scores))))
    grid = np.empty(len(scores))
    grid[archs @ radix_weights(space.decisions)] = scores
    main, pairs = variance_shares(grid.reshape(cardinalities(space.decisions)))
    variance = scores.var()

    def share(effect: np.ndarray) -> float:
        return float(np.square(effect).mean() / variance) if variance else 0.0

    names = [decision.name for decision in space.decisions]
    decisions: list[dict[str, Any]] = [
        {
            "name": decision.name,
            "share": share(effect),
            "values": [
                {"value": str(value), "mean": float(mean)} for value, mean in zip(decision.values, effect, strict=True)
            ],
        }
        for decision, effect in zip(space.decisions, main, strict=True)
    ]
    interactions: list[dict[str, Any]] = [
        {"first": names[first], "second": names[second], "share": share(effect)}
        for (first, second), effect in pairs.items()
    ]
    explained = sum(each["share"] for each in (*decisions, *interactions))
    return {
        "decisions": decisions,
        "interactions": sorted(interactions, key=lambda each: -each["share"]),
        "higher_order_share": max(1 - explained, 0.0) if variance else 0.0,
    }


def _noise(bench: Benchmark) -> tuple[dict | None, float | None]:
    """Returns the part `noise`, and the standard error of a mean over the seeds; None with one seed."""
    table = table_of(bench)
    told = table.protocol(bench.protocol)
    runs = table.scores(told.told)[:, :, told.fidelities[-1]].astype(np.float64)
    complete = np.isfinite(runs).all(axis=1)
    runs, means = runs[complete], bench.validation_scores(_representatives(bench)[complete])
    if runs.shape[1] < 2 or len(runs) < 2:
        return None, None
    scores = runs - runs.mean(axis=1, keepdims=True) + means[:, None]  # as the benchmark has them, less any penalty
    between, within = variance_components(scores)
    noise = {
        "seed_std": math.sqrt(within),
        "architecture_std": math.sqrt(between),
        "intraclass_correlation": reliability(scores),
        "reliability_of_mean": reliability(scores, scores.shape[1]),
        "reliability_of_mean_in_top": top_reliability(scores),
    }
    return noise, math.sqrt(within / scores.shape[1])


def _sizes(bench: Benchmark, scores: np.ndarray) -> dict:
    rows = np.arange(bench.space.num_architectures)[:, None]
    found = {name: spearman(bench.sizes(name, rows), scores) for name in bench.size_names}
    return dict.fromkeys(("parameters", "flops")) | found
