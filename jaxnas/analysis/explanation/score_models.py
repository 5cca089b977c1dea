"""Scores of any architecture with their standard errors: of a table, or of a Gaussian process fitted to trials.

Explanations need scores of other architectures and the errors of weighted sums of them: differences
of two architectures of one class are zero without an error, regardless of the noise of the class.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.analysis.confirmation import told_runs
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.spaces.base import Space

NUM_SIMILAR = 101
"""Classes of similar score over which the variance of a run is averaged: of a few runs it is hardly known."""
LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
NOISES = (0.03, 0.1, 0.3, 1.0)
MOST_TRIALS = 1000


class Scored(NamedTuple):
    """Scores of the architectures of a space.

    Attributes:
        means: `archs int[n, D] -> float64[n]`, larger is better.
        errors: `(archs int[n, D], weights float[m, n]) -> float64[m]`, the standard errors of weighted sums of scores;
            NaN if unknown.
        pair_errors: `(arch int[D], others int[n, D]) -> float64[n]`, for differences of one score from others.
        exact: whether scores come from a table rather than a model.
    """

    space: Space
    means: Callable[[np.ndarray], np.ndarray]
    errors: Callable[[np.ndarray, np.ndarray], np.ndarray]
    pair_errors: Callable[[np.ndarray, np.ndarray], np.ndarray]
    exact: bool


def scored_by_table(bench: Benchmark) -> Scored:
    """Returns the validation scores of a table at the last fidelity, with the errors of means over its runs.

    If every run failed, a score is the lowest of the table. The variance of a run is averaged over the 101
    classes of nearest score. Raises ValueError if the benchmark has no table.
    """
    means, variances = _means_and_variances(bench)

    def of(archs: np.ndarray) -> np.ndarray:
        return classes_of(bench, _checked(bench.space, archs))

    def errors(archs: np.ndarray, weights: np.ndarray) -> np.ndarray:
        classes, members = np.unique(of(archs), return_inverse=True)
        summed = np.zeros((len(weights), len(classes)))
        np.add.at(summed.T, members, np.asarray(weights, np.float64).T)
        return np.sqrt(summed**2 @ variances[classes])

    def pair_errors(arch: np.ndarray, others: np.ndarray) -> np.ndarray:
        own, classes = of(arch[None])[0], of(others)
        return np.where(classes == own, 0, np.sqrt(variances[own] + variances[classes]))

    return Scored(bench.space, lambda archs: means[of(archs)], errors, pair_errors, exact=True)


def _means_and_variances(bench: Benchmark) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean score of each class, and the variance of that mean, NaN with single runs; float64[G]."""
    rows = np.asarray(table_of(bench).representatives, np.int64)[:, None]
    means = np.asarray(bench.validation_scores(rows), np.float64)
    means = np.where(np.isnan(means), np.nanmin(means), means)
    runs = told_runs(bench)
    known = np.isfinite(runs)
    counts = known.sum(1)
    center = np.where(known, runs, 0).sum(1) / np.maximum(counts, 1)
    squares = (np.where(known, runs - center[:, None], 0) ** 2).sum(1)
    order = np.argsort(means, kind="stable")
    squares, freedom = (_around(each[order]) for each in (squares, np.maximum(counts - 1, 0).astype(float)))
    variances = np.full(len(means), np.nan)
    variances[order] = np.divide(squares, freedom, out=np.full(len(means), np.nan), where=freedom > 0)
    return means, variances / np.maximum(counts, 1)


def _around(values: np.ndarray) -> np.ndarray:
    """Returns the sums of each value and those near it, half of `NUM_SIMILAR` on either side, float64[n]."""
    reach = min(NUM_SIMILAR, len(values)) // 2
    total = np.concatenate([[0.0], np.cumsum(values)])
    position = np.arange(len(values))
    return total[np.minimum(position + reach + 1, len(values))] - total[np.maximum(position - reach, 0)]


