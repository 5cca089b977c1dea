"""Searches by several workers: the trials of `run_asynchronous`, exact journals, and workers that die."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL_MLP, TINY, all_archs, assert_equal_trials, random_bench

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.execution import processes
from jaxnas.search.loop.journaled import JOURNAL_FILE, journaled
from jaxnas.search.loop.parallel_ask_tell import ParallelAskTell
from jaxnas.simulation.ask_tell import run_key
from jaxnas.simulation.trials import paid_when_begun
from jaxnas.training.trainer import Trainer


def test_told_in_the_order_of_a_virtual_clock_it_is_the_simulated_run():
    strategy = jn.regularized_evolution(MIXED, population_size=5, sample_size=2)
    bench = random_bench("mixed", failed=0.1)
    expected = jn.simulation.run_asynchronous(strategy, bench, num_workers=3, num_trials=40, num_runs=1, seed=7)
    loop = ParallelAskTell(strategy, num_trials=40, key=run_key(7, 0), bench=bench)
    for number in expected.number[0].tolist():
        while loop.num_asked < 40 and len(loop.running) < 3:
            loop.ask()
        answer = bench.query(loop.running[number], loop.query_key(number))
        loop.tell(number, jax.tree.map(np.asarray, answer))
    trials = jax.tree.map(lambda values: values[None], loop.trials())
    costs = paid_when_begun(trials, trials.observation.cost, loop.begun)
    assert_equal_trials(trials._replace(observation=trials.observation._replace(cost=costs)), expected.trials)
    assert (costs < np.asarray(trials.observation.cost)).any()


def test_what_is_paid_when_asked_is_off_the_price():
    archs = np.asarray([[1], [1], [1], [2], [1]], np.int32)[None]
    query = jn.Query(archs, np.zeros((1, 5), np.int32), np.full((1, 5), -1))
    price, seed = np.asarray([[1, 3, 2, 4, 9]], np.float32), np.asarray([[0, 0, 0, 0, 1]])
    trials = jn.simulation.Trials(query, jn.simulation.Observation(np.zeros((1, 5), np.float32), price, seed))
    # the second was asked before the first was told; the third knew of both, the last is another run
    assert paid_when_begun(trials, price, [0, 0, 2, 0, 4]).tolist() == [[1, 3, 0, 4, 9]]
    assert paid_when_begun(trials, price, [0, 1, 1, 0, 4]).tolist() == [[1, 2, 1, 4, 9]]


# Journals


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / JOURNAL_FILE).read_text().splitlines()]


def by_two(folder: Path, evaluator, **changes) -> jn.NAS:
    arguments = {"strategy": "exhaustive_search", "seed": 3, "progress": False, "num_workers": 2}
    return jn.NAS(MIXED, evaluator=evaluator, folder=folder, **arguments | changes)


def unreliable(architecture: dict) -> float:
    """Returns a score, later for wide networks; or ends in one of several ways."""
    if architecture == {"depth": 0, "width": 8, "act": "tanh"}:
        os.kill(os.getpid(), signal.SIGKILL)
    if architecture == {"depth": 0, "width": 16, "act": "tanh"}:
        sys.exit("enough")
    print("not for the channel of replies")
    time.sleep(architecture["width"] / 1000)
    return architecture["depth"] + architecture["width"] / 100


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> tuple:
    """Returns the result of a search by two workers, some of which die, and its folder."""
    folder = tmp_path_factory.mktemp("searched")
    return by_two(folder, unreliable).search(12, num_finalists=1), folder


@pytest.mark.processes
def test_a_worker_that_dies_is_a_failed_trial_with_a_message(searched):
    result, folder = searched
    trials = [line for line in lines_of(folder) if "trial" in line]
    assert sorted(line["trial"] for line in trials) == list(range(12))
    found = {MIXED.to_str(np.asarray(line["arch"])): line["failure"] for line in trials}
    expected = {MIXED.to_str(arch): "" for arch in all_archs(MIXED)}
    expected[MIXED.to_str(np.asarray([0, 0, 1]))] = "worker ended by signal 9 (Killed)"
    expected[MIXED.to_str(np.asarray([0, 1, 1]))] = "SystemExit: enough"
    assert found == expected
    assert [line["score"] is None for line in trials] == [bool(line["failure"]) for line in trials]
    assert result.score == result.finalists[0].fresh.mean() == 1.32


def endless(architecture: dict) -> float:
    """Returns a score, or never."""
    while architecture == {"depth": 0, "width": 8, "act": "tanh"}:
        time.sleep(1)
    return architecture["depth"]


@pytest.mark.processes
def test_a_trial_that_takes_too_long_has_failed(tmp_path):
    by_two(tmp_path, endless, timeout=2).search(12)
    failures = [line["failure"] for line in lines_of(tmp_path) if "trial" in line]
    assert sorted(failures) == [""] * 11 + ["no result within 2 seconds"]
    with pytest.raises(ValueError, match=r"^Expected 2 workers or more on a Ray cluster or with a time limit, got 1"):
        by_two(tmp_path, endless, timeout=2, num_workers=1)
    with pytest.raises(ValueError, match=r"^Expected timeout to be a number above 0, got -1"):
        by_two(tmp_path, endless, timeout=-1)


@pytest.mark.processes
def test_a_journal_is_told_again_in_its_order_without_a_worker(searched, tmp_path, monkeypatch):
    result, folder = searched
    text = (folder / JOURNAL_FILE).read_text()
    (tmp_path / JOURNAL_FILE).write_text(text)
    monkeypatch.setattr(processes.subprocess, "Popen", None)
    again = by_two(tmp_path, unreliable).search(12, num_finalists=1)
    assert_equal_trials(again.trials, result.trials)
    assert again.history.equals(result.history)
    assert repr(again) == repr(result)
    assert (tmp_path / JOURNAL_FILE).read_text() == text
    with pytest.raises(ValueError, match="journal of a search with another num_workers"):
        by_two(tmp_path, unreliable, num_workers=3).search(12)


def test_answers_that_no_two_workers_give_are_refused(tmp_path):
    bench = jn.benchmarks.EvaluatorBenchmark(MIXED, unreliable)
    query = jn.Query(np.asarray([1, 2, 0], np.int32), np.int32(0))
    outcome = bench.answer(query, run_key(0, 0))
    for order, refused in (([1, 0, 2], False), ([1, 2, 0], False), ([2, 0, 1], True), ([1, 1, 0], True)):
        folder = tmp_path / "".join(map(str, order))
        kept = journaled(bench, folder, {}, 2)
        for number in order:
            kept.note(number, query, outcome)
        kept.close()
        with pytest.raises(ValueError, match="with trials of this search, got") if refused else nullcontext():
            journaled(bench, folder, {}, 2).close()


SCRIPT = """
import sys, time
from helpers.samples import MIXED
import jaxnas as jn

