"""Alternatives: the smallest change that halves the size, the smallest that costs score, and the runner-up."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.analysis.explanation.score_models import Scored
from jaxnas.spaces.decisions import checked

LOSS = 0.01
"""A point of accuracy."""


class Counterfactual(NamedTuple):
    """Another architecture, and the effect of changing to it.

    Attributes:
        arch: int[D].
        decisions: the numbers of the decisions in which it differs.
        difference: its score less the score of the architecture.
        standard_error: of the difference; NaN if unknown.
        size_ratio: its size over the size of the architecture; None if sizes were not requested.
    """

    arch: np.ndarray
    decisions: tuple[int, ...]
    difference: float
    standard_error: float
    size_ratio: float | None


def half_the_size(
    scored: Scored, arch: ArrayLike, others: np.ndarray, sizes: np.ndarray, size: float
) -> Counterfactual | None:
    """Returns the architecture of at most half the size that loses less than a standard error, of fewest changes.

    It is one of `others` int[n, D] with their `sizes` [n]. The standard error is of the difference
    of the two scores. Among equally few changes the best is returned. None if every architecture of
    half the size loses more; see `best_within` for how much.
    """
    own, small = np.asarray(arch), np.flatnonzero(sizes <= size / 2)
    if not len(small):
        return None
    differences = scored.means(others[small]) - scored.means(own[None])
    # a better architecture needs no error
    kept = (differences > 0) | (-differences < scored.pair_errors(own, others[small]))
    if not kept.any():
        return None
    first = small[kept][_by_changes(others[small[kept]], own, -differences[kept])[0]]
    return _described(scored, own, others[first], float(sizes[first]) / size)


def best_within(
    scored: Scored, arch: ArrayLike, others: np.ndarray, sizes: np.ndarray, size: float
) -> Counterfactual | None:
    """Returns the best architecture of at most half the size; None if there is none. Arguments as there."""
    small = np.flatnonzero(sizes <= size / 2)
    if not len(small):
        return None
    best = small[int(np.argmax(scored.means(others[small])))]
    return _described(scored, arch, others[best], float(sizes[best]) / size)


def smallest_loss(scored: Scored, arch: ArrayLike, others: np.ndarray, *, loss: float = LOSS) -> Counterfactual | None:
    """Returns the architecture of fewest changes whose score is lower by a loss or more; of equals the lowest.

    None if no architecture of `others`, int[n, D], loses as much.
    """
    differences = scored.means(others) - scored.means(np.asarray(arch)[None])
    worse = others[differences <= -loss]
    if not len(worse):
        return None
    return _described(scored, arch, worse[_by_changes(worse, np.asarray(arch), differences[differences <= -loss])[0]])


def chance_better(first: ArrayLike, second: ArrayLike) -> float:
    """Returns the probability that the architecture with scores `second` is truly the better one, NaN if unknown.

    By Student's distribution of the difference of two means with a common variance, which is the posterior under a
    flat prior; runs are float[n], NaN if one failed. With two runs or fewer in all nothing is known.
    """
    from scipy.special import stdtr

    runs = [np.asarray(each, np.float64)[np.isfinite(each)] for each in (first, second)]
    freedom = sum(map(len, runs)) - 2
    if freedom < 1 or not all(map(len, runs)):
        return float("nan")
    lead = runs[0].mean() - runs[1].mean()
    variance = sum(((each - each.mean()) ** 2).sum() for each in runs) / freedom
    error = np.sqrt(variance * sum(1 / len(each) for each in runs))
    if error == 0:
        return 0.5 if lead == 0 else float(lead < 0)
    return float(stdtr(freedom, -lead / error))


def _by_changes(others: np.ndarray, arch: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Returns the numbers of architectures by the number of decisions in which they differ, and then by values."""
    return np.lexsort((then, (others != arch).sum(1)))


def _described(scored: Scored, arch: ArrayLike, other: np.ndarray, ratio: float | None = None) -> Counterfactual:
    own = np.asarray(checked(np.asarray(arch), scored.space.decisions))
    difference = float(np.subtract(*scored.means(np.stack([other, own]))))
    changed = tuple(np.flatnonzero(own != other).tolist())
    return Counterfactual(other, changed, difference, float(scored.pair_errors(own, other[None])[0]), ratio)
