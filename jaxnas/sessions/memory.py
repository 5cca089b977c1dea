"""The memory test: how much of a searcher's result comes from knowing the space before it searched."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.analysis.pairs import difference_interval

_NUM_PERMUTATIONS = 20_000


class Memory(NamedTuple):
    """The mean difference, plain less blinded regret, with its 95 % interval and p value, and the number of pairs."""

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    num_pairs: int


def memory_test(plain: ArrayLike, blinded: ArrayLike) -> Memory:
    """Returns the memory test of final regrets of sessions in a space and in blinded ones, at equal budgets.

    A searcher that learns from scores alone is as good in a blinded space, which has the same structure; one that knows
    good architectures by name is better in plain sessions. The interval is of the differences of pairs, float[pairs].
    The p value is of a two-sided permutation test of the means: 20,000 permutations of all sessions if there are more.
    Raises ValueError on fewer than two pairs, or numbers of sessions that differ.
    """
    from scipy.stats import permutation_test

    first, second = np.asarray(plain, np.float64), np.asarray(blinded, np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(f"Expected as many regrets of each kind, two or more, got {first.shape} and {second.shape}.")
    low, high = difference_interval(first, second, paired=True)
    found = permutation_test((first, second), _difference, n_resamples=_NUM_PERMUTATIONS, rng=0)
    return Memory(float(found.statistic), float(low), float(high), float(found.pvalue), len(first))


def _difference(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    return first.mean(axis) - second.mean(axis)
