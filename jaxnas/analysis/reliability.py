"""How well scores distinguish architectures: noise of seeds, rank correlations between seeds and between epochs."""

import itertools

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


def seed_correlation(scores: np.ndarray, top_share: float = 1.0) -> float:
    """Returns the mean Spearman correlation between two seeds, over all pairs of seeds, of scores [G, S].

    Args:
        top_share: keep only this share of the architectures, those with the best mean over the *other* seeds, so that
            the choice does not depend on the scores that are correlated. Needs three seeds where it is below 1.
    """
    seeds = range(scores.shape[1])
    values = []
    for first, second in itertools.combinations(seeds, 2):
        others = [seed for seed in seeds if seed not in (first, second)]
        kept = _top(scores[:, others].mean(1), top_share) if top_share < 1 else slice(None)
        values.append(rank_correlation(scores[kept, first], scores[kept, second]))
    return float(np.mean(values))


def epoch_correlations(scores: np.ndarray, top_share: float = 1.0) -> np.ndarray:
    """Returns for each epoch the mean Spearman correlation of one seed with the others' final mean, float[F].

    Args:
        scores: [G, S, F], two seeds or more.
        top_share: keep only this share of the architectures, those with the best final mean over the other seeds.
    """
    num_seeds = scores.shape[1]
    values = np.empty((num_seeds, scores.shape[2]))
    for seed in range(num_seeds):
        final = np.delete(scores[:, :, -1], seed, axis=1).mean(1)
        kept = _top(final, top_share) if top_share < 1 else slice(None)
        values[seed] = [rank_correlation(column[kept], final[kept]) for column in scores[:, seed].T]
    return values.mean(0)


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


def _top(values: np.ndarray, share: float) -> np.ndarray:
    return np.argsort(-values, kind="stable")[: max(round(share * len(values)), 2)]
