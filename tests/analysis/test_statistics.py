"""Ranks, chances, tests of pairs and of several benchmarks: against slow versions, published examples, simulation."""

import itertools

import numpy as np
import pytest
from helpers.samples import NUM_SIMULATIONS, skewed, tied
from scipy.stats import binomtest, friedmanchisquare, mannwhitneyu, rankdata
from scipy.stats import t as student

from jaxnas.analysis.pairs import (
    difference_interval,
    effect_size,
    holm,
    interval_level,
    look_numbers,
    mann_whitney,
    pairwise,
    wilcoxon,
)
from jaxnas.analysis.several import critical_difference, friedman, not_separated, overall
from jaxnas.analysis.statistics import bootstrap_interval, mean_interval, mean_ranks, probability_best
from jaxnas.ranks import shared_ranks

pytestmark = pytest.mark.simulation


def assert_rate(hits: np.ndarray, rate: float) -> None:
    """Asserts that hits [n] are as frequent as that, within the binomial interval of 99.9 %."""
    assert binomtest(int(hits.sum()), len(hits), rate).pvalue > 1e-3, (hits.mean(), rate)


# Ranks and chances


def test_ranks_over_trials_are_those_at_each_trial():
    random = np.random.default_rng(0)
    regrets = {name: tied(random, size, 7) for name, size in (("a", 5), ("b", 9), ("c", 3))}
    ranks = mean_ranks(regrets)
    for trial in range(7):
        drawn = itertools.product(*(values[:, trial] for values in regrets.values()))
        expected = np.mean([rankdata(each) for each in drawn], axis=0)
        np.testing.assert_allclose([each[trial] for each in ranks.values()], expected)


def test_chances_to_be_best_are_those_of_all_ways_to_draw_a_run_of_each():
    random = np.random.default_rng(1)
    for num_strategies in (1, 2, 3, 5):
        regrets = {str(number): tied(random, 3 + number % 3) for number in range(num_strategies)}
        chances = probability_best(regrets)
        drawn = np.asarray(list(itertools.product(*regrets.values())))
        best = drawn == drawn.min(1, keepdims=True)
        np.testing.assert_allclose(list(chances.values()), (best / best.sum(1, keepdims=True)).mean(0))


def test_a_run_that_found_nothing_is_the_worst():
    regrets = {"failed": np.array([np.nan, np.nan]), "bad": np.array([9.0])}
    assert mean_ranks(regrets) == {"failed": 2, "bad": 1}
    assert probability_best(regrets) == {"failed": 0, "bad": 1}
    assert mann_whitney(np.full(9, np.nan), np.full(9, 9.0)) < 0.01


# Pairs


@pytest.mark.parametrize("sizes", [(9, 9), (30, 12), (8, 40)])
def test_the_test_of_independent_runs_is_that_of_scipy(sizes):
    random = np.random.default_rng(4)
    for first, second in ((tied(random, 5, 99), tied(random, 5, 99)), random.random((2, 5, 99))):
        first, second = first[:, : sizes[0]], second[:, : sizes[1]]
        first[0, 0] = np.inf
        expected = mannwhitneyu(first, second, axis=-1).pvalue
        np.testing.assert_allclose(mann_whitney(first, second), expected, rtol=1e-12)
        ranks, equal = shared_ranks(first)
        np.testing.assert_array_equal(ranks, rankdata(first, axis=-1))
        np.testing.assert_array_equal(equal, (first[:, :, None] == first[:, None]).sum(-1))
    same = np.ones((1, 9))
    assert mann_whitney(same, same) == 1


def test_effect_sizes_are_shares_of_pairs_of_runs():
    random = np.random.default_rng(2)
    first, second = tied(random, 30), tied(random, 20)
    better, equal = first[:, None] < second, first[:, None] == second
    assert effect_size(first, second) == pytest.approx((better + equal / 2).mean())
    assert effect_size(first, second) + effect_size(second, first) == pytest.approx(1)
    statistic = mannwhitneyu(first, second).statistic
    assert effect_size(first, second) == pytest.approx(1 - statistic / 600)


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([[0.5, 0.6], [0.6, 0.01]]), [[1, 1], [0.6, 0.02]])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("draw", [skewed, tied])
@pytest.mark.parametrize("num_runs", [(20, 20), (100, 100), (100, 10)])
def test_strategies_without_a_difference_are_separated_as_often_as_the_level_says(draw, num_runs):
    random = np.random.default_rng(3)
    first, second = (draw(random, NUM_SIMULATIONS, size) for size in num_runs)
    assert_rate(mann_whitney(first, second) <= 0.05, 0.05)
    low, high = difference_interval(first, second)
    if min(num_runs) >= 20:
        assert_rate((low <= 0) & (high >= 0), 0.95)
    if len(set(num_runs)) == 1:
        together = draw(random, NUM_SIMULATIONS, 1)
        assert_rate(wilcoxon(first + together, second + together) <= 0.05, 0.05)
        low, high = difference_interval(first + together, second + together, paired=True)
        assert_rate((low <= 0) & (high >= 0), 0.95)


