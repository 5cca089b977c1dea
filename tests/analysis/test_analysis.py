"""Analysis: incumbents, regrets, intervals and ranks, against slow and obvious versions of themselves."""

import inspect
import itertools
import math

import numpy as np
import pytest
from helpers.samples import MIXED, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, rankdata

import jaxnas as jn
from jaxnas.analysis.budgets import at_budgets
from jaxnas.analysis.incumbent import incumbent_scores, incumbents
from jaxnas.analysis.pairs import pairwise
from jaxnas.analysis.regret import regret
from jaxnas.analysis.results import same_queries, summarize
from jaxnas.analysis.statistics import bootstrap_interval, mean_interval, mean_ranks
from jaxnas.report.tables import summary
from jaxnas.spaces.base import EnumeratedSpace

NAN = float("nan")
FOUR = jn.SearchSpace("four", (jn.Decision("choice", range(4)),))
"""A space of four architectures, for examples by hand."""


def make_trials(archs, scores, fidelities=None, costs=None) -> jn.simulation.Trials:
    """Returns the trials of runs [runs, T], on the space of four, or of architectures [runs, T, D]."""
    scores = np.asarray(scores, np.float32)
    fidelities = np.zeros(scores.shape, np.int32) if fidelities is None else np.asarray(fidelities, np.int32)
    costs = np.ones(scores.shape, np.float32) if costs is None else np.asarray(costs, np.float32)
    archs = np.asarray(archs, np.int32)
    query = jn.Query(archs if archs.ndim == 3 else archs[..., None], fidelities)
    return jn.simulation.Trials(query, jn.simulation.Observation(scores, costs, np.zeros(scores.shape, np.int32)))


def four_bench() -> jn.TableBenchmark:
    """Returns a benchmark with mean test scores 0.2, 0.5, 0.9 and 0.7 at the last of two fidelities, of two seeds."""
    last = np.array([[0.1, 0.3], [0.5, 0.5], [0.8, 1.0], [0.6, 0.8]])
    test = np.stack([np.full((4, 2), 0.99), last], axis=-1)
    validation = np.stack([np.zeros((4, 2)), last[::-1]], axis=-1)
    return jn.TableBenchmark(jn.Table.from_arrays(FOUR, "hand", validation, test, [1, 4]), space=FOUR)


def random_bench(noise: str = "seed", same: bool = False) -> jn.TableBenchmark:
    validation, test = np.random.RandomState(0).uniform(size=(2, 125, 3, 2))
    table = jn.Table.from_arrays(SMALL, "noise", validation, validation if same else test, [1, 4])
    return jn.TableBenchmark(table, noise=noise, space=SMALL)


# Incumbents


def slow_incumbent(scores: list[float], fidelities: list[int]) -> int:
    """Returns the number of the best trial of all, -1 for none: failed ones aside, by fidelity, score, and age."""
    succeeded = [number for number, score in enumerate(scores) if not math.isnan(score)]
    return max(succeeded, key=lambda number: (fidelities[number], scores[number], -number), default=-1)


trial = st.tuples(st.sampled_from([NAN, -1.0, 0.0, 0.25, 0.5]), st.integers(0, 2))


@given(
    st.integers(1, 12).flatmap(lambda length: st.lists(st.lists(trial, min_size=length, max_size=length), min_size=1))
)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_incumbents_are_the_best_so_far(runs):
    scores, fidelities = np.moveaxis(np.asarray(runs), -1, 0)
    found = incumbents(make_trials(np.zeros(scores.shape), scores, fidelities))
    expected = [[slow_incumbent(*zip(*run[: length + 1], strict=True)) for length in range(len(run))] for run in runs]
    assert found.tolist() == expected


def test_ties_go_to_the_earlier_and_a_higher_fidelity_goes_before_a_better_score():
    trials = make_trials([[0] * 6], [[NAN, 0.5, 0.5, 0.9, 0.1, NAN]], [[1, 0, 0, 0, 1, 2]])
    assert incumbents(trials).tolist() == [[-1, 1, 1, 3, 4, 4]]


def test_incumbents_are_found_without_any_test_score():
    assert list(inspect.signature(incumbents).parameters) == ["trials"]


# Regret


