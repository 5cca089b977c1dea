"""Searches: the same as runs, whatever interrupts them; what is said of noise; and what is wrong said in one line."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, TINY, make_task
from scipy import stats

import jaxnas as jn
from jaxnas.benchmarks.base import Outcome
from jaxnas.progress import COMPILING
from jaxnas.report.page.search import search_text
from jaxnas.search import explaining
from jaxnas.search.explaining import explanation_of
from jaxnas.search.loop.chained_lines import CHECK, JournalFile
from jaxnas.search.loop.journaled import JOURNAL_FILE
from jaxnas.search.nas import NUM_FRESH
from jaxnas.search.result import SearchResult
from jaxnas.search.search_files import summary_of
from jaxnas.strategies.base import observed
from jaxnas.training.trainer import Trainer, default_config

STRATEGY = jn.regularized_evolution(SMALL, population_size=4, sample_size=2)
NUM_TRIALS = 12
EQUAL = Outcome(observed(0.5), np.float64(0.5), "")


def make_nas(task, folder=None, **changes) -> jn.NAS:
    arguments = {"strategy": STRATEGY, "config": TINY, "seed": 3, "folder": folder, "progress": False}
    return jn.NAS(SMALL, task, **arguments | changes)


def start(task, folder=None, num_trials=NUM_TRIALS, **changes) -> SearchResult:
    return make_nas(task, folder, **changes).search(num_trials)


def assert_equal(one: SearchResult, other: SearchResult) -> None:
    jax.tree.map(np.testing.assert_array_equal, one.trials, other.trials)
    assert one.history.equals(other.history)
    assert repr(one) == repr(other)


def rewritten(folder, lines: list[dict]) -> None:
    """Writes lines into the journal of a folder with checksums that are right."""
    lines = [{name: value for name, value in line.items() if name != CHECK} for line in lines]
    file = JournalFile(folder / JOURNAL_FILE, lines[0])
    for line in lines[1:]:
        file.append(line)
    file.close()


def lines_of(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / JOURNAL_FILE).read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(task, tmp_path_factory) -> tuple[SearchResult, str]:
    """Returns what a search without interruption found, and its journal."""
    folder = tmp_path_factory.mktemp("whole")
    return start(task, folder), (folder / JOURNAL_FILE).read_text()


@pytest.fixture
def trained(monkeypatch) -> list:
    """Returns a list of what is trained from now on, never with test images."""
    archs, curves = [], jn.Trainer.curves

    def counting(trainer, asked, seeds):
        assert not trainer.task.test.num_examples
        archs.extend(asked.tolist())
        return curves(trainer, asked, seeds)

    monkeypatch.setattr(jn.Trainer, "curves", counting)
    return archs


def test_a_search_is_the_run(task, whole):
    bench = jn.benchmarks.TrainingBenchmark(jn.Trainer(SMALL, task, TINY))
    run = jn.run(STRATEGY, bench, num_trials=NUM_TRIALS, num_runs=1, seed=3)
    jax.tree.map(np.testing.assert_array_equal, whole[0].trials, run)
    assert_equal(start(task), whole[0])  # without a journal


def test_the_result_is_the_incumbent_and_its_network(task, whole):
    result, _ = whole
    best = jn.analysis.incumbents(result.trials)[0, -1]
    assert result.best_trial == best
    assert result.architecture == SMALL.decode(result.trials.query.arch[0, best])
    assert result.score == pytest.approx(result.accuracy)
    curves = Trainer(SMALL, task, TINY).curves(result.arch[None], [0])
    assert result.accuracy == pytest.approx(curves.validation[0, 0, -1] / task.validation.num_examples)
    model = result.train(with_validation=False)
    assert model.score("validation") == pytest.approx(result.accuracy)
    assert model.score("test") == curves.test[0, 0, -1] / task.test.num_examples
    assert result.size == jn.Trainer(SMALL, task, TINY).size(result.arch)


def test_the_best_architecture_is_trained_on_the_validation_data_too(task, whole):
    result, _ = whole
    model = result.train()
    joined = task.without_validation()
    curves = Trainer(SMALL, joined, TINY).network(result.arch)[
        1
    ]  # which is the training of `curves`: training/test_trainer.py
    assert model.score("test") == curves.test[-1] / task.test.num_examples
    assert model.task.sha256 == joined.sha256
    with pytest.raises(ValueError, match=r"^Expected a task with a validation split"):
        model.score("validation")


def test_a_final_training_that_diverges_is_tried_with_other_seeds(whole, monkeypatch):
    result, _ = whole
    seeds, from_seed = [], result.trials.observation.seed[0, result.best_trial]

    def diverging(trainer, arch, seed):
        seeds.append(seed)
        raise FloatingPointError(f"Expected a training that converges, got seed {seed}.")

    monkeypatch.setattr(jn.Trainer, "fit", diverging)
    with (
        pytest.warns(RuntimeWarning, match=r"Trying seed"),
        pytest.raises(RuntimeError, match=r"^Expected a training that converges"),
    ):
        result.train()
    assert seeds == [from_seed, from_seed + 1, from_seed + 2]
    with pytest.raises(RuntimeError, match=r"got seed 7"):
        result.train(seed=7)
    assert seeds[3:] == [7]


def test_the_history_is_the_trials(whole):
    history = whole[0].history
    assert list(history.columns) == [
        *("score", "accuracy", "epochs", "seed", "parameters", "flops", "failure"),
        *(decision.name for decision in SMALL.decisions),
    ]
    np.testing.assert_array_equal(history["score"], whole[0].trials.observation.score[0])
    assert history.loc[4, "0-1"] == SMALL.decode(whole[0].trials.query.arch[0, 4])["0-1"]
    assert set(history["failure"]) == {""}


def test_a_decision_may_have_a_column_s_name():
    space = jn.SearchSpace("named", (jn.Decision("score", (1, 2)), jn.Decision("trial", (1, 2))))
    result = jn.NAS(space, evaluator=lambda arch: arch["score"], strategy="random_search", progress=False).search(5)
    assert list(result.history.columns) == ["score", "failure", "decision score", "trial"]
    assert len(result.plot().axes) == 1


def test_a_notebook_shows_what_was_found_its_drawing_and_its_figure():
    space = jn.SearchSpace("<named>", (jn.Decision("<b>", (1, 2)), jn.Decision("width", (1, 2))))
    result = jn.NAS(space, evaluator=lambda arch: arch["<b>"], strategy="random_search", progress=False).search(3)
    shown = result._repr_html_()
    assert "best of 3 trials" in shown
    assert "<svg" in shown
    assert "<b>" not in shown
    assert "</svg>" in result.plot()._repr_svg_()


def test_a_bar_shows_progress_on_a_terminal_only(task, monkeypatch, capsys):
    start(task, num_trials=2, progress=True)
    assert capsys.readouterr().err == f"{COMPILING}\n"
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes Rich take standard error for a terminal
    start(task, num_trials=2, progress=True)
    assert "2/2" in capsys.readouterr().err


# Interruptions


def interrupting(monkeypatch, num_trained: int) -> None:
    """Makes the training after the given number of them end in Ctrl-C."""
    counted, curves = [], jn.Trainer.curves

    def counting(*arguments):
        if len(counted) == num_trained:
            raise KeyboardInterrupt
        counted.append(1)
        return curves(*arguments)

    monkeypatch.setattr(jn.Trainer, "curves", counting)


@pytest.mark.parametrize("num_trained", [1, 4, NUM_TRIALS - 1, NUM_TRIALS + 1])
def test_an_interrupted_search_keeps_the_best_and_goes_on_to_the_same_end(
    num_trained, task, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        interrupting(patch, num_trained)
        result = start(task, tmp_path)
    assert result.stopped == "interrupted"
    assert result.finalists == ()
    assert "interrupted" in str(result)
    num_trials = len(result.scores)
    assert result.accuracy == np.nanmax(whole[0].scores[:num_trials])
    assert sum("trial" in line for line in lines_of(tmp_path)) == num_trials
    assert_equal(start(task, tmp_path), whole[0])
    assert (tmp_path / JOURNAL_FILE).read_text() == whole[1]


def test_a_search_interrupted_before_its_first_trial_has_nothing_to_keep(task, monkeypatch):
    interrupting(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        start(task)


@pytest.mark.parametrize("num_lost", [1, 2, 30])
@pytest.mark.parametrize("num_lines", [1, 7, NUM_TRIALS + 1, NUM_TRIALS + 3])
def test_a_journal_with_a_cut_off_last_line_goes_on(num_lines, num_lost, task, whole, tmp_path):
    kept = "".join(whole[1].splitlines(keepends=True)[:num_lines])[:-num_lost]
    (tmp_path / JOURNAL_FILE).write_text(kept)
    assert_equal(start(task, tmp_path), whole[0])
    assert (tmp_path / JOURNAL_FILE).read_text() == whole[1]


def test_a_finished_search_trains_nothing_more(task, whole, tmp_path, trained):
    (tmp_path / JOURNAL_FILE).write_text(whole[1])
    assert_equal(start(task, tmp_path), whole[0])
    assert trained == []


def test_time_runs_out_between_trials_and_the_search_goes_on(task, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        seconds = iter(range(100))
        patch.setattr("jaxnas.search.nas.time", SimpleNamespace(monotonic=lambda: next(seconds)))
        result = make_nas(task, tmp_path).search(NUM_TRIALS, max_seconds=4)
    assert len(result.scores) == 4
    assert result.stopped == "4 seconds were over"
    assert result.finalists
    assert_equal(start(task, tmp_path), whole[0])


def test_however_little_time_there_is_one_trial_runs(task):
    assert len(make_nas(task).search(NUM_TRIALS, max_seconds=1e-9).scores) == 1


# Journals of other searches


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 4}, "seed"),
        ({"strategy": jn.random_search(SMALL)}, "strategy"),
        ({"strategy": jn.regularized_evolution(SMALL, population_size=4, sample_size=3)}, "hyperparameters"),
        ({"config": replace(TINY, learning_rate=0.3)}, "config"),
        ({"objective": "accuracy-1e-6*flops"}, "objective"),
        ({"task": make_task(seed=1)}, "task"),
        (
            {"seed": 4, "objective": "accuracy-1e-6*flops", "config": replace(TINY, learning_rate=0.3)},
            "config, objective, seed",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_journal_of_another_search_is_refused_and_kept(changes, named, task, whole, tmp_path):
    (tmp_path / JOURNAL_FILE).write_text(whole[1])
    with pytest.raises(
        ValueError, match=rf"^Search in another folder: .* is the journal of a search with another .*{named}"
    ):
        start(**{"task": task, "folder": tmp_path} | changes)
    assert (tmp_path / JOURNAL_FILE).read_text() == whole[1]


def test_a_journal_with_a_field_more_is_refused(task, whole, tmp_path):
    header, *others = whole[1].splitlines(keepends=True)
    rewritten(tmp_path, [json.loads(header) | {"augmentation": "flips"}, *map(json.loads, others)])
    with pytest.raises(ValueError, match=r"is the journal of a search with another augmentation\.$"):
        start(task, tmp_path)


@pytest.mark.parametrize("num_before", [4, NUM_TRIALS + 2])
def test_a_search_of_another_number_of_trials_goes_on(num_before, task, whole, tmp_path, trained):
    before = start(task, tmp_path, num_trials=num_before)
    trained.clear()
    assert_equal(start(task, tmp_path), whole[0])
    known = {tuple(arch) for arch in before.trials.query.arch[0].tolist()}
    assert len(trained) <= max(NUM_TRIALS - num_before, 0) + 3 * NUM_FRESH
    assert len(known) <= num_before
    again = start(task, tmp_path, num_trials=num_before)  # of the trials in the journal
    assert_equal(again, before)


def test_a_strategy_that_plans_another_number_of_trials_otherwise_says_so(tmp_path):
    def last_first(space):
        def ask(state, t, key):
            return jn.Query(space.arch_at(state - 1 - t))

        return jn.Strategy("last_first", lambda key, num_trials: num_trials, ask, lambda state, t, *told: state)

    def search(num_trials):
        nas = jn.NAS(MIXED, evaluator=lambda arch: arch["width"], strategy=last_first, folder=tmp_path, progress=False)
        return nas.search(num_trials)

    search(3)
    journal = (tmp_path / JOURNAL_FILE).read_text()
    problem = (
        r"^Search in another folder: .* begun with 3 trials, and the strategy plans 5 otherwise; trial 0 differs\.$"
    )
    with pytest.raises(ValueError, match=problem):
        search(5)
    assert (tmp_path / JOURNAL_FILE).read_text() == journal
    assert len(search(3).scores) == 3


@pytest.mark.parametrize("text", ["my notes\n", "[1, 2]\n", "{}{}\n", "\x00\n"])
def test_a_file_that_is_no_journal_is_refused_and_kept(text, task, tmp_path):
    (tmp_path / JOURNAL_FILE).write_text(text)
    with pytest.raises(ValueError, match=r"^Expected .* as a search writes it, got line 1 that is damaged"):
        start(task, tmp_path)
    assert (tmp_path / JOURNAL_FILE).read_text() == text


def test_a_damaged_line_does_not_discard_what_follows(task, whole, tmp_path):
    damaged = whole[1].splitlines(keepends=True)
    damaged[3] = damaged[3].replace('"', "'", 1)
    (tmp_path / JOURNAL_FILE).write_text("".join(damaged))
    with pytest.raises(ValueError, match=r"^Expected .* as a search writes it, got line 4 that is damaged"):
        start(task, tmp_path)
    assert (tmp_path / JOURNAL_FILE).read_text() == "".join(damaged)


def test_a_journal_with_another_trajectory_is_refused(task, whole, tmp_path):
    lines = [json.loads(line) for line in whole[1].splitlines()]
    lines[3]["arch"] = [0, 0, 0]
    rewritten(tmp_path, lines)
    with pytest.raises(ValueError, match=r"^Expected trial 2 of .* to ask .*, got \[0, 0, 0\]"):
        start(task, tmp_path)


# Failures


def test_a_search_in_which_all_trainings_diverge_ends_in_one_line(task, tmp_path, trained):
    # whose sums are beyond any float32: a rate of 1e30 would be another program, compiled anew
    task = replace(task, train=task.train._replace(inputs=np.full_like(task.train.inputs, 1e38)))
    for _ in range(2):  # the second time from the journal
        with pytest.raises(RuntimeError, match=r"^3 of 3 trials failed; first error: .* not finite") as e:
            start(task, tmp_path, num_trials=3)
        assert "\n" not in str(e.value)
        assert len(trained) <= 3
    assert [line["score"] for line in lines_of(tmp_path)[1:]] == [None] * 3


def test_a_search_goes_on_after_failed_trainings_and_interruptions(task, tmp_path, monkeypatch):
    curves = jn.Trainer.curves

    def some_diverge(trainer, archs, seeds):
        found = curves(trainer, archs, seeds)
        return found._replace(loss=np.where(archs[0, 0] % 2, np.inf, found.loss))

    monkeypatch.setattr(jn.Trainer, "curves", some_diverge)
    result = start(task, tmp_path)
    failed = np.isnan(result.scores)
    assert 0 < failed.sum() < NUM_TRIALS
    np.testing.assert_array_equal(result.history["failure"] != "", failed)
    assert f"{failed.sum()} of them failed" in str(result)
    lines = (tmp_path / JOURNAL_FILE).read_text().splitlines(keepends=True)
    (tmp_path / JOURNAL_FILE).write_text("".join(lines[:8]))
    assert_equal(start(task, tmp_path), result)


def moody(architecture: dict):
    """Returns a score, or fails in one of several ways."""
    if architecture["depth"]:
        return float(architecture["width"])
    if architecture["width"] == 8:
        raise ZeroDivisionError("no width of 8")
    return {("relu", 16): np.nan, ("relu", 32): "high", ("tanh", 16): None, ("tanh", 32): np.inf}[
        architecture["act"], architecture["width"]
    ]


def test_an_evaluator_that_fails_fails_the_trial_and_the_search_goes_on(tmp_path):
    nas = jn.NAS(MIXED, evaluator=moody, strategy="exhaustive_search", folder=tmp_path, progress=False)
    result = nas.search(12, num_finalists=3)
    assert result.architecture == {"depth": 1, "width": 32, "act": "relu"}
    assert result.score == 32
    failures = result.history["failure"].tolist()
    assert failures == [line["failure"] for line in lines_of(tmp_path) if "trial" in line]
    assert failures[:6] == [
        "ZeroDivisionError: no width of 8",
        "ZeroDivisionError: no width of 8",
        "Expected the evaluator to return a finite number, got nan.",
        "Expected the evaluator to return a number, got NoneType.",
        "Expected the evaluator to return a number, got str.",
        "Expected the evaluator to return a finite number, got inf.",
    ]
    assert failures[6:] == [""] * 6
    assert result.optimism == 0
    assert "is as good" in str(result)
    with pytest.raises(ValueError, match=r"^Expected a search on a task to train on"):
        result.train()


def test_scores_of_any_kind_of_number_are_taken():
    for number in (1, np.float64(1), np.int32(1), np.asarray(1.0), jax.numpy.float32(1)):
        nas = jn.NAS(MIXED, evaluator=lambda arch, number=number: number, progress=False)
        assert nas.search(1).score == 1


# Noise


def test_finalists_are_the_best_classes_trained_with_new_seeds(task, whole):
    result, _ = whole
    scores = result.trials.observation.score[0]
    classes = [tuple(np.asarray(SMALL.canonical(each.arch)).tolist()) for each in result.finalists]
    assert len(set(classes)) == 3
    assert result.finalists[0].trial == result.best_trial
    others = [s for s, a in zip(scores, result.trials.query.arch[0], strict=True)
              if tuple(np.asarray(SMALL.canonical(a)).tolist()) not in classes]  # fmt: skip
    assert min(each.score for each in result.finalists) >= max(others)
    for each in result.finalists:
        for seed, score in enumerate(each.fresh, start=1):
            curves = Trainer(SMALL, task, TINY).curves(each.arch[None], [seed])
            assert score == pytest.approx(curves.validation[0, 0, -1] / task.validation.num_examples)
        assert len(each.fresh) == NUM_FRESH
    assert result.optimism == pytest.approx(result.accuracy - result.finalists[0].fresh.mean())


@pytest.mark.parametrize(
    ("spread", "words"), [(0.0, "is worse by 0.3, and"), (0.01, "is worse by 0.3, more"), (1.0, "is within noise: 0.3")]
)
def test_the_lead_is_compared_with_noise(spread, words):
    calls = []

    def evaluator(
        architecture,
    ):  # after twelve trials, each finalist's evaluations are mean - spread, mean, mean + spread
        calls.append(1)
        shift = (len(calls) % 3 - 1) * spread if len(calls) > 12 else 0.5
        return {8: 0.1, 16: 0.2, 32: 0.5}[architecture["width"]] + shift

    space = jn.SearchSpace("widths", MIXED.decisions[1:2])
    nas = jn.NAS(space, evaluator=evaluator, strategy="random_search", progress=False)
    result = nas.search(12, num_finalists=3)
    assert len(calls) == result.num_evaluations == 21
    assert "calls of the evaluator: 21" in str(result)
    assert result.optimism == pytest.approx(0.5)
    assert "optimistic by 0.5" in str(result)
    assert words in str(result)
    if spread == 1:  # two means of three, of a pooled variance with six degrees of freedom
        chance = stats.t.ppf(0.975, 6) * np.sqrt(2 / 3)
        assert f"up to {chance:.4g} can be chance" in str(result)


def test_a_runner_up_that_is_better_when_evaluated_again_is_named():
    calls = []

    def evaluator(architecture):
        calls.append(1)
        return architecture["width"] * (-1 if len(calls) > 12 else 1)

    result = jn.NAS(MIXED, evaluator=evaluator, strategy="exhaustive_search", progress=False).search(
        12, num_finalists=5
    )
    assert "is better by 16, and the scores are without noise: prefer it" in str(result)


@pytest.mark.parametrize(("lucky", "expected"), [((), 0), ((1,), 1), ((1, 2), 1)])
def test_equal_scores_go_to_the_better_finalist_and_then_to_the_first(lucky, expected):
    calls = []

    def evaluator(architecture):
        calls.append(1)
        return 1.0 if len(calls) <= 3 else float(architecture["width"] in [(8, 16, 32)[number] for number in lucky])

    space = jn.SearchSpace("widths", MIXED.decisions[1:2])
    nas = jn.NAS(space, evaluator=evaluator, strategy="exhaustive_search", progress=False)
    result = nas.search(3, num_finalists=3)
    assert (result.best_trial, result.score) == (expected, 1)


def test_equal_finalists_go_to_the_smaller_network(task, monkeypatch):
    monkeypatch.setattr(jn.benchmarks.TrainingBenchmark, "answer", lambda *asked: EQUAL)
    monkeypatch.setattr(jn.benchmarks.TrainingBenchmark, "fresh_score", lambda *asked: np.float64(0.5))
    result = start(task)
    sizes = [result.trainer.size(each.arch).num_parameters for each in result.finalists]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 1


def test_an_evaluator_is_called_once_a_trial_unless_finalists_are_asked_for():
    calls = []
    nas = jn.NAS(MIXED, evaluator=lambda arch: calls.append(arch) or arch["width"], progress=False)
    result = nas.search(12)
    assert len(calls) == result.num_evaluations == 12
    assert result.finalists == ()
    assert "calls of the evaluator: 12" in str(result)


def test_an_architecture_that_fails_when_evaluated_again_does_not_win():
    calls = []

    def evaluator(architecture):
        calls.append(1)
        return np.nan if len(calls) > 12 and architecture["width"] == 32 else architecture["width"]

    nas = jn.NAS(MIXED, evaluator=evaluator, strategy="exhaustive_search", progress=False)
    result = nas.search(12, num_finalists=6)
    assert result.architecture["width"] == result.accuracy == 16
    assert result.optimism == 0
    assert np.isnan(result.finalists[-1].fresh).all()
    calls.clear()
    assert nas.search(12).architecture["width"] == 32
    calls.clear()
    assert nas.search(12, num_finalists=1).architecture["width"] == 32  # none of them succeeds


def test_by_default_searches_use_the_strategy_of_the_front_door():
    nas = jn.NAS(MIXED, evaluator=lambda arch: 1)
    assert nas.strategy.name == jn.catalog.DEFAULT_STRATEGY


def test_without_finalists_nothing_is_said_of_noise(task):
    result = make_nas(task).search(2, num_finalists=0)
    assert np.isnan(result.optimism)
    assert "how much of the score is luck is not known" in str(result)


# Objectives


@pytest.mark.parametrize("size", ["parameters", "flops"])
def test_a_weighted_size_is_taken_off(size, task):
    result = start(task, objective=f"accuracy-1e-4*{size}")
    history = result.history
    np.testing.assert_allclose(history["score"], history["accuracy"] - 1e-4 * history[size], rtol=1e-5)
    assert result.score == pytest.approx(history["score"].max())
    assert result.accuracy == history["accuracy"][result.best_trial]
    assert result.optimism == pytest.approx(result.accuracy - result.finalists[0].fresh.mean())
    sizes, accuracies = result.plot().axes[1].lines[0].get_data()
    np.testing.assert_array_equal(sizes, history[size])
    np.testing.assert_array_equal(accuracies, history["accuracy"])


def test_a_strategy_with_two_objectives_is_given_sizes(task):
    result = start(task, strategy="nsga2", objective="accuracy,flops")
    assert result.score == pytest.approx(result.history["accuracy"].max())
    assert len(result.plot().axes) == 2


# Wrong arguments


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "nb202"}, "Did you mean .*Expected a space of .* got 'nb202'"),
        ({"space": 3}, "Expected space to be a search space, got int"),
        ({"space": MIXED}, ".*Expected a space with networks"),
        ({"task": "digit"}, "Did you mean digits.*Expected a task of .* got 'digit'"),
        ({"task": "missing.npz"}, "There is no file missing.npz"),
        ({"task": 3}, "Expected a task: a Task, a name, .* got int"),
        ({"task": None}, "Expected a task or an evaluator, got neither"),
        ({"evaluator": moody}, "Expected a task or an evaluator, got both"),
        ({"task": None, "evaluator": "moody"}, "Expected evaluator to be a function, got 'moody'"),
        ({"task": None, "evaluator": moody, "config": TINY}, "Expected no config, num_epochs or order with"),
        (
            {"task": None, "evaluator": moody, "num_epochs": 3},
            "Expected no config, num_epochs or order with",
        ),
        ({"task": None, "evaluator": moody, "order": ["w2-e1"]}, "Expected no config, num_epochs or order"),
        ({"num_epochs": 0}, "Expected num_epochs"),
        ({"task": None, "evaluator": moody, "objective": "accuracy-1*flops"}, "Expected the objective accuracy where"),
        (
            {"task": None, "evaluator": moody, "strategy": "nsga2"},
            "Expected a task for a strategy that needs parameters",
        ),
        ({"strategy": "evolution"}, "Did you mean .*Expected a strategy of .* got 'evolution'"),
        ({"strategy": 3}, r"^A custom strategy is .* Expected strategy to be a function, got 3"),
        ({"objective": "flops"}, r"^A size is a second objective: accuracy,flops\. Expected a metric of accuracy"),
        ({"config": {"num_epochs": 3}}, "Expected a TrainConfig, got int"),
        ({"config": replace(TINY, batch_size=1000)}, "Expected a batch_size up to the 48 training examples, got 1000"),
    ],
)
def test_wrong_arguments_say_what_was_expected(changes, message):
    arguments = {"space": SMALL, "task": make_task(), "strategy": "random_search", "progress": False}
    with pytest.raises(ValueError, match=f"^{message}"):
        jn.NAS(**arguments | changes).search(1)


def test_epochs_are_set_beside_the_rest_of_the_recipe():
    assert jn.NAS(SMALL, make_task(), config=TINY, num_epochs=7).config == replace(TINY, num_epochs=7)
    assert jn.NAS("mlp", "digits", num_epochs=7).config == replace(default_config(jn.space("mlp")), num_epochs=7)


def test_widths_of_absent_layers_are_not_printed():
    nas = jn.NAS("mlp", evaluator=lambda values: -len(values["layers"]), strategy="random_search", progress=False)
    result = nas.search(30, num_finalists=0)
    assert result.architecture["layers"] == result.architecture["layers"][:1]
    (line,) = [line for line in str(result).splitlines() if line.startswith("architecture ")]
    assert line == f"architecture {nas.space.to_str(nas.space.canonical(result.arch))}"
    assert "+" not in line


def data(shape, num_samples=100, **changes) -> dict:
    values = np.random.RandomState(0).randn(num_samples, *shape)
    return {"X": values, "y": np.arange(num_samples) % 2} | changes


@pytest.mark.parametrize("shape", [(5,), (6, 6)], ids=["vectors", "images"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.nan}, "Expected finite numbers, got NaN or infinite values; replace or drop"),
        ({"X": "word"}, "^Turn words into numbers, say one-hot, first. Expected images or vectors of"),
        ({"y": np.zeros(100)}, "Expected labels of two or more classes, got 1; add examples"),
        ({"y": np.arange(99)}, r"Expected one label for each of 100 (images|examples), got labels of shape \[99\]"),
        (
            {"y": np.full(100, np.nan)},
            "Expected labels that are classes, .* got NaN or fractions; drop, bin or convert",
        ),
        ({"num_samples": 30}, "Expected 10 or more validation (images|examples), got 6; add data, or split"),
    ],
    ids=["nan", "strings", "one class", "shapes", "nan labels", "too few"],
)
def test_wrong_data_say_what_to_do(changes, message, shape):
    if isinstance(changes.get("X"), str | float):
        changes = {"X": np.full((100, *shape), changes["X"])}
    given = data(shape, **changes)
    with pytest.raises(ValueError, match=f"^{message}"):
        jn.NAS(jn.MLPSpace(), (given["X"], given["y"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_trials": 0}, "Expected num_trials to be an int of at least 1, got 0"),
        ({"num_trials": 1, "max_seconds": 0}, "Expected max_seconds to be a number above 0, got 0"),
        ({"num_trials": "ten"}, "Expected num_trials to be an int of at least 1, got 'ten'"),
        ({"num_trials": 1, "num_finalists": -1}, "Expected num_finalists to be an int of at least 0, got -1"),
    ],
)
def test_wrong_numbers_say_what_was_expected(arguments, message, task):
    with pytest.raises(ValueError, match=f"^{message}"):
        make_nas(task).search(**arguments)


def test_a_strategy_of_another_space_is_refused(task):
    with pytest.raises(ValueError, match=r"^Expected an architecture of 3 choices, got 6"):
        start(task, strategy=jn.random_search(jn.NB201))


# Killed processes

SCRIPT = """
import os, signal, sys
import jaxnas as jn

