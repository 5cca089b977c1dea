"""How well two sets of scores agree: rank correlations."""

import numpy as np

from jaxnas.analysis.statistics import shared_ranks


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Spearman's rank correlation (Spearman, 1904).

    Ties have their mean rank; it is 0 where one side is constant, NaN where a value is.
    """
    both = np.stack([first, second])
    if np.isnan(both).any():
        return float("nan")
    ranks, _ = shared_ranks(both)
    if (ranks.std(axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Returns the rank correlation of values that both have; None with fewer than two, or with a constant side."""
    present = np.isfinite(first) & np.isfinite(second)
    first, second = first[present], second[present]
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return rank_correlation(first, second)
