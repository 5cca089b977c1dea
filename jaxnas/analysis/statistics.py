"""Intervals and ranks over runs."""

import numpy as np


def bootstrap_interval(
    values: np.ndarray, *, num_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of the percentile bootstrap interval of the mean over runs of values [runs, T]: two float[T].

    Whole runs are resampled, so that the ends of neighbouring trials belong together. Efron, "Bootstrap Methods:
    Another Look at the Jackknife", Annals of Statistics, 1979.
    """
    values = np.asarray(values, np.float64)
    num_runs = len(values)
    counts = np.random.default_rng(seed).multinomial(num_runs, np.full(num_runs, 1 / num_runs), size=num_resamples)
    means = counts @ values / num_runs
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return low, high


def mean_ranks(regrets: dict[str, np.ndarray]) -> dict[str, float]:
    """Returns the expected rank of each strategy (1 is best) when one run of each is drawn at random.

    Ties share their ranks.

    Args:
        regrets: the final regrets of the runs of each strategy, float[runs]. Runs are not paired.
    """
    ordered = {name: np.sort(np.asarray(values, np.float64)) for name, values in regrets.items()}
    ranks = {}
    for name, own in ordered.items():
        rank = 1.0
        for other, values in ordered.items():
            if other != name:
                below = np.searchsorted(values, own, side="left")
                equal = np.searchsorted(values, own, side="right") - below
                rank += float((below + equal / 2).mean() / len(values))
        ranks[name] = rank
    return ranks