def scored_by_trials(space: Space, archs: np.ndarray, scores: np.ndarray) -> Scored:
    """Returns a Gaussian process of trials: its posterior means, and errors by its posterior covariance.

    The kernel is the one of `jn.gaussian_process`, over canonical architectures; length and noise
    maximize the marginal likelihood over a grid of 20. Scores keep their unit, the lowest twentieth
    raised to its upper end, so networks that learned nothing do not set the scale. Errors show the
    uncertainty that the trials leave if the model is right.

    Args:
        archs: of the trials, int[T, D]; the first thousand that succeeded are used.
        scores: float[T], NaN for failed trials.

    Raises ValueError on fewer than two trials that succeeded.
    """
    kept = np.flatnonzero(np.isfinite(scores))[:MOST_TRIALS]
    if len(kept) < 2:
        raise ValueError(f"Expected two trials or more that succeeded, got {len(kept)}.")
    values = np.asarray(scores, np.float64)[kept]
    values = np.maximum(values, np.quantile(values, 0.05))
    center, scale = values.mean(), values.std() or 1.0
    choices = canonical_choices(space, archs[kept])
    targets = (values - center) / scale
    length, inverse = _likeliest(choices, targets)
    weights = inverse @ targets
    prior = scale**2 * max(targets @ weights / len(targets), 1e-6)

    def means(archs: np.ndarray) -> np.ndarray:
        return center + scale * _kernel(canonical_choices(space, archs), choices, length) @ weights

    def errors(archs: np.ndarray, weights: np.ndarray) -> np.ndarray:
        asked = canonical_choices(space, archs)
        across = _kernel(asked, choices, length)
        left = np.asarray(weights, np.float64)
        known = left @ across
        variance = ((left @ _kernel(asked, asked, length)) * left).sum(1) - ((known @ inverse) * known).sum(1)
        return np.sqrt(prior * np.maximum(variance, 0))

    def pair_errors(arch: np.ndarray, others: np.ndarray) -> np.ndarray:
        own, asked = canonical_choices(space, arch[None]), canonical_choices(space, others)
        across = _kernel(asked, choices, length) - _kernel(own, choices, length)
        variance = 2 - 2 * _kernel(asked, own, length)[:, 0] - ((across @ inverse) * across).sum(1)
        return np.sqrt(prior * np.maximum(variance, 0))

    return Scored(space, means, errors, pair_errors, exact=False)


def _likeliest(choices: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns the length of the largest marginal likelihood, and the inverse of the covariance with noise."""
    best: tuple[float, float, np.ndarray] | None = None
    for length in LENGTHS:
        kernel = _kernel(choices, choices, length)
        values, vectors = np.linalg.eigh(kernel)
        projected = (vectors.T @ targets) ** 2
        for noise in NOISES:
            spectrum = np.maximum(values, 0) + noise
            misfit = (len(targets) * np.log(max((projected / spectrum).sum(), 1e-12)) + np.log(spectrum).sum()) / 2
            if best is None or misfit < best[0]:
                best = misfit, length, (vectors / spectrum) @ vectors.T
    assert best is not None
    return best[1:]


def _kernel(one: np.ndarray, other: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-(one[:, None] != other).mean(-1) / length)


def canonical_choices(space: Space, archs: np.ndarray) -> np.ndarray:
    """Returns architectures [n, D] as the choices of their classes' representatives, int[n, E]."""
    return np.asarray(_canonical(space)(_checked(space, archs)))


@functools.lru_cache(maxsize=8)
def _canonical(space: Space) -> Callable[[np.ndarray], jax.Array]:
    return jax.jit(jax.vmap(lambda arch: space.choices(space.canonical(arch))))


def _checked(space: Space, archs: np.ndarray) -> np.ndarray:
    found = np.asarray(archs)
    if found.ndim != 2 or found.shape[1] != len(space.decisions) or found.dtype.kind not in "iu":
        expected = f"[n, {len(space.decisions)}]"
        raise ValueError(f"Expected architectures {expected} of {space.name}, got {found.dtype}{list(found.shape)}.")
    return found
