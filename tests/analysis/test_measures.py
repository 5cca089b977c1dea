"""What strategies are compared by: hypervolume with two objectives, equal cost with several fidelities, budgets."""

import json

import numpy as np
import pytest
from helpers.samples import GRID, MIXED, make_bench, smooth_bench

import jaxnas as jn
from jaxnas.analysis import fronts
from jaxnas.analysis.budgets import at_budgets, within_budget
from jaxnas.analysis.power_analysis import num_runs_interval
from jaxnas.analysis.results import summarize


def make_trials(scores, costs, archs=None) -> jn.simulation.Trials:
    """Returns trials [runs, T] on MIXED, by default of its first architecture."""
    scores = np.asarray(scores, np.float32)
    archs = np.zeros((*scores.shape, 3), np.int32) if archs is None else archs
    observation = jn.simulation.Observation(scores, np.asarray(costs, np.float32), np.zeros(scores.shape, np.int32))
    return jn.simulation.Trials(jn.Query(archs, np.zeros(scores.shape, np.int32)), observation)


@pytest.fixture(scope="module")
def sized() -> jn.TableBenchmark:
    """Returns a table on GRID of which larger architectures are better, with two fidelities, and sizes from 1."""
    bench = smooth_bench(GRID, fidelities=(1, 3))
    sizes = 10.0 ** np.indices((4, 4, 4, 4)).reshape(4, -1).sum(0)
    return jn.TableBenchmark(bench.table.with_columns({"latency": (sizes, "milliseconds")}), space=GRID)


# Budgets


def test_a_budget_pays_for_trials_until_it_is_spent_and_where_told_for_the_one_that_crosses_it():
    trials = make_trials([[0.1, 0.2, 0.3, 0.4]] * 2, [[2, 1, 0, 4], [1, 1, 1, 0]])
    values = np.array([[10, 11, 12, 13], [20, 21, 22, 23]])
    budgets = np.array([0.5, 2, 2.5, 3, 7, 9])
    crossing = at_budgets(values, trials, budgets, crossing=True)
    np.testing.assert_array_equal(crossing, [[10, 10, 11, 11, 13, 13], [20, 21, 22, 22, 23, 23]])
    reserved = np.array([[5, 5, 1, 1], [0, 0, 0, 9]])
    found = at_budgets(values, trials, np.array([3, 4, 8]), reserved=reserved)
    np.testing.assert_array_equal(found, [[np.nan, 12, 13], [22, 22, 22]])


def test_trials_after_a_budget_count_as_failed_at_no_cost():
    trials = make_trials([[0.1, 0.2, 0.3, 0.4]], [[2, 1, 3, 4]])
    found = within_budget(trials, 3.5)
    np.testing.assert_array_equal(found.observation.score, np.float32([[0.1, 0.2, np.nan, np.nan]]))
    assert found.observation.cost.tolist() == [[2, 1, 0, 0]]
    assert within_budget(trials, 3.5, crossing=True).observation.cost.tolist() == [[2, 1, 3, 0]]


def test_runs_within_a_budget_are_as_long_as_it_takes(sized):
    strategies = {"random": jn.random_search(GRID), "halving": jn.successive_halving(GRID, fidelities=(1, 3))}
    found = jn.compare(strategies, sized, budget=30, num_runs=6)
    for trials in found.trials.values():
        spent = trials.observation.cost.sum(1)
        assert ((spent > 30 - 3) & (spent <= 30)).all()
    result = found.result()
    assert found.trials["random"].observation.score.shape == found.trials["halving"].observation.score.shape
    assert result["num_trials"] > 10  # what full trainings would be
    assert result["strategies"]["random"]["num_trials_mean"] == pytest.approx(10, abs=2)
    assert result["budget_limit"] == {"amount": 30, "unit": "epochs", "counts_crossing_trial": False}
    assert result["compared_by"] == {"measure": "regret", "at": "budget", "text": "regret for 30 epochs"}
    assert result["budget"][-1] == 30
    for each in result["strategies"].values():
        assert each["regret_mean_by_cost"][-1] == pytest.approx(each["regret_mean"][-1])
        assert each["compared_mean"] == pytest.approx(each["regret_mean"][-1])
    for wrong in ({"num_trials": 5}, {"until_decided": True}):
        with pytest.raises(ValueError, match=r"^Expected a (number of trials or a )?budget"):
            jn.compare(strategies, sized, budget=30, **wrong)