@pytest.mark.parametrize("draw", [skewed, tied])
def test_intervals_cover_a_difference_that_is_there(draw):
    random = np.random.default_rng(4)
    difference = draw(random, 10**6).mean() - draw(random, 10**6, scale=0.4).mean()
    low, high = difference_interval(draw(random, NUM_SIMULATIONS, 200), draw(random, NUM_SIMULATIONS, 300, scale=0.4))
    assert_rate((low <= difference) & (high >= difference), 0.95)
    assert (low > 0).mean() > 0.9


def test_holm_bounds_the_chance_of_any_error():
    random = np.random.default_rng(5)
    alike, better = 0.25 + tied(random, 3, NUM_SIMULATIONS, 40), tied(random, NUM_SIMULATIONS, 40)
    pairs = list(itertools.combinations([*alike, better], 2))
    corrected = holm(np.stack([mann_whitney(*pair) for pair in pairs], axis=-1))
    without_difference = np.asarray([second is not better for _, second in pairs])
    assert without_difference.sum() == 3
    wrong = (corrected[:, without_difference] <= 0.05).any(1)
    assert binomtest(int(wrong.sum()), NUM_SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3
    assert wrong.mean() > 0.01
    assert (corrected[:, ~without_difference] <= 0.05).mean() > 0.5


def test_pairs_of_a_comparison():
    random = np.random.default_rng(6)
    regrets = {"bad": tied(random, 100), "good": tied(random, 80, scale=0.3), "same": np.zeros(50)}
    pairs = pairwise(regrets)
    assert [(pair["first"], pair["second"]) for pair in pairs] == list(itertools.combinations(regrets, 2))
    for pair in pairs:
        first, second = regrets[pair["first"]], regrets[pair["second"]]
        assert pair["test"] == "mann_whitney"
        assert pair["difference_mean"] == pytest.approx(first.mean() - second.mean())
        assert pair["difference_ci_low"] <= pair["difference_mean"] <= pair["difference_ci_high"]
        assert pair["p_value"] == pytest.approx(mannwhitneyu(first, second).pvalue)
        assert pair["effect_size"] == effect_size(first, second)
    np.testing.assert_allclose([pair["p_holm"] for pair in pairs], holm([pair["p_value"] for pair in pairs]))
    one = pairwise({"a": np.zeros(1), "b": np.zeros(1)})[0]
    assert (one["p_value"], one["difference_mean"], one["difference_ci_low"]) == (1, 0, None)
    assert one["num_runs_for_power_80"] is None


def test_pairs_of_paired_runs():
    random = np.random.default_rng(7)
    together = 10 * skewed(random, 60)
    regrets = {"bad": together + skewed(random, 60), "good": together + skewed(random, 60, scale=0.5)}
    paired, unpaired = pairwise(regrets, paired=True)[0], pairwise(regrets)[0]
    assert paired["test"] == "wilcoxon"
    assert paired["p_value"] < 0.01 < 0.5 < unpaired["p_value"]
    assert paired["difference_ci_low"] > 0 > unpaired["difference_ci_low"]
    differences = regrets["bad"] - regrets["good"]
    half = student.ppf(0.975, 59) * differences.std(ddof=1) / np.sqrt(60)
    assert paired["difference_ci_low"] == pytest.approx(differences.mean() - half)
    with pytest.raises(ValueError, match=r"^Expected as many runs in each of a pair, got 60 and 59\.$"):
        pairwise(regrets | {"good": regrets["good"][1:]}, paired=True)


# Several benchmarks

DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.974], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip
"""Scores of four learners on 14 data sets: the example of Demsar, JMLR 2006, table 6.

In the last but one row the paper ranks 0.975 before 0.975, by further digits; here it is 0.974.
"""


def results_of(regrets: np.ndarray) -> list[dict]:
    """Returns what `overall` reads of the results of benchmarks, of mean final regrets [B, S]."""
    results = []
    for row, values in enumerate(regrets.tolist()):
        strategies = {f"s{number}": {"regret_mean": [1.0, value]} for number, value in enumerate(values)}
        results.append({"benchmark": f"table-{row}", "strategies": strategies})
    return results


