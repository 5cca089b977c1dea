"""Measures of predictions: of ranks, of choices and of stated uncertainties."""

import numpy as np

LEVELS = np.arange(0.1, 1.0, 0.1)
"""The central intervals whose coverage is compared."""


def kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Kendall's tau-b of two arrays; NaN where there are fewer than two values, 0 where one side is constant.

    Kendall, "The Treatment of Ties in Ranking Problems", Biometrika 1945. Values that are NaN in the second are left
    out; in the first, -inf is the lowest rank.
    """
    from scipy.stats import kendalltau

    known = ~np.isnan(second) & ~np.isnan(first)
    if known.sum() < 2:
        return float("nan")
    found = float(kendalltau(first[known], second[known]).statistic)
    return 0.0 if np.isnan(found) else found


def regret_of_top(predicted: np.ndarray, truth: np.ndarray, count: int) -> float:
    """Returns by how much the best of the `count` best predicted falls short of the best of all; -inf is no choice.

    Of equal predictions the worse count first, so that a constant gains nothing by the order of rows.
    """
    order = np.lexsort((truth, -predicted))  # of equals, the worse first
    chosen = [position for position in order[:count] if np.isfinite(predicted[position])]
    return float(truth.max() - truth[chosen].max()) if chosen else float(np.ptp(truth))


def negative_log_likelihood(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    """Returns the mean negative log-likelihood of values under normal distributions, in nats."""
    z = (truth - mean) / deviation
    return float((0.5 * z**2 + np.log(deviation) + 0.5 * np.log(2 * np.pi)).mean())


def coverage(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray, level: float = 0.95) -> float:
    """Returns the share of values within the central interval of a level of their normal distributions."""
    from scipy.stats import norm

    return float((np.abs(truth - mean) <= norm.ppf((1 + level) / 2) * deviation).mean())


def calibration_error(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    """Returns the mean difference of coverage and level over the central intervals of 10, 20, ..., 90 %.

    Kuleshov, Fenner and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression", ICML 2018, with
    absolute differences.
    """
    return float(np.mean([abs(coverage(truth, mean, deviation, level) - level) for level in LEVELS]))
