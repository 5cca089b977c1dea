"""The memory test: how much of a searcher's result comes from knowing the space before it searched."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.analysis.pairs import difference_interval


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
    good architectures by name is better in plain sessions. Student's paired t test, two-sided, of float[pairs]. Raises
    ValueError on fewer than two pairs, or numbers of sessions that differ.
    """
    from scipy.special import stdtr

    first, second = np.asarray(plain, np.float64), np.asarray(blinded, np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(f"Expected as many regrets of each kind, two or more, got {first.shape} and {second.shape}.")
    difference, count = first - second, len(first)
    low, high = difference_interval(first, second, paired=True)
    error = difference.std(ddof=1) / np.sqrt(count)
    distance = abs(difference.mean()) / error if error else np.inf if difference.any() else 0.0
    p_value = 2 * float(stdtr(count - 1, -distance))
    return Memory(float(difference.mean()), float(low), float(high), p_value, count)