def test_a_comparison_after_confirmation_reports_it_and_its_cost(sized):
    settings = {"num_trials": 12, "num_runs": 8}
    found = jn.compare({"random": jn.random_search(GRID)}, sized, confirm=(3, 1), **settings)
    result = found.result()
    numbers, trials = result["strategies"]["random"], found.trials["random"]
    assert result["confirm"] == {"candidates": 3, "runs": 1}
    assert numbers["confirmation_cost_mean"] == 9
    assert numbers["regret_mean"] == pytest.approx(jn.regret(trials, sized, confirm=(3, 1)).mean(0).tolist())
    within = jn.compare({"random": jn.random_search(GRID)}, sized, confirm=(3, 1), budget=30, num_runs=8)
    assert (within.trials["random"].observation.cost.sum(1) <= 21).all()
    assert found.summary()["regret"].iloc[0] == pytest.approx(100 * numbers["regret_mean"][-1], abs=1e-3)


# Equal cost


def test_strategies_that_train_briefly_too_are_tested_at_equal_cost(sized):
    runs = {"num_trials": 20, "num_runs": 12}
    strategies = {"random": jn.random_search(GRID), "halving": jn.successive_halving(GRID, fidelities=(1, 3))}
    trials = {name: jn.run(strategy, sized, **runs) for name, strategy in strategies.items()}
    result = summarize(trials, sized)
    cost = result["equal_cost"]
    assert result["compared_by"]["text"] == f"regret at the cost of {cost} full trainings"
    at_cost = {
        name: at_budgets(jn.regret(each, sized), each, np.asarray([3.0 * cost]))[:, 0] for name, each in trials.items()
    }
    assert result["pairwise"] == jn.analysis.pairwise(at_cost)
    assert result["strategies"]["random"]["compared_mean"] == pytest.approx(at_cost["random"].mean())
    (last,) = result["secondary"]
    assert (last["measure"], last["at"]) == ("regret", "trials")
    assert last["pairwise"] == jn.analysis.pairwise(trials, sized)
    assert last["pairwise"] != result["pairwise"]
    until = jn.compare(strategies, sized, until_decided=True, **runs).result()
    assert until["compared_by"]["at"] == "cost"


# Two objectives


def test_with_two_objectives_everything_is_of_the_hypervolume(sized):
    strategies = {
        "random": jn.random_search(GRID),
        "nsga2": jn.nsga2(GRID, size=sized.size("latency"), population_size=4),
    }
    trials = {name: jn.run(strategy, sized, num_trials=24, num_runs=10) for name, strategy in strategies.items()}
    found = jn.compare(strategies, sized, num_trials=24, num_runs=10, objective="accuracy,log-latency")
    result = found.result()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    missing, distances = {}, {}
    for name, each in trials.items():
        volumes, distance = fronts.front_quality(each, sized, "latency", np.asarray([24]), log=True)
        missing[name], distances[name] = 1 - volumes[:, 0], distance[:, 0]
    assert result["compared_by"]["text"] == "missing hypervolume after 24 trials"
    assert result["pairwise"] == jn.analysis.pairwise(missing)
    assert result["secondary"][0]["measure"] == "igd_plus"
    assert result["secondary"][0]["pairwise"] == jn.analysis.pairwise(distances)
    for name, numbers in result["strategies"].items():
        assert numbers["compared_mean"] == pytest.approx(missing[name].mean())
        assert numbers["mean_rank"] == numbers["mean_rank_over_trials"][-1]
    assert set(result["fronts"]["strategies"]["nsga2"]["attainment"]) == {"0.25", "0.5", "0.75"}
    assert result["fronts"]["reference"]["margin"] == 0.1


@pytest.mark.parametrize("log", [False, True])
def test_hypervolumes_are_areas_up_to_a_tenth_beyond_the_nadir(sized, log):
    front = fronts.true_front(sized, "latency")[:, None]
    scores, sizes = sized.held_out.scores(front), sized.sizes("latency", front)
    scale = fronts.scale_of(sized, "latency", log=log)
    measured = np.log(sizes) if log else sizes
    random = np.random.default_rng(0)
    points = random.uniform(size=(200_000, 2)) * 1.1
    for chosen in (np.arange(len(front)), np.asarray([0]), np.asarray([len(front) - 1]), np.asarray([1, 3])):
        losses = (scores.max() - scores[chosen]) / np.ptp(scores)
        lengths = (measured[chosen] - measured.min()) / np.ptp(measured)
        inside = ((losses <= points[:, :1]) & (lengths <= points[:, 1:])).any(1).mean() * 1.1**2
        assert scale.hypervolume(scores[chosen], sizes[chosen]) == pytest.approx(inside, abs=0.01)
    # One end of the front alone has little: the worst of the front counts, not the worst of all.
    assert scale.hypervolume(scores[:1], sizes[:1]) == pytest.approx(0.1 * 1.1)
    assert scale.distance(scores, sizes, (scores, sizes)) == 0
    assert np.isfinite(scale.distance(scores[:0], sizes[:0], (scores, sizes)))


