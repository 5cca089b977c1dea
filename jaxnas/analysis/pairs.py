"""Strategies two at a time: tests, corrected for their number, effect sizes, and differences with intervals; and runs
that are added until pairs are separated, at an error rate that holds over all looks and all pairs.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.power_analysis import num_runs_for_power, num_runs_interval
from jaxnas.analysis.regret import final_regrets
from jaxnas.analysis.statistics import LEVEL, finite, share_below
from jaxnas.benchmarks.base import Benchmark
from jaxnas.ranks import shared_ranks
from jaxnas.simulation.trials import Trials

FIRST_LOOK = 25
MOST_FOR_EXACT = 8
"""The most runs of one side for which the distribution of Mann and Whitney's statistic is counted out."""


def pairwise(
    regrets: Mapping[str, np.ndarray | Trials],
    bench: Benchmark | None = None,
    *,
    paired: bool = False,
    level: float = 0.95,
) -> list[dict]:
    """Returns for each pair of strategies how far their regrets [runs] differ, as `summary.json` holds it.

    `p_value` of the test, `p_holm` corrected for all pairs, `effect_size` (see `effect_size`), `difference_mean` (first
    less second) with its interval of `level`, null with one run, and `num_runs_for_power_80` with its 95 % interval
    (see `num_runs_interval`), null for more than 100,000 runs and for paired runs.

    Args:
        regrets: of the runs of each strategy, float[runs]; or trials, whose last regret it is.
        bench: the benchmark of trials.
        paired: whether run i of one strategy is paired with run i of the other (Wilcoxon's test instead of Mann and
            Whitney's). Runs from `compare` are unpaired; they share random keys, so the first trials of similar
            strategies correlate, which makes the unpaired test conservative.
        level: of the intervals of differences.
    """
    final = {name: final_regrets(each, bench) for name, each in regrets.items()}
    pairs = [
        _pair(first, second, final[first], final[second], paired, level)
        for first, second in itertools.combinations(final, 2)
    ]
    corrected = holm(np.asarray([pair["p_value"] for pair in pairs]))
    return [pair | {"p_holm": float(value)} for pair, value in zip(pairs, corrected, strict=True)]


def _pair(first_name: str, second_name: str, first: np.ndarray, second: np.ndarray, paired: bool, level: float) -> dict:
    test = wilcoxon if paired else mann_whitney
    p_value = float(test(first, second))
    low, high = difference_interval(first, second, paired=paired, level=level)
    most, fewest = (None, None) if paired else num_runs_interval(first, second)[::-1]
    return {
        "first": first_name,
        "second": second_name,
        "test": test.__name__,
        "p_value": p_value,
        "effect_size": effect_size(first, second),
        "difference_mean": finite(first.mean() - second.mean()),
        "difference_ci_low": finite(low),
        "difference_ci_high": finite(high),
        "num_runs_for_power_80": None if paired else num_runs_for_power(first, second),
        "num_runs_for_power_80_ci_low": fewest,
        "num_runs_for_power_80_ci_high": most,
    }


def not_separated_from(name: str, pairs: list[dict]) -> list[str]:
    """Returns the strategies that the pairs of `pairwise` do not separate from one, at 5 % (Holm)."""
    return [
        pair["second"] if pair["first"] == name else pair["first"]
        for pair in pairs
        if name in (pair["first"], pair["second"]) and pair["p_holm"] > LEVEL
    ]


