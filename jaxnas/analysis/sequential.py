"""Runs added until strategies are separated, at an error rate that holds over all looks and all pairs."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.pairs import holm, mann_whitney
from jaxnas.analysis.statistics import LEVEL

FIRST_LOOK = 25


class Decision(NamedTuple):
    """What is known of a pair of strategies."""

    p_value: float  # valid whenever it is looked at: the least so far, times the number of looks
    p_holm: float  # corrected for all pairs; decided where it is at most the level
    num_runs: int  # of each strategy, when it was decided, or all


def look_numbers(num_runs: int) -> list[int]:
    """Returns the numbers of runs after which to test: 25, 50, 100, ..., and at last `num_runs`."""
    doubled = itertools.takewhile(
        lambda number: number < num_runs, (FIRST_LOOK * 2**look for look in itertools.count())
    )
    return [*doubled, num_runs]


def interval_level(num_runs: int, level: float = LEVEL) -> float:
    """Returns the level of intervals that cover at every look at once, whenever one stops: 95 % together.

    Repeated confidence intervals with the error spent equally on the looks: Jennison and Turnbull, "Interim Analyses:
    The Repeated Confidence Interval Approach", Journal of the Royal Statistical Society B, 1989.

    Args:
        num_runs: as of `look_numbers`.
    """
    return 1 - level / len(look_numbers(num_runs))


def until_decided(
    more_runs: Callable[[str, int, int], np.ndarray],
    names: Sequence[str],
    *,
    num_runs: int = 1000,
    level: float = LEVEL,
) -> dict[tuple[str, str], Decision]:
    """Returns what was decided of each pair of strategies, after no more runs of each than its pairs needed.

    After each of `look_numbers(num_runs)` the undecided pairs are tested by Mann and Whitney's test. The chance that
    any pair without a difference is called different is `level` at most: p values are corrected for the number of looks
    (Bonferroni) and for that of pairs (Holm). A strategy of which all pairs are decided gets no further runs.

    Args:
        more_runs: `(name, start, stop) -> regrets float[stop - start]` of the runs of these numbers, independent of
            those before; fewer where there are no more.
        num_runs: the most runs of a strategy.

    Raises:
        ValueError: on fewer than two strategies, or a number of runs below 1.
    """
    if len(names) < 2 or num_runs < 1:
        text = f"{len(names)} and {num_runs}"
        raise ValueError(f"Expected two strategies or more and num_runs of 1 or more to decide by, got {text}.")
    looks = look_numbers(num_runs)
    regrets = {name: np.empty(0) for name in names}
    decisions = {pair: Decision(1.0, 1.0, 0) for pair in itertools.combinations(names, 2)}
    undecided = list(decisions)
    for look in looks:
        for name in sorted(set(itertools.chain(*undecided)), key=list(names).index):
            regrets[name] = np.append(regrets[name], more_runs(name, len(regrets[name]), look))
        for pair in undecided:
            first, second = (regrets[name] for name in pair)
            p_value = min(len(looks) * float(mann_whitney(first, second)), decisions[pair].p_value)
            decisions[pair] = Decision(p_value, 1.0, max(len(first), len(second)))
        corrected = holm(np.asarray([decision.p_value for decision in decisions.values()]))
        for (pair, decision), value in zip(decisions.items(), corrected, strict=True):
            decisions[pair] = decision._replace(p_holm=float(value))
        undecided = [pair for pair, decision in decisions.items() if decision.p_holm > level]
        if not undecided:
            break
    return decisions
