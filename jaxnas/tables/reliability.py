"""How well the scores of a table distinguish architectures, given the noise of seeds. Needs NumPy only."""

import numpy as np

from jaxnas.tables.table import Table

TOP_SHARE = 0.05
NUM_HALVINGS = 30


def variance_components(scores: np.ndarray) -> tuple[float, float]:
    """Returns the variance between architectures and that between seeds of one architecture, of scores [G, S].

    One-way analysis of variance with random effects (Fisher, 1925); the first is 0 if the estimate is negative.
    """
    between, within = _components(scores)
    return max(between, 0.0), within


def _components(scores: np.ndarray) -> tuple[float, float]:
    within = float(scores.var(axis=1, ddof=1).mean())
    return float(scores.mean(axis=1).var(ddof=1)) - within / scores.shape[1], within


def reliability(scores: np.ndarray, num_seeds: int = 1) -> float:
    """Returns the share of architectures in the variance of a mean over `num_seeds` seeds, of scores [G, S].

    With one seed this is the intraclass correlation (Shrout and Fleiss, Psychological Bulletin, 1979, their case 1).
    """
    between, within = variance_components(scores)
    return between / (between + within / num_seeds) if between + within else 0.0


def top_reliability(scores: np.ndarray, share: float = TOP_SHARE) -> float | None:
    """Returns the reliability of the mean over all seeds among the best architectures, of scores [G, S].

    Cross-fitted: half of the seeds choose the best, the others measure the variances among them; the mean of the
    variances over 30 random halves. The same seeds on both sides would take the luck that chose for a difference
    between architectures. None with fewer than three seeds, as the others are then a single one.
    """
    num_seeds = scores.shape[1]
    if num_seeds < 3:
        return None
    count = max(round(share * len(scores)), 2)
    random, found = np.random.default_rng(0), []
    for _ in range(NUM_HALVINGS):
        chosen, others = np.split(random.permutation(num_seeds), [num_seeds // 2])
        top = np.argsort(-scores[:, chosen].mean(axis=1), kind="stable")[:count]
        found.append(_components(scores[np.ix_(top, others)]))
    between, within = np.maximum(np.mean(found, axis=0), 0)
    return float(between / (between + within / num_seeds)) if between + within else 0.0


def reliability_of_means(table: Table) -> tuple[float, float] | None:
    """Returns the reliability of a table's mean validation scores over runs: of all classes and of the best 5 %.

    Of the last fidelity, and of classes that have every run. None with fewer than three runs or 40 such classes.
    """
    protocol = table.protocol()
    scores = table.metric.better * table.scores(protocol.told)[..., protocol.fidelities[-1]].astype(np.float64)
    scores = scores[np.isfinite(scores).all(axis=1)]
    top = top_reliability(scores) if len(scores) >= 2 / TOP_SHARE else None
    return None if top is None else (reliability(scores, scores.shape[1]), top)