def mann_whitney(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the two-sided p value of the test that independent runs [..., n] and [..., m] are of one distribution.

    1 if all are equal; NaN counts as the largest value. Mann and Whitney, Annals of Mathematical Statistics, 1947,
    with the corrections for ties and for continuity; exact if one side has at most 8 runs, none of them equal.
    """
    first, second = (np.where(np.isnan(values), np.inf, values) for values in (first, second))
    if min(first.shape[-1], second.shape[-1]) <= MOST_FOR_EXACT:
        from scipy.stats import mannwhitneyu

        with np.errstate(divide="ignore", invalid="ignore"):
            found = mannwhitneyu(first, second, axis=-1).pvalue
    else:
        found = _mann_whitney_by_normal(first, second)
    return np.where(np.isnan(found), 1.0, found)


def _mann_whitney_by_normal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the p value [...] by the normal distribution, NaN if all are equal, as SciPy does.

    Importing `scipy.stats` takes longer than all tests of a comparison.
    """
    from scipy.special import ndtr

    sizes, number = (first.shape[-1], second.shape[-1]), first.shape[-1] + second.shape[-1]
    ranks, equal = shared_ranks(np.concatenate([first, second], axis=-1))
    larger = ranks[..., : sizes[0]].sum(-1) - sizes[0] * (sizes[0] + 1) / 2
    ties = (equal**2 - 1).sum(-1) / (number * (number - 1))
    product = sizes[0] * sizes[1]
    spread = np.sqrt(product / 12 * (number + 1 - ties))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (np.maximum(larger, product - larger) - product / 2 - 0.5) / spread
    return np.clip(2 * ndtr(-distance), 0, 1)


def wilcoxon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the two-sided p value of the signed-rank test of paired runs, both [..., n].

    Equal pairs are ranked, and then dropped; 1 if all are equal. Wilcoxon, Biometrics Bulletin, 1945; Pratt,
    Journal of the American Statistical Association, 1959. Raises ValueError on unequal numbers of runs.
    """
    from scipy.stats import wilcoxon as signed_rank

    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape:
        raise ValueError(f"Expected as many runs in each of a pair, got {first.shape[-1]} and {second.shape[-1]}.")
    with np.errstate(divide="ignore", invalid="ignore"):
        found = signed_rank(first - second, axis=-1, zero_method="pratt").pvalue
    return np.where(np.isnan(found), 1.0, found)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Returns p values [..., m] corrected for their number.

    Those at or below a level together err at that rate at most. Holm, "A Simple Sequentially Rejective Multiple Test
    Procedure", Scandinavian Journal of Statistics, 1979.
    """
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values, axis=-1)
    factors = np.arange(p_values.shape[-1], 0, -1)
    ordered = np.maximum.accumulate(np.take_along_axis(p_values, order, -1) * factors, -1)
    corrected = np.empty_like(p_values)
    np.put_along_axis(corrected, order, np.minimum(ordered, 1), -1)
    return corrected


def effect_size(first: np.ndarray, second: np.ndarray) -> float:
    """Returns A12: the probability that a run of the first has the smaller regret, ties counted half.

    Vargha and Delaney, "A Critique and Improvement of the CL Common Language Effect Size Statistics of McGraw and
    Wong", Journal of Educational and Behavioral Statistics, 2000.
    """
    return 1 - float(share_below(first, second).mean())


def difference_interval(
    first: np.ndarray, second: np.ndarray, *, paired: bool = False, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of the interval of the difference of two means, of runs [..., n] and [..., m]: two float[...].

    NaN if either has one run. Welch, "The Generalization of 'Student's' Problem when Several Different Population
    Variances are Involved", Biometrika, 1947; of paired runs, Student's.
    """
    from scipy.special import stdtrit

    samples = [np.asarray(first) - np.asarray(second)] if paired else [np.asarray(first), np.asarray(second)]
    sizes = np.asarray([values.shape[-1] for values in samples])
    if sizes.min() < 2:
        nothing = np.full(samples[0].shape[:-1], np.nan)
        return nothing, nothing
    squares = [values.var(-1, ddof=1) / size for values, size in zip(samples, sizes, strict=True)]
    variance = sum(squares)
    freedom = sum(square**2 / (size - 1) for square, size in zip(squares, sizes, strict=True))
    freedom = np.divide(variance**2, freedom, out=np.ones_like(variance), where=freedom > 0)
    half = stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance)
    middle = np.mean(first, -1) - np.mean(second, -1)
    return middle - half, middle + half


class Decision(NamedTuple):
    """The result of testing a pair of strategies."""

    p_value: float  # valid whenever it is looked at: the least so far, times the number of looks
    p_holm: float  # corrected for all pairs; decided if at most the level
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
    """
    return 1 - level / len(look_numbers(num_runs))


def until_decided(
    more_runs: Callable[[str, int, int], np.ndarray],
    names: Sequence[str],
    *,
    num_runs: int = 1000,
    level: float = LEVEL,
) -> dict[tuple[str, str], Decision]:
    """Returns the decision on each pair of strategies, after no more runs of each than its pairs needed.

    After each of `look_numbers(num_runs)` the undecided pairs are tested by Mann and Whitney's
    test. The chance that any pair without a difference is called different is `level` at most: p
    values are corrected for the numbers of looks (Bonferroni) and of pairs (Holm). A strategy of
    which all pairs are decided gets no further runs.

    Args:
        more_runs: `(name, start, stop) -> regrets float[stop - start]` of the runs of these numbers, independent of
            those before; fewer if no more exist.
        num_runs: the most runs of a strategy.

    Raises ValueError on fewer than two strategies, or a number of runs below 1.
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
