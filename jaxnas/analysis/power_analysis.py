"""How many runs it takes to separate two strategies by Mann and Whitney's test, predicted from pilot runs."""

import bisect
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.regret import final_regrets
from jaxnas.analysis.statistics import LEVEL, share_below
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials

MOST_RUNS = 100_000
COVERAGE = 0.95


class _Pair(NamedTuple):
    """Variances that predict the estimate of A12 (`pairs.effect_size`) from other runs of two strategies."""

    distance: float  # of A12 from 1/2
    untied: float  # the share of the test's variance that is left with ties, 1 without any
    between_runs: float  # variances of the chance of one run against the other strategy, summed
    of_one: float  # variance of the outcome of one run against one other
    error: float  # variance of A12 as these runs estimate it (DeLong, DeLong and Clarke-Pearson, Biometrics, 1988)


def power(
    first: np.ndarray | Trials,
    second: np.ndarray | Trials,
    num_runs: int,
    *,
    bench: Benchmark | None = None,
    level: float = LEVEL,
) -> float:
    """Returns the predicted chance that the test separates two strategies with `num_runs` runs of each.

    The normal approximation, with the variances under equality and under the difference both of the runs given, ties
    included: Happ, Bathke and Brunner, "Optimal Sample Size Planning for the Wilcoxon-Mann-Whitney Test", Statistics in
    Medicine, 2019; Noether's (1987) is the same with neither ties nor the second variance.

    Args:
        first, second: regrets of runs of the strategies at the trial in question, float[runs]; or trials, of which it
            is the last. With N pilot runs, the standard error of the predicted power is at most
            0.4 * sqrt(num_runs / N).
        bench: the benchmark of trials.

    Raises ValueError on a number of runs below 1, or regrets that are no float[runs].
    """
    if num_runs < 1:
        raise ValueError(f"Expected num_runs of 1 or more, got {num_runs}.")
    return _power(_describe(first, second, bench), num_runs, level)


def num_runs_for_power(
    first: np.ndarray | Trials,
    second: np.ndarray | Trials,
    *,
    bench: Benchmark | None = None,
    power: float = 0.8,
    level: float = LEVEL,
) -> int | None:
    """Returns the smallest number of runs of each strategy with the predicted `power`, None above 100,000.

    Other arguments as of the function `power`. Raises ValueError if `power` is not between 0 and 1.
    """
    return _num_runs(_describe(first, second, bench), power, level)


def num_runs_interval(
    first: np.ndarray | Trials,
    second: np.ndarray | Trials,
    *,
    bench: Benchmark | None = None,
    power: float = 0.8,
    level: float = LEVEL,
) -> tuple[int | None, int | None]:
    """Returns the ends of the 95 % interval of `num_runs_for_power`, None for an end above 100,000.

    They are the numbers for the ends of the interval of A12 that the runs given allow, by its standard error. If that
    interval holds 1/2 there is no upper end: the strategies may be equal. Arguments as of `num_runs_for_power`.
    """
    from scipy.special import ndtri

    found = _describe(first, second, bench)
    half = ndtri((1 + COVERAGE) / 2) * np.sqrt(found.error)
    ends = max(found.distance - half, 0.0), found.distance + half
    low, high = (_num_runs(found._replace(distance=end), power, level) for end in reversed(ends))
    return low, high


def _num_runs(pair: _Pair, power: float, level: float) -> int | None:
    if not 0 < power < 1:
        raise ValueError(f"Expected a power between 0 and 1, got {power}.")
    numbers = range(2, MOST_RUNS + 1)
    position = bisect.bisect_left(numbers, power, key=lambda num_runs: _power(pair, num_runs, level))
    return numbers[position] if position < len(numbers) else None


def _describe(first: np.ndarray | Trials, second: np.ndarray | Trials, bench: Benchmark | None) -> _Pair:
    first, second = final_regrets(first, bench), final_regrets(second, bench)
    of_first, of_second = share_below(first, second), share_below(second, first)
    mean = of_first.mean()
    values = np.unique(np.concatenate([first, second]))
    shares = [_shares(sample, values) for sample in (first, second)]
    equal, both = float(shares[0] @ shares[1]), min(len(first), len(second))
    return _Pair(
        distance=abs(mean - 0.5),
        untied=1 - (((shares[0] + shares[1]) / 2) ** 3).sum(),
        between_runs=of_first.var() + of_second.var(),
        of_one=mean - equal / 4 - mean**2,
        error=of_first.var(ddof=1) / len(first) + of_second.var(ddof=1) / len(second) if both > 1 else np.inf,
    )


def _shares(sample: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(values, sample), minlength=len(values)) / len(sample)


def _power(pair: _Pair, num_runs: int, level: float) -> float:
    from scipy.special import ndtr, ndtri

    equal = np.sqrt((2 * num_runs + 1) / (12 * num_runs**2) * pair.untied)
    differing = np.sqrt(max((num_runs - 1) * pair.between_runs + pair.of_one, 1e-24) / num_runs**2)
    threshold = ndtri(1 - level / 2) * equal + 0.5 / num_runs**2  # with the test's correction for continuity
    return float(ndtr((pair.distance - threshold) / differing) + ndtr((-pair.distance - threshold) / differing))