def test_regret_of_an_example_by_hand():
    trials = make_trials([[0, 1, 3, 2], [1, 2, 0, 0]], [[NAN, 0.6, 0.5, 0.7], [0.2, 0.1, 0.3, 0.3]], np.ones((2, 4)))
    found = [[0.2, 0.5, 0.5, 0.9], [0.5, 0.5, 0.2, 0.2]]  # the worst, 0.2, before the first success
    np.testing.assert_allclose(incumbent_scores(trials, four_bench(), optimum_from="maximum"), found, rtol=1e-6)
    np.testing.assert_allclose(regret(trials, four_bench(), optimum_from="maximum"), 0.9 - np.asarray(found), atol=1e-6)
    on_validation = [[0.2, 0.9, 0.9, 0.5], [0.9, 0.9, 0.7, 0.7]]
    np.testing.assert_allclose(incumbent_scores(trials, four_bench(), "validation"), on_validation, rtol=1e-6)


def test_regret_by_the_largest_mean_is_never_negative_and_zero_at_the_optimum():
    bench = random_bench()
    trials = jn.run(jn.random_search(SMALL), bench, num_trials=300, num_runs=10)
    regrets = regret(trials, bench, optimum_from="maximum")
    assert (regrets >= 0).all()
    assert (regrets[:, 0] > 0).any()
    best = int(np.argmax(bench.held_out.scores(np.arange(125)[:, None])))
    at_best = make_trials(SMALL.arch_at(best)[None, None], [[0.1]])
    np.testing.assert_array_equal(regret(at_best, bench, optimum_from="maximum"), [[0]])


def test_regret_does_not_rise_where_the_search_sees_the_means_that_it_is_judged_by():
    bench = random_bench(noise="mean", same=True)
    for strategy in (jn.random_search(SMALL), jn.local_search(SMALL)):
        regrets = regret(jn.run(strategy, bench, num_trials=100, num_runs=20), bench)
        assert (np.diff(regrets) <= 0).all()
        assert (np.diff(regrets) < 0).any()
    noisy = random_bench()
    regrets = regret(jn.run(jn.random_search(SMALL), noisy, num_trials=100, num_runs=20), noisy)
    assert (np.diff(regrets) > 0).any()  # where it sees other data, it does rise


def test_a_benchmark_without_optimum_has_no_regret():
    bench = jn.benchmarks.FunctionBenchmark(
        FOUR, lambda arch: arch[0] / 4, test_function=lambda archs: archs[..., 0] / 4
    )
    trials = make_trials([[1, 2]], [[NAN, 0.5]])
    np.testing.assert_array_equal(incumbent_scores(trials, bench), [[NAN, 0.5]])
    with pytest.raises(ValueError, match=r"^Expected a benchmark with a known optimum, got four-<lambda> without"):
        regret(trials, bench)
    bench = jn.benchmarks.FunctionBenchmark(
        FOUR, lambda arch: arch[0] / 4, test_function=lambda archs: archs[..., 0] / 4, optimum=0.75, worst=0.0
    )
    np.testing.assert_array_equal(regret(trials, bench), [[0.75, 0.25]])


def test_values_at_budgets_are_those_after_the_last_trial_that_was_paid():
    trials = make_trials(np.zeros((2, 4)), np.zeros((2, 4)), costs=[[2, 1, 0, 4], [1, 1, 1, 0]])
    values = np.array([[10, 11, 12, 13], [20, 21, 22, 23]])
    found = at_budgets(values, trials, np.array([1, 2, 2.9, 3, 6.9, 7, 100]))
    expected = [[NAN, 10, 10, 12, 12, 13, 13], [20, 21, 21, 23, 23, 23, 23]]
    np.testing.assert_array_equal(found, expected)


# Intervals and ranks


def test_bootstrap_intervals_cover_the_mean_as_often_as_they_say():
    random = np.random.RandomState(1)
    for level in (0.95, 0.5):
        hits = 0
        for seed in range(1000):
            values = random.normal(size=(60, 1))
            low, high = bootstrap_interval(values, num_resamples=300, level=level, seed=seed)
            hits += low[0] <= 0 <= high[0]
        assert binomtest(hits, 1000, level).pvalue > 1e-3


def test_bootstrap_intervals_resample_whole_runs():
    values = np.random.RandomState(0).normal(size=(30, 1)) + np.array([0, 5, -2])
    low, high = bootstrap_interval(values)
    np.testing.assert_allclose(low - low[0], [0, 5, -2], atol=1e-9)
    np.testing.assert_allclose(high - low, (high - low)[0])
    assert (low < values.mean(0)).all()
    assert (values.mean(0) < high).all()
    np.testing.assert_array_equal(bootstrap_interval(values), (low, high))
    np.testing.assert_array_equal(bootstrap_interval(np.full((5, 2), 3.0)), np.full((2, 2), 3.0))