def test_attainment_surfaces_are_what_a_share_of_the_runs_had_reached():
    found = [
        (np.array([0.1, 0.5]), np.array([1, 3])),
        (np.array([0.3]), np.array([2])),
        (np.array([0.2, 0.4]), np.array([1, 2])),
        (np.array([]), np.array([])),
    ]
    surfaces = fronts.attainment(found)
    assert surfaces["0.25"] == [[1, 0.2], [2, 0.4], [3, 0.5]]
    assert surfaces["0.5"] == [[1, 0.1], [2, 0.3], [3, 0.4]]
    assert surfaces["0.75"] == [[2, 0.1], [3, 0.3]]


# Limits


def test_strategies_within_a_limit_are_judged_by_the_best_within_it(sized):
    by_hand = jn.constrained(jn.random_search(GRID), GRID, sized.size("latency"), 1e4)
    found = jn.compare({"a": by_hand}, sized, num_trials=10, num_runs=4).result()
    assert found["limit"] == {"size": "latency", "maximum": 1e4, "unit": sized.table.size_unit("latency")}
    assert found["optimum"]["value"] == jn.analysis.optimum(sized, limit=("latency", 1e4)).value
    assert found["optimum"]["value"] < jn.analysis.optimum(sized).value - 0.01
    by_text = jn.compare(
        {"a": jn.random_search(GRID)}, sized, objective="accuracy,latency<=1e4", num_trials=10, num_runs=4
    )
    assert by_text.result()["strategies"]["a"]["regret_mean"] == found["strategies"]["a"]["regret_mean"]
    other = jn.constrained(jn.random_search(GRID), GRID, sized.size("latency"), 1e5)
    with pytest.raises(ValueError, match=r"^Expected strategies within one limit, .* got limits of 10000 and 100000"):
        jn.compare({"a": by_hand, "b": other}, sized, num_trials=10, num_runs=4)


# Trials in place of regrets


def test_pairs_and_power_take_trials_too(sized):
    trials = {
        name: jn.run(strategy, sized, num_trials=8, num_runs=20)
        for name, strategy in (("random", jn.random_search(GRID)), ("local", jn.local_search(GRID)))
    }
    final = {name: jn.regret(each, sized)[:, -1] for name, each in trials.items()}
    assert jn.analysis.pairwise(trials, sized) == jn.analysis.pairwise(final)
    assert jn.analysis.power(*trials.values(), 50, bench=sized) == jn.analysis.power(*final.values(), 50)
    assert jn.analysis.num_runs_for_power(*trials.values(), bench=sized) == jn.analysis.num_runs_for_power(
        *final.values()
    )
    with pytest.raises(ValueError, match=r"^Expected the benchmark of the trials, too"):
        jn.analysis.pairwise(trials)


def test_the_interval_of_the_number_of_runs_holds_the_number_of_many_runs():
    random = np.random.default_rng(0)

    def draw(num_runs: int) -> tuple[np.ndarray, np.ndarray]:
        return random.normal(size=num_runs), 0.5 + random.normal(size=num_runs)

    true = jn.analysis.num_runs_for_power(*draw(200_000))
    hits = 0
    for _ in range(200):
        low, high = num_runs_interval(*draw(60))
        hits += low <= true <= (np.inf if high is None else high)
    assert 0.9 <= hits / 200 <= 0.99
    low, high = num_runs_interval(random.normal(size=60), random.normal(size=60))
    assert high is None
    assert low is not None


def test_too_many_trials_for_the_memory_are_refused():
    bench = make_bench(MIXED, *np.zeros((2, 12, 1, 1)))
    for wrong in ({"num_trials": 10**9}, {"num_runs": 10**9}):
        with pytest.raises(ValueError, match=r"^Expected at most [0-9,]+ trials of a strategy, which take 8 GiB"):
            jn.compare("random_search", bench, **wrong)