def slow(architecture):
    time.sleep(0.0 if "quickly" in sys.path else 0.4)
    return architecture["depth"] + architecture["width"] / 100

sys.path.append(sys.argv[2])  # workers have the path of the process that starts them
jn.NAS(MIXED, evaluator=slow, strategy="random_search", folder=sys.argv[1], num_workers=2, progress=False).search(9)
"""


def children_of(parent: int) -> list[int]:
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text() if Path(f"/proc/{parent}").exists() else ""
    tasks = Path(f"/proc/{parent}/task").glob("*/children") if found == "" else []
    return [int(each) for each in (found or " ".join(path.read_text() for path in tasks)).split()]


@pytest.mark.nightly
@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_a_search_that_is_killed_takes_its_workers_along_and_resumes(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "slowly"]
    search = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    end = time.monotonic() + 300
    while not (tmp_path / JOURNAL_FILE).exists() or len(lines_of(tmp_path)) < 4:
        assert search.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    children = children_of(search.pid)
    assert len(children) == 2
    search.kill()
    search.wait()
    before = (tmp_path / JOURNAL_FILE).read_text()
    while any(Path(f"/proc/{child}/exe").exists() for child in children):
        assert time.monotonic() < end
        time.sleep(0.05)
    subprocess.run([*command[:-1], "quickly"], env={**os.environ, "PYTHONPATH": path}, check=True)
    assert (tmp_path / JOURNAL_FILE).read_text().startswith(before)
    assert len(lines_of(tmp_path)) == 1 + 9


# Trainings


@pytest.mark.nightly
@pytest.mark.processes
def test_two_workers_train_what_one_does_and_each_class_once(task, tmp_path):
    """Ten seconds: two processes start and compile a space."""
    config = replace(TINY, network=None)
    strategy = jn.regularized_evolution(SMALL_MLP, population_size=4, sample_size=2)
    nas = jn.NAS(SMALL_MLP, task, strategy=strategy, config=config, folder=tmp_path, progress=False, num_workers=2)
    result = nas.search(12, num_finalists=1)
    archs = np.asarray(result.trials.query.arch)[0]

    def scores(archs, seeds):
        return (
            Trainer(SMALL_MLP, task, config)
            .curves(archs, seeds)
            .scores("validation", task.validation.num_examples)[..., -1]
        )

    np.testing.assert_array_equal(result.scores, scores(archs, [0])[:, 0])
    np.testing.assert_array_equal(result.finalists[0].fresh.astype(np.float32), scores(result.arch[None], [1, 2, 3])[0])
    known = {each.tobytes() for each in np.asarray(jax.vmap(SMALL_MLP.canonical)(archs))}
    assert len(nas._bench._curves) == len(known)  # what a worker has trained is known to all


# Wrong arguments


def test_a_strategy_that_needs_each_answer_names_those_that_do_not(tmp_path, capsys):
    words = (
        "Expected a strategy that can be asked again before it is told, for 2 workers, such as random_search, "
        "exhaustive_search, regularized_evolution, genetic_algorithm, reward_weighted_sampling, asynchronous_halving, "
        "got gaussian_process."
    )
    command = ["search", "--space", "mlp-small", "--task", "digits", "--trials", "3", "--workers", "2"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"jaxnas search: {words}\n"
    with pytest.raises(ValueError, match="Expected num_workers to be an int of at least 1, got 0"):
        by_two(tmp_path, unreliable, num_workers=0)


def test_what_no_other_process_can_hold_is_refused_in_one_line(tmp_path):
    lock = threading.Lock()
    with pytest.raises(ValueError, match=r"^Expected what is trained or called to fit into other .*lock"):
        by_two(tmp_path, lambda arch: lock.locked()).search(2)