regrets_of_runs = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@given(st.lists(regrets_of_runs, min_size=1, max_size=3))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_mean_ranks_are_those_of_all_ways_to_draw_a_run_of_each(regrets):
    ranks = mean_ranks({str(number): values for number, values in enumerate(regrets)})
    expected = np.mean([rankdata(drawn) for drawn in itertools.product(*regrets)], axis=0)
    np.testing.assert_allclose(list(ranks.values()), expected)
    assert sum(ranks.values()) == pytest.approx(len(regrets) * (len(regrets) + 1) / 2)


# Summaries


@pytest.fixture(scope="module")
def compared() -> tuple[dict[str, jn.simulation.Trials], jn.TableBenchmark]:
    bench = random_bench()
    worst = int(np.argmin(bench.held_out.scores(np.arange(125)[:, None])))

    def ask(state, t, key):
        return jn.Query(SMALL.arch_at(worst))

    strategies = {
        "worst_only": jn.Strategy("worst_only", lambda key, num_trials: (), ask, lambda state, *told: state),
        "random": jn.random_search(SMALL),
        "local": jn.local_search(SMALL),
    }
    return jn.compare(strategies, bench, num_trials=30, num_runs=20).trials, bench


def test_a_summary_has_a_row_a_strategy_best_first(compared):
    trials, bench = compared
    frame = summary(trials, bench)
    assert list(frame.columns) == ["regret", "low", "high", "test", "validation", "rank"]
    assert set(frame.index) == set(trials)
    assert frame["rank"].is_monotonic_increasing
    assert frame.index[-1] == "worst_only"
    for name, row in frame.iterrows():
        regrets = regret(trials[name], bench)[:, -1]
        low, high = mean_interval(regrets[:, None])
        assert row["regret"] == pytest.approx(100 * regrets.mean(), abs=1e-3)
        assert row["low"] == pytest.approx(100 * low[0], abs=1e-3)
        assert row["high"] == pytest.approx(100 * high[0], abs=1e-3)
        assert row["test"] == pytest.approx(100 * (jn.analysis.optimum(bench).value - regrets.mean()), abs=1e-3)
        validation = incumbent_scores(trials[name], bench, "validation")[:, -1]
        assert row["validation"] == pytest.approx(100 * validation.mean(), abs=1e-3)
    assert summary(dict(reversed(trials.items())), bench).equals(frame)


def test_a_summary_as_a_dictionary_agrees_with_regrets(compared):
    trials, bench = compared
    result = summarize(trials, bench)
    assert result["budget"] == [4.0 * number for number in range(1, 31)]
    assert list(result["strategies"]) == list(trials)
    for name, each in result["strategies"].items():
        regrets = regret(trials[name], bench)
        np.testing.assert_allclose(each["regret_mean"], regrets.mean(0), rtol=1e-6)
        by_cost = at_budgets(regrets, trials[name], np.asarray(result["budget"])).mean(0)
        np.testing.assert_allclose(each["regret_mean_by_cost"], by_cost, rtol=1e-6)
        scores = incumbent_scores(trials[name], bench)[:, -1]
        assert each["final_test_mean"] == pytest.approx(scores.mean(), rel=1e-5)
        assert each["final_test_std"] == pytest.approx(scores.std(), abs=1e-6)
        areas = regrets.mean(1)
        assert each["regret_area_mean"] == pytest.approx(areas.mean(), rel=1e-5)
        ends = mean_interval(areas[:, None])
        assert [each["regret_area_ci_low"], each["regret_area_ci_high"]] == pytest.approx(np.ravel(ends), rel=1e-5)
        assert len(each["mean_rank_over_trials"]) == 30
        assert each["mean_rank_over_trials"][-1] == each["mean_rank"]
    assert sum(each["mean_rank"] for each in result["strategies"].values()) == pytest.approx(6)
    assert sum(each["probability_best"] for each in result["strategies"].values()) == pytest.approx(1)
    final = {name: regret(each, bench)[:, -1] for name, each in trials.items()}
    assert result["pairwise"] == pairwise(final)


def test_repeated_trainings_are_free_by_cost(compared):
    trials, bench = compared
    result = summarize({"worst_only": trials["worst_only"]}, bench)["strategies"]["worst_only"]
    assert trials["worst_only"].observation.cost.sum(1).tolist() == [12] * 20  # three seeds of four epochs
    np.testing.assert_allclose(result["regret_mean_by_cost"][2:], result["regret_mean"][-1], rtol=1e-6)


