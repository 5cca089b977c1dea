"""Builds: the table depends on nothing but the plan, whatever is killed, lost, repeated or shared out."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.elsewhere import Elsewhere
from helpers.samples import SMALL, TINY

from jaxnas.cli.main import main
from jaxnas.files import CARD_FILE
from jaxnas.spaces.named import space_named
from jaxnas.tables.building import driver
from jaxnas.tables.building.baselines import baseline_scores
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.building.plan import BuildPlan, make_plan, read_shard, shard_path
from jaxnas.tables.building.verification import retrain
from jaxnas.tables.table import Table, write
from jaxnas.tasks.named import task_named
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.trainer import Trainer

HERE = Path(__file__).parents[2]
pytestmark = pytest.mark.processes
CONFIG = BuildConfig(replace(TINY, test="last"), num_seeds=2)
SPACE, TASK = f"{HERE / 'helpers' / 'mine.py'}:SPACE", f"{HERE / 'helpers' / 'mine.py'}:task"


@pytest.fixture(scope="module", autouse=True)
def workers_find_the_tests():
    """Worker processes import tests/helpers/mine.py, which imports conftest."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *([before] if before else [])])
    yield
    os.environ.pop("PYTHONPATH")
    if before:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Table]:
    """Returns the complete table of the small space, built by two processes, and its folder."""
    folder = tmp_path_factory.mktemp("built")
    reports = []
    table = build(SPACE, TASK, folder, CONFIG, num_processes=2, progress=lambda *done: reports.append(done))
    assert reports[-1] == (len(table.trained), len(table.trained))
    return folder, table


def copy_shards(source: Path, target: Path) -> list[Path]:
    shutil.copytree(source / "shards", target / "shards")
    return sorted((target / "shards").iterdir())


def test_the_table_holds_what_evaluate_measures(built):
    folder, table = built
    task = task_named(TASK)
    read = Table.read(folder)
    assert read.trained.all()
    assert np.array_equal(read.representatives[read.class_of], SMALL.classes())
    some = [0, 5, len(read.trained) - 1]
    curves = Trainer(SMALL, task, TINY).curves([SMALL.arch_at(read.representatives[number]) for number in some], [0, 1])
    for name, values in curves._asdict().items():
        expected = values[:, :, -1:] if name == "test" else values
        np.testing.assert_array_equal(read.columns[name].values[some], expected, err_msg=name)
    assert read.column_fidelities("test") == read.column_fidelities("validation")[-1:]
    for number in some:
        arch = SMALL.arch_at(read.representatives[number])
        size = Trainer(SMALL, task, TINY).size(arch)
        assert (read.columns["num_parameters"].values[number], read.columns["num_flops"].values[number]) == size
    assert read.manifest["task"]["sha256"] == task.sha256
    denominators = {split: read.columns[split].denominator for split in ("train", "validation", "test")}
    assert denominators == {"train": 80, "validation": 40, "test": 40}
    assert table.manifest == read.manifest


def test_lost_and_broken_shards_are_trained_again_to_the_same_table(built, tmp_path):
    folder, table = built
    shards = copy_shards(folder, tmp_path)
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:200])
    shards[2].write_bytes(b"")
    again = build(SPACE, TASK, tmp_path, CONFIG, num_processes=1)
    assert again.manifest["content_hash"] == table.manifest["content_hash"]


