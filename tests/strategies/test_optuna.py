"""Optuna's samplers as strategies, and runs as Optuna studies."""

import builtins
import functools

import numpy as np
import optuna
import pytest
from helpers.samples import MIXED, SMALL

import jaxnas as jn
from jaxnas import catalog

RANDOM = optuna.samplers.RandomSampler
STATES = optuna.trial.TrialState
ODD = jn.SearchSpace("odd", (jn.Decision("shape", ((3, 3), (5, 5))), jn.Decision("bias", (1, True, None))))
"""A space with values that Optuna cannot keep or distinguish."""


@functools.cache
def make_bench(failed: float = 0.0) -> jn.TableBenchmark:
    """Returns a table of MIXED whose best architecture is row 7."""
    random = np.random.RandomState(0)
    scores = np.linspace(0.5, 0.1, 12)[abs(np.arange(12) - 7)][:, None, None].astype(np.float32)
    scores = np.repeat(scores, 4, axis=1)
    scores[random.uniform(size=scores.shape) < failed] = np.nan
    return jn.TableBenchmark(jn.Table.from_arrays(MIXED, "hill", scores, scores, [1]), space=MIXED)


def test_a_sampler_runs_as_a_strategy_and_its_trials_replay():
    bench = make_bench()
    strategy = jn.optuna.optuna_strategy(MIXED, RANDOM)
    assert (strategy.name, strategy.jittable) == ("optuna_RandomSampler", False)
    trials = jn.run(strategy, bench, num_trials=15, num_runs=3, seed=4)
    rows = np.ravel_multi_index(np.moveaxis(trials.query.arch, -1, 0), (2, 3, 2))
    assert trials.query.arch.dtype == np.int32
    np.testing.assert_array_equal(trials.observation.score, bench.table.scores("validation")[rows, 0, -1])
    assert len({run.tobytes() for run in rows}) == 3  # each run has its own seed


def test_a_run_is_the_same_again_and_does_not_depend_on_the_other_runs():
    strategy = jn.optuna.optuna_strategy(MIXED, functools.partial(optuna.samplers.TPESampler, n_startup_trials=4))
    one, two = (jn.run(strategy, make_bench(), num_trials=12, num_runs=number, seed=2) for number in (1, 2))
    np.testing.assert_array_equal(one.query.arch[0], two.query.arch[0])


def test_the_sampler_learns_from_what_it_is_told():
    bench = make_bench()
    sampler = functools.partial(optuna.samplers.TPESampler, n_startup_trials=5)
    score = jn.run(jn.optuna.optuna_strategy(MIXED, sampler), bench, num_trials=40, num_runs=4).observation.score[
        :, 20:
    ]
    scores = bench.table.scores("validation")[:, 0, -1]
    assert score.mean() > scores.mean() + 4 * scores.std() / np.sqrt(score.size)  # than uniform draws


def test_failed_trials_are_told_as_failed_and_the_study_is_the_state():
    strategy = jn.optuna.optuna_strategy(MIXED, RANDOM)
    study, asked = strategy.init(jn.simulation.run_key(0, 0), 3), []
    for t, score in enumerate((0.25, np.nan, 0.75)):
        query = strategy.ask(study, t, jn.simulation.run_key(0, t))
        study = strategy.tell(study, t, query, jn.simulation.Observation(np.float32(score), 1, 0))
        asked.append(query.arch)
    assert [trial.state for trial in study.trials] == [STATES.COMPLETE, STATES.FAIL, STATES.COMPLETE]
    assert (study.best_value, study.direction) == (0.75, optuna.study.StudyDirection.MAXIMIZE)
    archs = [[trial.params[decision.name] for decision in MIXED.decisions] for trial in study.trials]
    np.testing.assert_array_equal(archs, asked)


@pytest.mark.parametrize("factory", [lambda seed: None, lambda seed: RANDOM])
def test_a_factory_of_something_else_is_refused(factory):
    with pytest.raises(ValueError, match=r"^Expected sampler_factory to return an Optuna sampler, got "):
        jn.optuna.optuna_strategy(MIXED, factory)
    with pytest.raises(ValueError, match=r"^Expected sampler_factory to be a function, got 3"):
        jn.optuna.optuna_strategy(MIXED, 3)


