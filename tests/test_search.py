"""Searches that train: the same as runs, whatever interrupts them, and with a journal that is of this search only."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from conftest import SMALL, TINY, make_task

import jaxnas as jn
from jaxnas import benchmark
from jaxnas.search import JOURNAL_FILE, Found, search
from jaxnas.train import evaluate

STRATEGY = jn.regularized_evolution(SMALL, population_size=4, sample_size=2)
NUM_TRIALS = 12


def make_bench(task, config=TINY, num_seeds: int = 2) -> jn.TrainingBenchmark:
    return jn.TrainingBenchmark(SMALL, task, config, num_seeds=num_seeds)


def start(task, folder=None, **changes) -> Found:
    arguments = {"strategy": STRATEGY, "bench": make_bench(task), "num_trials": NUM_TRIALS, "folder": folder, "seed": 3}
    return search(**arguments | changes)


def assert_equal(one: Found, other: Found) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.fixture(scope="module")
def whole(task, tmp_path_factory) -> tuple[Found, str]:
    """Returns what a search without interruption found, and its journal."""
    folder = tmp_path_factory.mktemp("whole")
    return start(task, folder), (folder / JOURNAL_FILE).read_text()


@pytest.fixture
def trained(monkeypatch) -> list:
    """Returns a list of what is trained from now on."""
    archs = []

    def counting(space, asked, *others):
        archs.extend(asked.tolist())
        return evaluate(space, asked, *others)

    monkeypatch.setattr(benchmark, "evaluate", counting)
    return archs


def test_a_search_is_the_run(task, whole):
    run = jn.run(STRATEGY, make_bench(task), num_trials=NUM_TRIALS, num_runs=1, seed=3)
    jax.tree.map(np.testing.assert_array_equal, whole[0].trials, run)
    assert set(run.observation.seed[0]) == {0, 1}


def test_a_search_without_a_folder_and_with_threefry_is_the_run(task):
    run = jn.run(STRATEGY, make_bench(task), num_trials=5, num_runs=1, prng="threefry")
    found = start(task, num_trials=5, seed=0, prng="threefry")
    jax.tree.map(np.testing.assert_array_equal, found.trials, run)


def test_found_are_the_incumbent_and_the_curves_of_its_training(task, whole):
    found, _ = whole
    best = jn.incumbents(found.trials)[0, -1]
    np.testing.assert_array_equal(found.arch, found.trials.query.arch[0, best])
    curves = evaluate(SMALL, found.arch[None], task, TINY, [found.trials.observation.seed[0, best]])
    assert found.validation == pytest.approx(found.trials.observation.score[0, best], rel=1e-6)
    assert found.validation == curves.validation[0, 0, -1] / task.validation.num_images
    assert found.test == curves.test[0, 0, -1] / task.test.num_images
    assert found.size == jn.network_size(SMALL, TINY.skeleton, task.image_shape, task.num_classes, found.arch)


def test_progress_tells_the_finished_trials_and_the_best_score(task, whole, tmp_path):
    told = []
    start(task, progress=lambda *values: told.append(values))
    scores = whole[0].trials.observation.score[0]
    assert told == [(number + 1, best) for number, best in enumerate(np.maximum.accumulate(scores).tolist())]


# Interruptions


@pytest.mark.parametrize("num_finished", [1, 5, NUM_TRIALS - 1, NUM_TRIALS])
def test_an_interrupted_search_goes_on_to_the_same_end(num_finished, task, whole, tmp_path, trained):
    def interrupt(number, best):
        if number == num_finished:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(task, tmp_path, progress=interrupt)
    assert len((tmp_path / JOURNAL_FILE).read_text().splitlines()) == 1 + num_finished
    trained.clear()
    assert_equal(start(task, tmp_path), whole[0])
    assert (tmp_path / JOURNAL_FILE).read_text() == whole[1]
    assert len(trained) <= NUM_TRIALS - num_finished + 1  # of the recorded ones the incumbent at most


@pytest.mark.parametrize("num_lost", [1, 2, 30])
@pytest.mark.parametrize("num_lines", [1, 7, NUM_TRIALS + 1])
def test_a_journal_with_a_cut_off_last_line_goes_on(num_lines, num_lost, task, whole, tmp_path):
    kept = "".join(whole[1].splitlines(keepends=True)[:num_lines])[:-num_lost]
    (tmp_path / JOURNAL_FILE).write_text(kept)
    assert_equal(start(task, tmp_path), whole[0])
    assert (tmp_path / JOURNAL_FILE).read_text() == whole[1]


def test_a_finished_search_trains_only_what_it_found_once_more(task, whole, tmp_path, trained):
    (tmp_path / JOURNAL_FILE).write_text(whole[1])
    assert_equal(start(task, tmp_path), whole[0])
    assert trained == [np.asarray(SMALL.canonical(whole[0].arch)).tolist()]


# Journals of other searches


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 4}, "seed"),
        ({"num_trials": NUM_TRIALS + 1}, "num_trials"),
        ({"prng": "threefry"}, "prng"),
        ({"strategy": jn.random_search(SMALL)}, "strategy"),
        ({"strategy": jn.regularized_evolution(SMALL, population_size=4, sample_size=3)}, "hyperparameters"),
        ({"bench": make_bench(make_task(), num_seeds=1)}, "num_seeds"),
        ({"bench": make_bench(make_task(), replace(TINY, learning_rate=0.3))}, "config"),
        ({"bench": make_bench(make_task(seed=1))}, "task"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_journal_of_another_search_is_refused_and_kept(changes, named, task, whole, tmp_path):
    (tmp_path / JOURNAL_FILE).write_text(whole[1])
    with pytest.raises(ValueError, match=rf"^Expected the journal of this search, got one with another {named} in"):
        start(task, tmp_path, **changes)
    assert (tmp_path / JOURNAL_FILE).read_text() == whole[1]


def test_a_journal_with_a_field_more_is_refused(task, whole, tmp_path):
    header, *others = whole[1].splitlines(keepends=True)
    header = json.dumps(json.loads(header) | {"augmentation": "flips"}) + "\n"
    (tmp_path / JOURNAL_FILE).write_text("".join([header, *others]))
    with pytest.raises(ValueError, match=r"^Expected the journal of this search, got one with another augmentation"):
        start(task, tmp_path)


def test_a_journal_with_another_trajectory_is_refused(task, whole, tmp_path):
    lines = [json.loads(line) for line in whole[1].splitlines()]
    lines[3]["arch"] = [0, 0, 0]
    (tmp_path / JOURNAL_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match=r"^Expected trial 2 of .* to ask .*, got \[0, 0, 0\]"):
        start(task, tmp_path)


# Failures


def test_a_search_in_which_all_trainings_diverge_ends_in_one_line(task, tmp_path, trained):
    bench = make_bench(task, replace(TINY, learning_rate=1e30))
    for _ in range(2):  # the second time from the journal
        with pytest.raises(RuntimeError, match=r"^Expected a trial that succeeds") as raised:
            start(task, tmp_path, bench=bench, num_trials=3)
        assert "\n" not in str(raised.value)
        assert len(trained) <= 3
    lines = [json.loads(line) for line in (tmp_path / JOURNAL_FILE).read_text().splitlines()[1:]]
    assert [line["score"] for line in lines] == [None] * 3


def test_a_search_goes_on_after_failed_trainings_and_interruptions(task, tmp_path, monkeypatch):
    def some_diverge(space, archs, *others):
        curves = evaluate(space, archs, *others)
        return curves._replace(loss=np.where(archs[0, 0] % 2, np.inf, curves.loss))

    monkeypatch.setattr(benchmark, "evaluate", some_diverge)
    run = jn.run(STRATEGY, make_bench(task), num_trials=NUM_TRIALS, num_runs=1, seed=3)
    failed = np.isnan(run.observation.score[0])
    assert 0 < failed.sum() < NUM_TRIALS

    def interrupt(number, best):
        if number == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(task, tmp_path, progress=interrupt)
    found = start(task, tmp_path)
    jax.tree.map(np.testing.assert_array_equal, found.trials, run)
    assert found.validation == pytest.approx(np.nanmax(run.observation.score), rel=1e-6)
