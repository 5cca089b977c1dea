"""The largest expected score among many architectures, estimated from a few noisy runs of each.

The largest of many noisy means is a lucky one, above the largest expected score. Cross-fitting chooses by some of
the runs and values the choice by the others. Its estimate is below, since the choice is not always the best. No
estimator is free of bias for all distributions: van Hasselt, "Estimating the Maximum Expected Value: An Analysis of
(Nested) Cross Validation and the Maximum Sample Average", 2013. Here the shortfall of cross-fitting is measured on
tables drawn like the given one, and added (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 10).
Their expected scores are drawn given the means by empirical Bayes (Kiefer and Wolfowitz, Annals of Mathematical
Statistics, 1956; Jiang and Zhang, Annals of Statistics, 2009), their runs with the residuals of architectures of
similar score. `experiments/validity/regret_truth.py` measures the bias that is left.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

NUM_BEST = 1  # architectures that are chosen and valued together: more have a smaller error, but a bias
NUM_REDRAWN = 400
MOST_ARCHITECTURES = 20_000  # the best of larger tables
_WIDTH = 12  # how far below the largest mean an expected score matters, in standard errors of a mean
_GRID_SIZE = 200
_NUM_BINS = 400
_NUM_ITERATIONS = 200  # of the EM algorithm; more would follow the noise of the means
_PER_LEVEL = 80  # architectures that one standard deviation is estimated from
_NUM_NEIGHBORS = 100  # architectures of similar score whose residuals are drawn


class Best(NamedTuple):
    """An estimate of the largest expected score, and its standard error."""

    value: float
    standard_error: float


def crossfit(runs: np.ndarray, *, num_redrawn: int = NUM_REDRAWN) -> Best:
    """Returns the estimated largest expected score of architectures, from the scores of their runs, float[G, S].

    NaN if a run failed or is missing. Raises ValueError if no architecture has two runs.
    """
    runs = np.asarray(runs, np.float64)
    runs = runs[np.isfinite(runs).sum(1) > 1]
    if not len(runs):
        raise ValueError("Expected two runs of some architecture to estimate the best one by, got none.")
    runs = runs[np.argsort(np.nanmean(runs, axis=1), kind="stable")[-MOST_ARCHITECTURES:]]
    means, errors = np.nanmean(runs, axis=1), _standard_errors(runs)
    if not errors[-1]:
        return Best(float(means[-1]), 0.0)
    near = means >= means[-1] - _WIDTH * errors[-1]
    runs, means, errors = runs[near], means[near], errors[near]
    draw_expected = _distribution(means, errors)
    residuals = (runs - means[:, None]) * _correction(runs)
    random = np.random.default_rng(0)
    shortfalls = np.empty(num_redrawn)
    for number in range(num_redrawn):
        expected = draw_expected(random)
        redrawn = expected[:, None] + _drawn_residuals(residuals, np.searchsorted(means, expected), random)
        shortfalls[number] = expected.max() - _value_of_chosen(redrawn)
    return Best(_value_of_chosen(runs) + float(shortfalls.mean()), float(shortfalls.std()))


def _value_of_chosen(runs: np.ndarray) -> float:
    """Returns the mean score in one run of the architectures that are best by their other runs, over all runs."""
    present = np.isfinite(runs)
    sums, counts = np.where(present, runs, 0).sum(1), present.sum(1)
    values = []
    for run, there in zip(runs.T, present.T, strict=True):
        usable = np.flatnonzero(there & (counts > 1))
        others = (sums - run)[usable] / (counts[usable] - 1)
        chosen = usable[np.argsort(-others, kind="stable")[:NUM_BEST]]
        values += [run[chosen].mean()] if len(chosen) else []
    return float(np.mean(values))


def _correction(runs: np.ndarray) -> np.ndarray:
    """Returns by how much residuals from a mean of few runs are too small, float[n, 1]."""
    counts = np.isfinite(runs).sum(1, keepdims=True)
    return np.sqrt(counts / (counts - 1))


def _standard_errors(runs: np.ndarray) -> np.ndarray:
    """Returns the standard error of each mean, float[n], pooled over neighbors in the order of means."""
    levels = np.array_split(np.arange(len(runs)), max(len(runs) // _PER_LEVEL, 1))
    squares = np.nanvar(runs, axis=1, ddof=1) / np.isfinite(runs).sum(1)
    means = np.nanmean(runs, axis=1)
    return np.sqrt(
        np.interp(means, [means[level].mean() for level in levels], [squares[level].mean() for level in levels])
    )


def _distribution(means: np.ndarray, errors: np.ndarray) -> Callable[[np.random.Generator], np.ndarray]:
    """Returns the function that draws expected scores, float[n], given their ascending means and the errors of these.

    The prior is the distribution on a grid that makes the means most likely. Means are put into bins.
    """
    grid = np.linspace(means[0], means[-1], _GRID_SIZE)
    edges = np.linspace(means[0], means[-1], _NUM_BINS + 1)
    bins = np.clip(np.searchsorted(edges, means, "right") - 1, 0, _NUM_BINS - 1)
    counts = np.bincount(bins, minlength=_NUM_BINS)
    error = np.maximum(np.interp(grid, means, errors), 1e-9)
    distance = ((edges[1:] + edges[:-1]) / 2)[:, None] - grid
    likelihood = np.exp(-0.5 * (distance / error) ** 2) / error + 1e-300
    prior = np.full(_GRID_SIZE, 1 / _GRID_SIZE)
    for _ in range(_NUM_ITERATIONS):
        prior = prior * (likelihood.T @ (counts / (likelihood @ prior))) / counts.sum()
    joint = likelihood * prior
    upto = np.cumsum(joint / joint.sum(1, keepdims=True), axis=1)
    upto[:, -1] = 1
    ascending = (upto + np.arange(_NUM_BINS)[:, None]).reshape(-1)  # one search serves all bins
    return lambda random: grid[np.searchsorted(ascending, bins + random.random(len(bins)), "right") % _GRID_SIZE]


def _drawn_residuals(residuals: np.ndarray, places: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns residuals of runs drawn from the architectures around places in the order of means, float[n, S]."""
    width = min(_NUM_NEIGHBORS + 1, len(residuals))
    start = np.clip(places - width // 2, 0, len(residuals) - width)
    rows = start[:, None] + random.integers(0, width, residuals.shape)
    return residuals[rows, random.integers(0, residuals.shape[1], residuals.shape)]