kind, folder = sys.argv[1:3]


def counted(function, calls=[0]):
    def call(*arguments):
        if calls[0] == int(sys.argv[3]):  # no part of what the function is
            os.kill(os.getpid(), signal.SIGKILL)
        calls[0] += 1
        return function(*arguments)
    return call


space = jn.MLPSpace(max_layers=2, max_units=16)
arguments = {"strategy": "random_search", "seed": 1, "folder": folder, "progress": False}
if kind == "evaluator":
    nas = jn.NAS(space, evaluator=counted(lambda arch: sum(map(ord, repr(arch))) % 101), **arguments)
else:
    jn.Trainer.curves = counted(jn.Trainer.curves)
    nas = jn.NAS(space, "digits", num_epochs=1, **arguments)
result = nas.search(6, num_finalists=3)
print(result.history.to_csv(), result, sep="")
"""


def run_script(kind: str, folder) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SCRIPT, kind, str(folder), "5"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.processes
@pytest.mark.parametrize("kind", ["evaluator", pytest.param("training", marks=pytest.mark.nightly)])
def test_a_search_that_is_killed_again_and_again_ends_as_one_that_is_not(kind, tmp_path, monkeypatch, capsys):
    """Three processes start for each; what is not killed runs in this one."""
    monkeypatch.setattr(sys, "argv", ["-c", kind, str(tmp_path / "whole"), "1000"])
    monkeypatch.setattr(jn.Trainer, "curves", jn.Trainer.curves)  # which the script replaces: undone after the test
    exec(SCRIPT, {"__name__": "__main__"})
    killed = 0
    while (last := run_script(kind, tmp_path / "killed")).returncode == -signal.SIGKILL:
        killed += 1
    assert last.returncode == 0, last.stderr
    assert killed == 2  # six trials and nine evaluations more, five before each kill
    assert last.stdout == capsys.readouterr().out
    assert lines_of(tmp_path / "killed") == lines_of(tmp_path / "whole")


def test_the_page_says_why_the_winner_won_and_how_sure_that_is(whole, monkeypatch):
    result, _ = whole
    monkeypatch.setattr(explaining, "FEWEST_TRIALS", 2)
    summary = summary_of(result, STRATEGY, 3)
    found = summary["explanation"]
    worth = [each["value"] for each in found["values"]]
    difference = found["architecture"]["score"] - found["reference"]["score"]
    assert sum(worth) == pytest.approx(difference)
    assert sum(step["gain"] for step in found["path"]) == pytest.approx(difference)
    assert found["runner_up"]["architecture"] in {SMALL.to_str(each.arch) for each in result.finalists[1:]}
    assert 0 <= found["runner_up"]["chance"] <= 1
    page = search_text(summary)
    assert "Why this architecture" in page
    assert "The chance that the runner-up is " in page
    monkeypatch.setattr(explaining, "FEWEST_TRIALS", 10**6)
    assert explanation_of(result) is None
    assert "Why this architecture" not in search_text(summary | {"explanation": None})
