"""Strategies over several benchmarks: average ranks, Friedman's test and Nemenyi's critical difference."""

from typing import Any

import numpy as np

from jaxnas.analysis.statistics import LEVEL
from jaxnas.ranks import shared_ranks

FEWEST_BENCHMARKS = 3
ENOUGH_BENCHMARKS = 5


def overall(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns how strategies rank over several benchmarks, as `summary.json` holds it, of the dictionaries of each.

    `mean_ranks` [B][S]: ranks of the strategies' compared means on a benchmark, ties shared;
    `average_rank` [S]. `groups`: the largest sets of strategies whose average ranks differ by less than
    `critical_difference`, that is, which are not separated. With fewer than 3 benchmarks there is
    no test, and with fewer than 5 one that hardly separates anything; `note` warns of it.
    """
    names = list(results[0]["strategies"])
    strategies = [[result["strategies"][name] for name in names] for result in results]
    means = [[each.get("compared_mean", each["regret_mean"][-1]) for each in one] for one in strategies]
    ranks = shared_ranks(np.asarray(means))[0]
    average = ranks.mean(0)
    numbers: dict[str, Any] = {
        "benchmarks": [result["benchmark"] for result in results],
        "strategies": names,
        "mean_ranks": ranks.tolist(),
        "average_rank": average.tolist(),
        "level": LEVEL,
    }
    if len(ranks) < FEWEST_BENCHMARKS or len(names) < 2:
        note = f"No test over benchmarks: it takes {FEWEST_BENCHMARKS} of them, and two strategies."
        nothing = dict.fromkeys(("friedman_statistic", "friedman_p_value", "critical_difference"))
        return numbers | nothing | {"groups": [], "note": note}
    statistic, p_value = friedman(ranks)
    difference = critical_difference(*ranks.shape)
    return numbers | {
        "friedman_statistic": statistic,
        "friedman_p_value": p_value,
        "critical_difference": difference,
        "groups": [[names[index] for index in group] for group in not_separated(average, difference)],
        "note": _note(len(ranks), len(names), difference),
    }


def _note(num_benchmarks: int, num_strategies: int, difference: float) -> str:
    """Returns the limits of a test over few benchmarks; empty if there are enough."""
    if num_benchmarks >= ENOUGH_BENCHMARKS:
        return ""
    if difference >= num_strategies - 1:
        shows = "none can be separated, however different they are"
    else:
        shows = f"average ranks must differ by {difference:.2f} of at most {num_strategies - 1} to be separated"
    return (
        f"With {num_benchmarks} tables a test over tables has hardly any power: {shows}. That strategies are not "
        f"separated says little; take {ENOUGH_BENCHMARKS} tables or more."
    )


def friedman(ranks: np.ndarray) -> tuple[float, float]:
    """Returns the statistic and the p value of the test that strategies rank equally, of ranks [B, S].

    Chi-squared with the correction for ties; 0 and 1 if all are tied. Friedman, Journal of the American Statistical
    Association, 1937.
    """
    from scipy.special import chdtrc

    num_benchmarks, num_strategies = ranks.shape
    middle = (num_strategies + 1) / 2
    spread = ((ranks - middle) ** 2).sum()
    if not spread:
        return 0.0, 1.0
    between = ((ranks.sum(0) - num_benchmarks * middle) ** 2).sum()
    statistic = float((num_strategies - 1) * between / spread)
    return statistic, float(chdtrc(num_strategies - 1, statistic))


def critical_difference(num_benchmarks: int, num_strategies: int, level: float = LEVEL) -> float:
    """Returns the least difference of two average ranks that separates strategies.

    Nemenyi, "Distribution-free Multiple Comparisons", 1963; Demsar, "Statistical Comparisons of Classifiers over
    Multiple Data Sets", Journal of Machine Learning Research, 2006.
    """
    from scipy.stats import studentized_range

    quantile = studentized_range.ppf(1 - level, num_strategies, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(num_strategies * (num_strategies + 1) / (6 * num_benchmarks)))


def not_separated(average_ranks: np.ndarray, difference: float) -> list[list[int]]:
    """Returns the largest groups of two or more, by number, best first, whose ranks differ by less than that."""
    order = np.argsort(average_ranks, kind="stable")
    ordered = np.asarray(average_ranks)[order]
    ends = np.searchsorted(ordered, ordered + difference, "left")
    groups, end_before = [], 0
    for start, end in enumerate(ends):
        if end > end_before and end - start > 1:  # not within the group before, nor a strategy alone
            groups.append(order[start:end].tolist())
        end_before = end
    return groups