@pytest.mark.parametrize("in_processes", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_parts_trained_apart_make_the_same_table(in_processes, built, tmp_path, monkeypatch):
    if not in_processes:
        monkeypatch.setattr(driver, "executor", Elsewhere)
    folder, table = built
    plan = plan_of(SPACE, TASK, TINY, 2)
    parts = [plan.chunks[0::2], plan.chunks[1::2]]
    assert sorted(chunk.name for part in parts for chunk in part) == sorted(chunk.name for chunk in plan.chunks)
    for number, part in enumerate(parts, start=1):
        elsewhere = tmp_path / str(number)
        copy_shards(folder, elsewhere)
        shard_path(elsewhere, part[0]).unlink()
        assert build(SPACE, TASK, elsewhere, CONFIG, shard=(number, 2), num_processes=1) is None
        assert read_shard(elsewhere, part[0], plan.shape) is not None
        for chunk in part:
            (tmp_path / "all" / "shards").mkdir(parents=True, exist_ok=True)
            shutil.copy(shard_path(elsewhere, chunk), tmp_path / "all" / "shards")
    merged = build(SPACE, TASK, tmp_path / "all", CONFIG)
    assert merged.manifest["content_hash"] == table.manifest["content_hash"]


def test_a_limited_build_is_a_valid_partial_table(built, tmp_path):
    copy_shards(built[0], tmp_path)
    table = build(SPACE, TASK, tmp_path, replace(CONFIG, limit=16))
    read = Table.read(tmp_path)
    assert table.trained.sum() == read.trained.sum() == 16
    complete = built[1]
    np.testing.assert_array_equal(read.validation[read.trained], complete.validation[read.trained])
    assert np.isnan(read.scores("validation")[~read.trained]).all()
    assert (read.num_runs("validation") == 2 * read.trained).all()
    assert "(a partial table)" in (tmp_path / CARD_FILE).read_text()


def test_a_failing_worker_is_reported_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    monkeypatch.setattr("jaxnas.execution.processes.cores_of_workers", lambda *_: [None])
    with pytest.raises(RuntimeError, match=r"^Expected every worker to finish, got \d+ chunks missing: .*nonsense"):
        build(SPACE, TASK, tmp_path, CONFIG)


def plan_of(space: str, task: str, config: TrainConfig, num_seeds: int, limit: int | None = None) -> BuildPlan:
    trainer = Trainer(space_named(space), task_named(task), replace(config, test="last"))
    return make_plan(trainer, num_seeds, limit)


def test_chunks_are_named_by_all_that_their_numbers_depend_on():
    def names(*arguments):
        return {chunk.name for chunk in plan_of(*arguments).chunks}

    digits = (SPACE, "digits")
    different = [
        names(SPACE, TASK, TINY, 1),
        names(*digits, TINY, 1),
        names(*digits, TINY, 2),
        names(*digits, TrainConfig(num_epochs=3), 1),
        names("nb201", "digits", TINY, 1),
    ]
    assert len(set.union(*different)) == sum(len(each) for each in different)
    assert names(*digits, TINY, 1) == different[1]


def test_a_limited_plan_has_no_class_twice():
    plan = plan_of(SPACE, TASK, TINY, 2, limit=20)
    rows = [row for chunk in plan.chunks for row in chunk.rows]
    assert len(rows) == len(set(rows)) == 20


def edited(folder: Path, target: Path, change) -> Path:
    """Writes the table of a folder again, with something changed and honest hashes."""
    table = Table.read(folder)
    manifest = dict(table.manifest)
    arrays = {name: column.values.copy() for name, column in table.columns.items()}
    change(manifest, arrays)
    columns = {name: column._replace(values=arrays[name]) for name, column in table.columns.items()}
    write(replace(table, manifest=manifest, columns=columns), target, "a card")
    return target


OWN = {"space": space_named(SPACE), "task": task_named(TASK)}


def nothing(manifest, arrays):
    pass


def moved_counts(manifest, arrays):
    arrays["validation"][:] = (arrays["validation"] + 1) % 41


def other_rate(manifest, arrays):
    manifest["training"] = manifest["training"] | {"learning_rate": 0.25}


def slow_rate(manifest, arrays):
    manifest["training"] = manifest["training"] | {"learning_rate": 0.001}


def two_percent_moved(manifest, arrays):
    moved = np.random.RandomState(0).rand(*arrays["validation"].shape) < 0.02
    arrays["validation"][moved] = (arrays["validation"][moved] + 5) % 41


def other_first_loss(manifest, arrays):
    arrays["first_loss"] *= 1.001


def other_parameters(manifest, arrays):
    arrays["num_parameters"] += 1


def other_task(manifest, arrays):
    manifest["task"] = manifest["task"] | {"sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (nothing, None),
        (moved_counts, "counts"),
        (two_percent_moved, "counts"),
        (other_rate, "counts"),
        (other_first_loss, "first loss"),
        (other_parameters, "parameters"),
        (other_task, "arrays of the task"),
    ],
)
def test_training_a_sample_again_finds_what_was_changed(change, failing, built, tmp_path):
    checks = retrain(edited(built[0], tmp_path, change), 40, **OWN, seed=0)
    failed = [check.text for check in checks if not check.passed]
    assert (failing is None) == (not failed)
    assert failing is None or any(failing in text for text in failed)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_a_sample_is_trained_again_on_one_core(built, monkeypatch):
    train, before, meanwhile = Trainer.curves, os.sched_getaffinity(0), []

    def curves(self, archs, seeds):
        meanwhile.append(len(os.sched_getaffinity(0)))
        return train(self, archs, seeds)

    monkeypatch.setattr(Trainer, "curves", curves)
    assert main(["verify", str(built[0]), "--sample", "1", "--space", SPACE, "--task", TASK]) == 0
    assert set(meanwhile) == {1}
    assert os.sched_getaffinity(0) == before