def test_a_new_study_is_not_logged_and_the_verbosity_stays(caplog):
    optuna.logging.enable_propagation()
    before = optuna.logging.get_verbosity()
    strategy = jn.optuna.optuna_strategy(MIXED, RANDOM)
    strategy.init(jn.simulation.run_key(0, 0), 3)
    optuna.logging.disable_propagation()
    assert caplog.text == ""
    assert optuna.logging.get_verbosity() == before


def test_a_run_becomes_a_study_with_readable_values():
    trials = jn.run(jn.random_search(MIXED), make_bench(failed=0.4), num_trials=20, num_runs=3)
    study = jn.optuna.to_optuna_study(trials, MIXED)
    score = trials.observation.score[0]
    assert np.isnan(score).any()
    assert [trial.params for trial in study.trials] == [MIXED.decode(arch) for arch in trials.query.arch[0]]
    assert [trial.state for trial in study.trials] == [STATES.FAIL if np.isnan(s) else STATES.COMPLETE for s in score]
    assert [trial.value for trial in study.trials] == [None if np.isnan(s) else float(s) for s in score]
    assert study.best_value == np.nanmax(score)
    for t, trial in enumerate(study.trials):
        paid, seed = trials.observation.cost[0, t], trials.observation.seed[0, t]
        assert trial.user_attrs == {"cost": paid, "seed": seed, "fidelity": 0}
    assert set(optuna.importance.get_param_importances(study)) == {"depth", "width", "act"}


def test_the_trials_of_a_loop_become_a_study_too():
    loop = jn.AskTell(jn.random_search(SMALL), num_trials=4, key=jn.simulation.run_key(0, 0))
    for _ in range(4):
        loop.ask()
        loop.tell(0.5)
    study = jn.optuna.to_optuna_study(loop.trials(), SMALL)
    assert [trial.params for trial in study.trials] == [SMALL.decode(arch) for arch in loop.trials().query.arch]


def test_values_that_optuna_cannot_keep_or_distinguish_are_text():
    query = jn.Query(np.array([[0, 0], [1, 1], [1, 2]], np.int32), np.zeros(3, np.int32))
    trials = jn.simulation.Trials(
        query, jn.simulation.Observation(np.float32([0.1, 0.2, 0.3]), np.ones(3, np.float32), np.zeros(3, int))
    )
    params = [trial.params for trial in jn.optuna.to_optuna_study(trials, ODD).trials]
    assert [param["shape"] for param in params] == ["(3, 3)", "(5, 5)", "(5, 5)"]
    assert [param["bias"] for param in params] == ["0: 1", "1: True", "2: None"]


def test_a_run_of_another_space_is_refused():
    trials = jn.run(jn.random_search(MIXED), make_bench(), num_trials=20, num_runs=2)
    narrower = jn.SearchSpace("narrower", tuple(jn.Decision(name, range(2)) for name in "abc"))
    for space in (narrower, jn.NB201):
        with pytest.raises(ValueError, match=rf"^Expected trials of {space.name}, got architectures"):
            jn.optuna.to_optuna_study(trials, space)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    plain_import = builtins.__import__

    def no_optuna(name, *arguments, **keywords):
        if name == "optuna":
            raise ImportError(name)
        return plain_import(name, *arguments, **keywords)

    trials = jn.run(jn.random_search(MIXED), make_bench(), num_trials=2, num_runs=1)
    monkeypatch.setattr(builtins, "__import__", no_optuna)
    for call in (lambda: jn.optuna.optuna_strategy(MIXED, RANDOM), lambda: jn.optuna.to_optuna_study(trials, MIXED)):
        with pytest.raises(ValueError, match=r"^Expected the package optuna, got none: pip install 'jaxnas\[optuna\]'"):
            call()


def test_it_is_no_strategy_of_the_catalog():
    assert not [name for name in catalog.STRATEGIES if "optuna" in name]
