"""How well scores distinguish architectures: the noise of seeds, and rank correlations."""

import numpy as np

from jaxnas.analysis.statistics import shared_ranks


def variance_components(scores: np.ndarray) -> tuple[float, float]:
    """Returns the variance between architectures and that between seeds of one architecture, of scores [G, S].

    One-way analysis of variance with random effects (Fisher, 1925); the first is 0 where the estimate is negative.
    """
    within = float(scores.var(axis=1, ddof=1).mean())
    between = float(scores.mean(axis=1).var(ddof=1)) - within / scores.shape[1]
    return max(between, 0.0), within


def reliability(scores: np.ndarray, num_seeds: int = 1) -> float:
    """Returns the share of architectures in the variance of a mean over `num_seeds` seeds, of scores [G, S].

    With one seed this is the intraclass correlation (Shrout and Fleiss, Psychological Bulletin, 1979, their case 1).
    """
    between, within = variance_components(scores)
    return between / (between + within / num_seeds) if between + within else 0.0


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
