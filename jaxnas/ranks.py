"""Ranks with ties, and rank correlations. Importing `scipy.stats` takes longer than a comparison's tests."""

import numpy as np


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Spearman's rank correlation (Spearman, 1904).

    Ties share their mean rank. The correlation is 0 if one side is constant and NaN if a value is NaN.
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


def shared_ranks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rank of each of values [..., N] from 1, equals sharing their mean rank, and how many equal it."""
    order = np.argsort(values, axis=-1)
    below, upto = weights_below(np.take_along_axis(values, order, -1), np.ones(order.shape))
    ranks, equal = np.empty(order.shape), np.empty(order.shape)
    np.put_along_axis(ranks, order, (below + upto + 1) / 2, -1)
    np.put_along_axis(equal, order, upto - below, -1)
    return ranks, equal


def weights_below(ordered: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the weight below each of ascending values [..., N], and the same including the weight of its equals."""
    upto = np.cumsum(weights, -1)
    before = upto - weights
    unequal, end = ordered[..., 1:] != ordered[..., :-1], np.ones_like(ordered[..., :1], bool)
    first, last = np.concatenate([end, unequal], -1), np.concatenate([unequal, end], -1)
    starts = np.maximum.accumulate(np.where(first, before, 0), -1)
    ends = np.minimum.accumulate(np.where(last, upto, np.inf)[..., ::-1], -1)[..., ::-1]
    return starts, ends