def test_strategies_that_train_briefly_too_are_compared_at_equal_cost(compared):
    trials, bench = compared
    assert summarize(trials, bench)["equal_cost"] is None
    halving = jn.run(jn.successive_halving(SMALL, fidelities=bench.fidelities), bench, num_trials=30, num_runs=20)
    result = summarize({**trials, "halving": halving}, bench)
    number = result["equal_cost"]
    paid = halving.observation.cost.sum(1).min() / bench.fidelities[-1]
    assert paid - 1 < number <= paid < 30
    assert result["budget"][number - 1] == number * bench.fidelities[-1]
    regrets = regret(halving, bench)
    spent = halving.observation.cost.cumsum(1) <= result["budget"][number - 1]
    found = np.take_along_axis(regrets, spent.sum(1)[:, None] - 1, 1)
    low, high = mean_interval(found)
    shown = result["strategies"]["halving"]
    ends = [shown[f"regret_{end}_by_cost"][number - 1] for end in ("mean", "ci_low", "ci_high")]
    assert ends == pytest.approx([found.mean(), low[0], high[0]])


def test_budgets_are_of_mean_prices():
    random = np.random.RandomState(0)
    seconds = random.randint(1, 9, 12).astype(np.float32)
    columns = {"seconds": (seconds, "seconds")}
    protocols = {"by_time": {"price": "seconds"}}
    scores = random.uniform(size=(2, 12, 1, 2))
    table = jn.Table.from_arrays(MIXED, "noise", *scores, [1, 3], columns=columns, protocols=protocols)
    bench = jn.TableBenchmark(table, protocol="by_time")
    trials = jn.run(jn.random_search(MIXED), bench, num_trials=10, num_runs=2)
    found = summarize({"random": trials}, bench)
    assert found["budget"] == pytest.approx(seconds.mean(dtype=np.float64) * np.arange(1, 11))
    by_cost = at_budgets(regret(trials, bench), trials, np.asarray(found["budget"])).mean(0)
    shown = np.asarray(found["strategies"]["random"]["regret_mean_by_cost"], float)  # None where nothing is paid for
    np.testing.assert_allclose(shown, by_cost, rtol=1e-6)


@pytest.mark.parametrize("space", [SMALL, SMALL.enumerated()], ids=["architectures", "rows"])
def test_a_frame_has_a_row_a_trial_and_agrees_with_the_trials(space):
    bench = random_bench()
    trials = jn.run(jn.local_search(space), bench, num_trials=12, num_runs=3)
    frame = jn.analysis.to_frame(trials, bench)
    assert len(frame) == 36
    for (run, number), row in frame.set_index(["run", "trial"]).iterrows():
        arch = trials.query.arch[run, number]
        assert row["architecture"] == space.to_str(arch)
        assert row["epochs"] == 4
        assert row["validation"] == trials.observation.score[run, number]
        assert row["seed"] == trials.observation.seed[run, number]
        assert row["cost"] == trials.observation.cost[run, number]
        assert row["total_cost"] == trials.observation.cost[run, : number + 1].sum()
        assert row["incumbent"] == incumbents(trials)[run, number]
        assert row["test_regret"] == regret(trials, bench)[run, number]


def test_a_frame_of_a_benchmark_without_optimum_has_no_regret():
    bench = jn.benchmarks.FunctionBenchmark(MIXED, lambda arch: arch.sum())
    frame = jn.analysis.to_frame(jn.run(jn.random_search(MIXED), bench, num_trials=3, num_runs=2), bench)
    assert "test_regret" not in frame.columns
    assert frame["architecture"][0] in {MIXED.to_str(MIXED.arch_at(row)) for row in range(12)}


def test_a_frame_of_rows_of_a_plain_space_has_the_strings_of_the_space():
    random = np.random.RandomState(0)
    bench = jn.TableBenchmark(jn.Table.from_arrays(MIXED, "noise", *random.uniform(size=(2, 12, 1, 1)), [1]))
    trials = jn.run(jn.random_search(EnumeratedSpace(MIXED)), bench, num_trials=3, num_runs=2)
    strings = [MIXED.to_str(MIXED.arch_at(row)) for row in trials.query.arch.ravel()]
    assert jn.analysis.to_frame(trials, bench)["architecture"].tolist() == strings


def test_strategies_that_asked_the_same_are_known():
    one, other = make_trials([[0, 1], [1, 2]], np.zeros((2, 2))), make_trials([[0, 1], [1, 1]], np.zeros((2, 2)))
    later = make_trials([[0, 1], [1, 2]], np.zeros((2, 2)), [[0, 0], [0, 1]])
    runs = {"one": one, "other": other, "later": later, "same": one, "again": other}
    assert same_queries(runs) == {"same": "one", "again": "other"}
