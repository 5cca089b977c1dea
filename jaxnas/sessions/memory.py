"""The memory test: how much of a searcher's result comes from knowing the space before it searched."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.analysis.pairs import difference_interval


class Memory(NamedTuple):
    """The outcome of the memory test.

    Attributes:
        difference: the mean regret of plain sessions less that of blinded ones; below zero, the names helped.
        ci_low, ci_high: the 95 % interval of the difference, Student's.
        p_value: of the two-sided paired t test that both kinds of sessions are equally good.
        num_pairs: the number of pairs.
    """

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    num_pairs: int


def memory_test(plain: ArrayLike, blinded: ArrayLike) -> Memory:
    """Returns the memory test of final regrets of sessions in a space and in blinded ones, at equal budgets.

    A searcher that learns from the scores alone is as good in a blinded space, of the same structure with other names.
    One that has seen the space's good architectures elsewhere is better with the names that it knows.

    Args:
        plain, blinded: regrets of sessions, float[pairs]; those of one place are a pair, of the same number and seed.

    Raises ValueError on fewer than two pairs, or numbers of sessions that differ.
    """
    from scipy.special import stdtr

    first, second = np.asarray(plain, np.float64), np.asarray(blinded, np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        shapes = f"{list(first.shape)} and {list(second.shape)}"
        raise ValueError(f"Expected regrets of two or more plain sessions and as many blinded ones, got {shapes}.")
    difference = first - second
    low, high = difference_interval(first, second, paired=True)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    if not error:
        p_value = float(not difference.any())
    else:
        p_value = 2 * float(stdtr(len(difference) - 1, -abs(difference.mean()) / error))
    return Memory(float(difference.mean()), float(low), float(high), p_value, len(difference))
