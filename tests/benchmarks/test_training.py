"""Benchmarks that train: the answers of the table of the same trainings, each trained once."""

import jax
import numpy as np
import pytest
from helpers.samples import SMALL, TINY, make_strategy

import jaxnas as jn
from jaxnas.tables.table import Table
from jaxnas.training.trainer import Trainer

HYPERPARAMETERS = {  # small ones, so that short runs reach all phases
    "regularized_evolution": {"population_size": 6},
    "genetic_algorithm": {"population_size": 6},
    "cross_entropy": {"batch_size": 8},
}

ONE_OF_EACH_KIND = (
    "random_search",
    "local_search",
    "regularized_evolution",
    "cross_entropy",
    "predictor_guided",
    "nsga2",
    "hyperband",
    "asynchronous_halving",
)
"""Strategies that draw, step to neighbors, mutate, learn marginals, call a regressor, rank and promote. All strategies
ask in a loop as in a run: `strategies/test_contracts.py`.
"""


@pytest.fixture(scope="module")
def trainer(task) -> Trainer:
    return Trainer(SMALL, task, TINY)


@pytest.fixture(scope="module")
def trained(trainer) -> Table:
    """Returns the table of the small space, every class trained with two seeds."""
    class_rows, class_of = np.unique(SMALL.classes(), return_inverse=True)
    curves, task = trainer.curves(np.asarray(SMALL.arch_at(class_rows)), [0, 1]), trainer.task
    splits = (getattr(curves, split)[class_of] for split in ("validation", "test"))
    num_examples = {split: getattr(task, split).num_examples for split in ("validation", "test")}
    return Table.from_arrays(SMALL, task, *splits, [1, 2], num_examples=num_examples)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_search_that_trains_is_the_search_on_the_table_of_its_trainings(name, trainer, trained):
    strategy = make_strategy(name, SMALL, **HYPERPARAMETERS.get(name, {}))
    training = jn.benchmarks.TrainingBenchmark(trainer, num_seeds=2)
    trials = jn.run(strategy, training, num_trials=25, num_runs=1, seed=3)
    table = jn.TableBenchmark(trained, space=SMALL)
    looked_up = jn.run(strategy, table, num_trials=25, num_runs=1, seed=3)
    jax.tree.map(np.testing.assert_array_equal, trials, looked_up)
    assert set(trials.observation.seed.ravel()) == {0, 1}
    assert len(np.unique(trials.observation.score)) > 3


def test_trainings_are_not_repeated(trainer, monkeypatch):
    trained, curves = [], trainer.curves

    def counting(archs, seeds):
        trained.extend((tuple(arch), seed) for arch in archs.tolist() for seed in seeds)
        return curves(archs, seeds)

    monkeypatch.setattr(trainer, "curves", counting)
    bench = jn.benchmarks.TrainingBenchmark(trainer, num_seeds=2)
    trials = jn.run(jn.local_search(SMALL), bench, num_trials=60, num_runs=1)
    asked = {
        (tuple(np.asarray(SMALL.canonical(arch)).tolist()), int(seed))
        for arch, seed in zip(trials.query.arch[0], trials.observation.seed[0], strict=True)
    }
    assert len(trained) == len(asked) < 60
    assert set(trained) == asked


def test_scores_of_a_training_benchmark_are_means_of_what_was_trained(trainer, trained):
    bench = jn.benchmarks.TrainingBenchmark(trainer, num_seeds=2)
    archs = np.asarray(SMALL.arch_at(np.array([[124, 31], [62, 6]])))
    for seed in (0, 1):
        bench.curves(archs[0, 0], seed)
    bench.curves(archs[0, 1], 1)
    bench.curves(archs[1, 0], 0)
    for split, scores_of in (("validation", bench.validation_scores), ("test", bench.held_out.scores)):
        scores = scores_of(archs)
        stored = trained.scores(split)[..., -1]
        expected = [[stored[124].mean(), stored[31, 1]], [stored[62, 0], np.nan]]
        np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_diverged_training_is_answered_with_nan(trainer, monkeypatch):
    curves = trainer.curves

    def diverging(archs, seeds):
        found = curves(archs, seeds)
        return found._replace(loss=np.where([False, True], np.inf, found.loss))

    monkeypatch.setattr(trainer, "curves", diverging)
    bench = jn.benchmarks.TrainingBenchmark(trainer)
    scores = [bench.query(jn.Query(SMALL.arch_at(31), fidelity), jax.random.key(0)).score for fidelity in range(2)]
    assert np.isnan(scores).tolist() == [False, True]


def test_no_seeds_are_refused(trainer):
    with pytest.raises(ValueError, match=r"^Expected num_seeds to be an int of at least 1, got 0"):
        jn.benchmarks.TrainingBenchmark(trainer, num_seeds=0)