def test_the_example_of_demsar():
    found = overall(results_of(1 - DEMSAR))
    np.testing.assert_allclose(found["average_rank"], [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert found["critical_difference"] == pytest.approx(1.25, abs=0.005)
    assert found["friedman_statistic"] == pytest.approx(friedmanchisquare(*DEMSAR.T).statistic)
    assert found["friedman_p_value"] == pytest.approx(friedmanchisquare(*DEMSAR.T).pvalue)
    ranks = np.asarray(found["mean_ranks"])
    untied = 14 * 4 * (4**2 - 1) / 12
    share = ((ranks - 2.5) ** 2).sum() / untied  # the paper's statistic, 9.28, does not correct for ties
    assert found["friedman_statistic"] * share == pytest.approx(9.28, abs=0.005)
    assert found["groups"] == [["s3", "s1", "s2", "s0"]]  # Nemenyi's test separates none of them, says the paper


def test_critical_differences_have_the_published_quantiles():
    """Demsar's table 5: the studentised range over the root of 2, at 5 % and 10 %."""
    for level, quantiles in ((0.05, (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)),
                             (0.10, (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920))):  # fmt: skip
        for num_strategies, quantile in enumerate(quantiles, start=2):
            unit = np.sqrt(num_strategies * (num_strategies + 1) / (6 * 12))
            assert critical_difference(12, num_strategies, level) == pytest.approx(quantile * unit, abs=1.5e-3)


def test_groups_are_the_largest_sets_within_the_difference():
    assert not_separated(np.array([1.0, 2.0, 3.0, 4.0]), 0.5) == []
    assert not_separated(np.array([4.0, 2.0, 3.0, 1.0]), 1.5) == [[3, 1], [1, 2], [2, 0]]
    assert not_separated(np.array([1.0, 1.2, 2.0, 2.1, 3.5]), 1.15) == [[0, 1, 2, 3]]
    assert not_separated(np.array([1.0, 2.0]), 1.0) == []
    random = np.random.default_rng(8)
    for _ in range(200):
        ranks, difference = random.integers(0, 12, 6) / 2, random.integers(1, 8) / 2
        groups = [set(group) for group in not_separated(ranks, difference)]
        near = {
            frozenset(pair) for pair in itertools.combinations(range(6), 2) if np.ptp(ranks[list(pair)]) < difference
        }
        assert {frozenset(pair) for group in groups for pair in itertools.combinations(group, 2)} == near
        assert not any(one < other for one in groups for other in groups)


def test_friedman_errs_as_often_as_the_level_says():
    random = np.random.default_rng(9)
    ranks = rankdata(tied(random, NUM_SIMULATIONS, 20, 6), axis=-1)
    assert_rate(np.asarray([friedman(each)[1] <= 0.05 for each in ranks]), 0.05)
    assert friedman(np.full((5, 3), 2.0)) == (0, 1)


def test_the_critical_difference_bounds_the_chance_of_any_error():
    random = np.random.default_rng(10)
    average = rankdata(skewed(random, NUM_SIMULATIONS, 20, 6), axis=-1).mean(1)
    wrong = np.ptp(average, axis=-1) >= critical_difference(20, 6)
    assert binomtest(int(wrong.sum()), NUM_SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3
    assert wrong.mean() > 0.03


def test_few_tables_are_tested_with_a_sentence_on_what_that_can_show():
    regrets = np.arange(24.0).reshape(3, 8)
    few, enough = overall(results_of(regrets)), overall(results_of(np.concatenate([regrets, regrets])))
    assert few["critical_difference"] == pytest.approx(6.06, abs=0.005)
    assert "must differ by 6.06 of at most 7" in few["note"]
    assert enough["note"] == ""
    two = overall(results_of(np.arange(6.0).reshape(3, 2)))
    assert "none can be separated" in two["note"]


def test_strategies_rank_by_what_they_are_compared_by():
    results = results_of(np.array([[1.0, 2.0]] * 3))
    for result in results:
        result["strategies"]["s0"]["compared_mean"], result["strategies"]["s1"]["compared_mean"] = 0.5, 0.25
    assert overall(results)["average_rank"] == [2, 1]


def test_intervals_of_few_runs_cover_the_mean_where_the_bootstrap_does_not():
    random = np.random.default_rng(11)
    values = random.normal(size=(10, NUM_SIMULATIONS))
    low, high = mean_interval(values)
    assert_rate((low <= 0) & (high >= 0), 0.95)
    low, high = bootstrap_interval(values)
    assert ((low <= 0) & (high >= 0)).mean() < 0.92
    values = random.normal(size=(30, 3))
    np.testing.assert_array_equal(mean_interval(values), bootstrap_interval(values))
    np.testing.assert_array_equal(mean_interval(values[:1]), np.stack([values[0]] * 2))


def test_intervals_hold_at_every_look_at_once():
    """So they cover wherever one stops; those of 95 % at each look do not."""
    random = np.random.default_rng(12)
    looks = look_numbers(400)
    first, second = random.normal(size=(2, NUM_SIMULATIONS, 400))
    covered = {level: np.ones(NUM_SIMULATIONS, bool) for level in (0.95, interval_level(400))}
    for level, always in covered.items():
        for look in looks:
            low, high = difference_interval(first[:, :look], second[:, :look], level=level)
            always &= (low <= 0) & (high >= 0)
    plain, repeated = (always.mean() for always in covered.values())
    assert plain < 0.9
    assert repeated > 0.945


def test_few_benchmarks_are_ranked_without_a_test():
    found = overall(results_of(np.array([[0.1, 0.2, 0.3], [0.1, 0.1, 0.0]])))
    assert found["mean_ranks"] == [[1, 2, 3], [2.5, 2.5, 1]]
    assert found["average_rank"] == [1.75, 2.25, 2.0]
    assert found["friedman_p_value"] is None
    assert found["critical_difference"] is None
    assert found["groups"] == []
    assert "3" in found["note"]
