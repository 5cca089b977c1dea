"""Benchmarks as functions of named values: their trials, and real optimizers of other libraries on them."""

import jax
import numpy as np
import optuna
import pytest
from helpers.samples import random_bench

import jaxnas as jn
from jaxnas.simulation import joined, objective
from jaxnas.simulation.run import check_queries

BENCH = random_bench("small")
CONSTRAINED = jn.SearchSpace(
    "ordered", [jn.Decision("a", range(4)), jn.Decision("b", range(4))], valid=lambda arch: arch[0] <= arch[1]
)


def by_optuna(seed: int, num_trials: int) -> jn.simulation.Trials:
    """Returns the trials of Optuna's random sampler, as a user writes it."""
    score = objective(BENCH, seed=seed)
    space = {decision.name: [str(value) for value in decision.values] for decision in BENCH.space.decisions}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=seed))
    study.optimize(
        lambda trial: score({name: trial.suggest_categorical(name, values) for name, values in space.items()}),
        n_trials=num_trials,
    )
    observed = score.trials().observation.score[0]
    np.testing.assert_array_equal(observed, [np.float32(trial.value) for trial in study.trials])
    return score.trials()


def test_runs_of_another_library_are_trials_with_a_regret():
    trials = joined([by_optuna(seed, 12) for seed in range(3)])
    assert trials.query.arch.shape == (3, 12, len(BENCH.space.decisions))
    check_queries(trials, jn.random_search(BENCH.space), BENCH)
    regret = jn.regret(trials, BENCH)
    assert regret.shape == (3, 12)
    stored = BENCH.table.scores("validation")
    rows = np.asarray(jax.vmap(jax.vmap(BENCH.space.index))(trials.query.arch))
    expected = stored[rows, trials.observation.seed, -1]
    np.testing.assert_allclose(trials.observation.score, expected, rtol=1e-6)


def test_an_architecture_paid_for_is_free_and_a_seed_gives_the_same_answers():
    values = [BENCH.space.decode(BENCH.space.arch_at(row)) for row in (3, 3, 3, 3, 3, 7)]
    first, again = objective(BENCH, seed=4), objective(BENCH, seed=4)
    assert [first(each) for each in values] == [again(each) for each in values]
    observation = first.trials().observation
    for stored in np.unique(observation.seed[0, :5]):
        assert (observation.cost[0, :5][observation.seed[0, :5] == stored] > 0).sum() == 1
    others = [objective(BENCH, seed=seed)(values[0]) for seed in range(20)]
    assert len(set(others)) > 1


def test_values_that_are_no_architecture_are_repaired():
    bench = jn.benchmarks.FunctionBenchmark(CONSTRAINED, lambda arch: arch.sum().astype(float))
    score = objective(bench)
    assert score({"a": 1, "b": 2}) == 3
    score({"a": "3", "b": "0"})
    archs = score.trials().query.arch[0]
    np.testing.assert_array_equal(archs[0], [1, 2])
    assert archs[1, 0] <= archs[1, 1]


def test_what_cannot_be_a_trial_is_refused():
    with pytest.raises(ValueError, match="Expected at least one trial, got none"):
        objective(BENCH).trials()
    with pytest.raises(ValueError, match="Expected a value for each of"):
        objective(BENCH)({})
    with pytest.raises(ValueError, match="Expected a seed that is a whole number"):
        objective(BENCH, seed=-1)
    with pytest.raises(ValueError, match="Expected runs of equal numbers of trials, got none"):
        joined([])
    with pytest.raises(ValueError, match=r"Expected runs of equal numbers of trials, got \[2, 3\]"):
        joined([by_optuna(0, 2), by_optuna(0, 3)])