@pytest.mark.nightly
def test_workers_train_the_lines_to_beat(tmp_path):
    random = np.random.RandomState(0)
    labels = np.arange(60) % 2
    np.savez(tmp_path / "signs.npz", X=random.randn(60, 4, 2) + labels[:, None, None], y=labels, kind="sequences")
    task_name, folder = str(tmp_path / "signs.npz"), tmp_path / "built"
    trainer = Trainer(space_named("recurrent-3"), task_named(task_name), num_epochs=1)
    table = build("recurrent-3", task_name, folder, BuildConfig(trainer.config, limit=1), num_processes=1)
    assert table.manifest["references"] == baseline_scores(trainer, [0])
    assert list(table.manifest["references"]) == ["tanh", "gru", "lstm"]
    assert len(list((folder / "shards").iterdir())) == 2


def on_another_processor(change):
    def changed(manifest, arrays):
        manifest["machine"] = manifest["machine"] | {"features": ["other"]}
        change(manifest, arrays)

    return changed


def single_seed(manifest, arrays):
    manifest["seeds"] = [0]
    for name in Curves._fields:
        arrays[name] = arrays[name][:, :1]
    moved_counts(manifest, arrays)


def test_counts_of_a_single_seed_from_another_processor_are_not_compared(built, tmp_path):
    checks = retrain(edited(built[0], tmp_path, on_another_processor(single_seed)), 2, **OWN, seed=0)
    assert checks[-1].passed
    assert "not compared" in checks[-1].text


@pytest.mark.parametrize(("change", "passes"), [(nothing, True), (slow_rate, False)])
def test_counts_from_another_processor_are_compared_by_their_mean(change, passes, built, tmp_path):
    checks = retrain(edited(built[0], tmp_path, on_another_processor(change)), 20, **OWN, seed=0)
    assert "standard errors" in checks[-1].text
    assert checks[-1].passed == passes


@pytest.mark.parametrize("part", ["space", "task"])
def test_a_table_never_names_code_to_run(part, built, tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    monkeypatch.chdir(tmp_path)  # names with slashes cannot be written
    Path("evil.py").write_text(f"open({str(marker)!r}, 'w')\nSPACE = task = None\n")

    def named(manifest, arrays):
        manifest[part] = manifest[part] | {"name": f"evil.py:{'SPACE' if part == 'space' else 'task'}"}

    own = {other: value for other, value in OWN.items() if other != part}
    with pytest.raises(ValueError, match=rf"^Expected the {part} of .* to be one of .*; give it by --{part}"):
        retrain(edited(built[0], tmp_path / "table", named), 1, **own)
    assert not marker.exists()
