"""Strategies that are first given architectures."""

import jax
import numpy as np
import pytest
from helpers.samples import GRID, MIXED, assert_equal_trials, random_bench, tied_bench, total
from sklearn.linear_model import LinearRegression

import jaxnas as jn

GIVEN = np.asarray([[0, 1, 1], [1, 2, 0], [1, 0, 0], [0, 0, 1]])
NUM_TRIALS = 12


def run(strategy: jn.Strategy, num_runs: int = 20) -> jn.simulation.Trials:
    return jn.run(strategy, random_bench("mixed"), num_trials=NUM_TRIALS, num_runs=num_runs)


@pytest.fixture(scope="module")
def cold() -> jn.simulation.Trials:
    return run(jn.random_search(MIXED))


def test_without_architectures_it_is_the_strategy_itself():
    for nothing in ([], np.zeros((0, 3), int)):
        strategy = jn.regularized_evolution(MIXED)
        assert jn.transfer.warm_started(strategy, nothing) is strategy


def test_given_architectures_come_first_and_all_else_is_as_it_was(cold):
    strategy = jn.transfer.warm_started(jn.random_search(MIXED), GIVEN)
    assert strategy is jn.transfer.warm_started(jn.random_search(MIXED), GIVEN.tolist())
    trials = run(strategy)
    later = jax.tree.map(lambda values: values[:, len(GIVEN) :], (trials.query, trials.observation.score))
    assert_equal_trials(
        later, jax.tree.map(lambda values: values[:, len(GIVEN) :], (cold.query, cold.observation.score))
    )


def test_each_run_asks_for_them_in_an_order_of_its_own(cold):
    trials = run(jn.transfer.warm_started(jn.random_search(MIXED), GIVEN))
    first = trials.query.arch[:, : len(GIVEN)]
    assert all({*map(tuple, archs)} == {*map(tuple, GIVEN.tolist())} for archs in first.tolist())
    assert len(np.unique(first, axis=0)) > 5
    np.testing.assert_array_equal(trials.query.arch[:, len(GIVEN) :], cold.query.arch[:, len(GIVEN) :])


def test_the_strategy_learns_them_as_its_own():
    """Told the given trials, evolution has them as its population: what follows is a mutant of their best."""
    inner = jn.regularized_evolution(MIXED, population_size=4, sample_size=30)
    loop = jn.AskTell(jn.transfer.warm_started(inner, GIVEN), num_trials=6, key=jn.simulation.run_key(0, 0))
    asked = []
    for score in (0.1, 0.4, 0.9, np.nan):
        asked.append(loop.ask().arch)
        loop.tell(score)
    assert (loop.ask().arch != asked[2]).sum() == 1


def test_strategies_that_loop_in_python_can_be_warm_started():
    inner = jn.predictor_guided(MIXED, regressor_factory=LinearRegression, num_startup=5, num_candidates=10)
    trials = run(jn.transfer.warm_started(inner, GIVEN), 1)
    assert {*map(tuple, trials.query.arch[0, : len(GIVEN)].tolist())} == {*map(tuple, GIVEN.tolist())}


def test_of_a_strategy_with_rungs_the_first_rung_can_be_given():
    bench = tied_bench()
    archs = np.asarray(GRID.arch_at(np.arange(9)))
    strategy = jn.successive_halving(GRID, fidelities=bench.fidelities, num_initial=9)
    trials = jn.run(jn.transfer.warm_started(strategy, archs), bench, num_trials=13, num_runs=2)
    assert (np.sort(np.asarray(jax.vmap(jax.vmap(GRID.index))(trials.query.arch[:, :9]))) == np.arange(9)).all()
    assert (trials.query.fidelity[:, :9] == 0).all()
    promoted = trials.query.arch[:, 9:12]
    assert (promoted[:, :, None] == archs).all(-1).any(-1).all()
    with pytest.raises(ValueError, match=r"^Expected at most 9 architectures to begin successive_halving with, got 10"):
        jn.transfer.warm_started(strategy, np.asarray(GRID.arch_at(np.arange(10))))


@pytest.mark.parametrize(
    ("archs", "message"),
    [
        ([0, 1, 1], r"\[n, D\], got int64\[3\]"),
        ([[0.5, 1, 1]], r"got float64\[1, 3\]"),
        ([[-1, 0, 0]], "whole numbers"),
    ],
)
def test_what_are_no_architectures_is_refused(archs, message):
    with pytest.raises(ValueError, match=f"^Expected architectures of {message}|{message}"):
        jn.transfer.warm_started(jn.random_search(MIXED), archs)


def test_architectures_of_another_space_and_those_beyond_the_limit_are_refused():
    with pytest.raises(ValueError, match=r"^Expected architectures of 3 choices to begin random_search with, got 4"):
        run(jn.transfer.warm_started(jn.random_search(MIXED), [[0, 0, 0, 0]]))
    limited = jn.constrained(jn.random_search(MIXED), MIXED, total, 2)
    with pytest.raises(ValueError, match=r"^Expected architectures of a size up to 2, got one of 3"):
        jn.transfer.warm_started(limited, GIVEN)
