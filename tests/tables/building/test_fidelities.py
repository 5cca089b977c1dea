"""Fidelities of several kinds: prices, a declared order, and tables whose parts are plain tables."""

import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.elsewhere import Elsewhere
from helpers.samples import SMALL, TINY, assert_equal_trials, make_task

import jaxnas as jn
from jaxnas.benchmarks.base import trainings_of
from jaxnas.cli import build as command
from jaxnas.cli.main import main
from jaxnas.files import CARD_FILE
from jaxnas.simulation.trials import paid_when_begun
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.named import space_named
from jaxnas.tables.building import driver
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.building.fidelities import declared, from_the_cheapest, training_grid
from jaxnas.tables.building.verification import retrain
from jaxnas.tables.manifest import Fidelity
from jaxnas.tables.table import Table
from jaxnas.tables.trainings import plain_table
from jaxnas.tasks.base import Task
from jaxnas.tasks.named import task_named
from jaxnas.training.curves import Curves
from jaxnas.training.trainer import Trainer

HERE = Path(__file__).parents[2]
SPACE, TASK = f"{HERE / 'helpers' / 'mine.py'}:SPACE", f"{HERE / 'helpers' / 'mine.py'}:task"
TRAININGS = {
    f"w{width}": replace(TINY, test="last", network=Skeleton(num_channels=width, num_stages=2, cells_per_stage=1))
    for width in (2, 1)
}
CONFIG = BuildConfig(TRAININGS)


def made_up(self: Trainer, archs, seeds=(0,), *, plan=None, progress=None) -> Curves:
    """Returns curves that follow from recipe, class and seed alone, as trainings do, without compiling any."""
    found = []
    for arch in archs:
        name = f"{replace(self.config, test='all')} {self.task.sha256} {np.asarray(SMALL.canonical(arch)).tolist()}"
        for seed in seeds:
            random = np.random.RandomState(zlib.crc32(f"{name} {seed}".encode()))
            epochs = self.config.num_epochs
            counts = [random.randint(0, most + 1, epochs).astype(np.int32) for most in (80, 40, 40)]
            counts[2] = counts[2][-1:] if self.config.test == "last" else counts[2]
            found.append(Curves(*counts, *(random.uniform(size=each).astype(np.float32) for each in (epochs, (), ()))))
    shape = len(archs), len(seeds)
    return Curves(*(np.stack(each).reshape(*shape, *each[0].shape) for each in zip(*found, strict=True)))


@pytest.fixture(scope="module", autouse=True)
def builds_train_here():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "executor", Elsewhere)
        patch.setattr(Trainer, "curves", made_up)
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Table]:
    """Returns the complete table of the small space with networks of one and of two channels, and its folder."""
    folder, reports = tmp_path_factory.mktemp("built"), []
    table = build(SPACE, TASK, folder, CONFIG, progress=lambda *done: reports.append(done))
    assert reports[0] == (0, 120)
    assert reports[-1] == (120, 120)
    assert reports == sorted(reports)
    return folder, table


@pytest.fixture(scope="module")
def bench(built) -> jn.TableBenchmark:
    return jn.load(built[0], space=SMALL)


def test_prices_are_multiply_accumulates_and_the_order_ascends(built, bench):
    task = task_named(TASK)
    archs = np.asarray(jax.vmap(SMALL.sample)(jax.random.split(jax.random.key(0), 256)))
    flops = {
        name: sum(Trainer(SMALL, task, each).size(arch).num_flops for arch in archs) for name, each in TRAININGS.items()
    }
    ratio = round(flops["w1"] / flops["w2"], 4)
    assert 0.2 < ratio < 0.5
    assert bench.fidelities == (ratio, 2 * ratio, 1, 2)
    assert bench.prices.tolist() == [pytest.approx([ratio, 2 * ratio, 1, 2])]
    assert bench.cost_unit == "epochs of w2"
    names = [each.name for each in built[1].column_fidelities("validation")]
    assert names == ["w1-e1", "w1-e2", "w2-e1", "w2-e2"]
    assert built[1].manifest["protocols"]["default"]["fidelities"] == names
    assert trainings_of(bench).tolist() == [0, 0, 1, 1]


def test_a_table_of_one_training_is_that_of_a_plain_build(built, tmp_path):
    folder, table = built
    for name, config in TRAININGS.items():
        shutil.copytree(folder / "shards", tmp_path / name / "shards")
        plain = build(SPACE, TASK, tmp_path / name, BuildConfig(config))
        found = plain_table(Table.read(folder), name)
        assert set(found.columns) == set(plain.columns)
        for column_name, column in plain.columns.items():
            np.testing.assert_array_equal(found.columns[column_name].values, column.values, strict=True)
            assert found.columns[column_name]._replace(values=0) == column._replace(values=0)
        changing = ("content_hash", "files", "manifest_hash", "columns", "keys")
        assert found.manifest == {key: value for key, value in plain.manifest.items() if key not in changing} | {
            key: found.manifest[key] for key in changing if key in found.manifest
        }
    with pytest.raises(ValueError, match=r"Expected a training of .* of w1, w2, got 'w3'"):
        plain_table(table, "w3")


def test_a_resumed_build_is_the_undisturbed_table(built, tmp_path):
    folder, table = built
    shutil.copytree(folder / "shards", tmp_path / "shards")
    shards = sorted((tmp_path / "shards").iterdir())
    assert len(shards) == 8
    shards[0].unlink()
    shards[3].write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="are trained again"):
        again = build(SPACE, TASK, tmp_path, CONFIG)
    assert again.manifest["content_hash"] == table.manifest["content_hash"]
    for part in (1, 2):
        assert build(SPACE, TASK, tmp_path, CONFIG, shard=(part, 2)) is None


def test_reports_read_the_largest_network_and_protocols_ask_one_training(built, bench):
    rows = np.arange(SMALL.num_architectures)[:, None]
    whole, table = plain_table(built[1], "w2"), built[1]
    np.testing.assert_array_equal(bench.held_out.scores(rows), whole.means("test")[:, -1][whole.class_of])
    np.testing.assert_array_equal(bench.validation_scores(rows), whole.means("validation")[:, -1][whole.class_of])
    assert [each.name for each in table.column_fidelities("test")] == ["w1-e2", "w2-e2"]
    small = jn.load(built[0], space=SMALL, protocol="w1")
    expected = plain_table(table, "w1").means("validation")[:, 1][table.class_of]
    np.testing.assert_array_equal(small.validation_scores(rows), expected)
    np.testing.assert_array_equal(small.held_out.scores(rows), bench.held_out.scores(rows))
    assert sorted(bench.size_names) == ["flops", "parameters"]


def test_a_run_climbs_the_order_and_goes_on_in_one_training_only(bench):
    strategy = jn.successive_halving(SMALL, fidelities=bench.fidelities, reduction=2, num_initial=8)
    trials = jn.run(strategy, bench, num_trials=30, num_runs=4)
    fidelity, cost = np.asarray(trials.query.fidelity), np.asarray(trials.observation.cost)
    assert set(fidelity.reshape(-1).tolist()) == {0, 2, 3}  # from the top: 2, at most 1, at most a half of that
    prices, classes = np.asarray(bench.fidelities, np.float32), SMALL.classes()
    resumed = 0
    for run in range(4):
        paid = {}
        for number in range(30):
            arch = np.asarray(trials.query.arch[run, number])
            training = fidelity[run, number] >= 2
            name = arch.tobytes(), int(trials.observation.seed[run, number]), training
            before = paid.get(name, 0)
            assert cost[run, number] == pytest.approx(max(prices[fidelity[run, number]] - before, 0))
            resumed += 0 < before < prices[fidelity[run, number]]
            paid[name] = max(before, prices[fidelity[run, number]])
    assert resumed > 4
    assert len(classes) == SMALL.num_architectures


def test_the_card_and_a_check_by_training_again(built):
    text = (built[0] / CARD_FILE).read_text()
    assert "--seeds 1 --widths 1,2 --epochs 2 --id" in text
    assert "| fidelities in their order | w1-e1, w1-e2, w2-e1, w2-e2 |" in text
    assert "`w1`: num_channels 1; an epoch costs 0." in text
    checks = retrain(built[0], 2, space=SMALL, task=task_named(TASK), seed=0)
    assert all(check.passed for check in checks)
    assert sum("bitwise" in check.text for check in checks) == 2
    assert {check.text.rpartition("(of ")[2] for check in checks[1:]} == {"w1)", "w2)"}


def test_a_declared_order_is_kept_and_a_wrong_one_refused(built, tmp_path):
    shutil.copytree(built[0] / "shards", tmp_path / "shards")
    table = build(SPACE, TASK, tmp_path, replace(CONFIG, order=["w1-e1", "w2-e2"]))
    bench = jn.load(tmp_path, space=SMALL)
    assert bench.fidelities == (table.fidelities[0], 2)
    assert "--order w1-e1,w2-e2 --id" in (tmp_path / CARD_FILE).read_text()
    priced = from_the_cheapest({name: Trainer(SMALL, make_task(), each) for name, each in TRAININGS.items()})
    for order, message in (
        (["w2-e1", "w1-e2"], r"each fidelity costs more than the one before, got w1-e2 \(0\.\d+\) after w2-e1 \(1\)"),
        (["w1-e1", "w1-e1"], "each fidelity costs more than the one before"),
        (["w1-e1", "w2-e4"], "Expected a fidelity of .*w2-e2.*, got 'w2-e4'"),
        ([], "one or more fidelities"),
    ):
        with pytest.raises(ValueError, match=message):
            declared(priced, order)
    with pytest.raises(ValueError, match="Expected names of trainings"):
        from_the_cheapest({"../evil": priced["w1"][0]})
    with pytest.raises(ValueError, match="Expected an order where there are several trainings"):
        build(SPACE, TASK, tmp_path, BuildConfig(TINY, order=["1"]))


def test_without_an_order_no_fidelity_costs_less_than_one_before():
    trainings = {
        name: (Trainer(SMALL, make_task(), replace(TINY, num_epochs=3)), price)
        for name, price in (("w1", 0.4), ("w2", 1.0))
    }
    fidelities, order = declared(trainings)
    assert order == ("w1-e1", "w1-e2", "w1-e3", "w2-e2", "w2-e3")
    assert Fidelity("w2-e1", "w2", 1, 1.0) in fidelities


def test_grids_name_what_differs_and_images_are_shrunk():
    task = make_task(shape=(8, 4, 1))
    grid = training_grid(SMALL, task, TINY, widths=(1, 2), resolutions=(4, 8), epochs=(3,))
    assert list(grid) == ["w1-r4", "w1-r8", "w2-r4", "w2-r8"]
    assert {each.num_epochs for each in grid.values()} == {3}
    assert list(training_grid(SMALL, task, TINY, widths=(1,))) == [""]
    assert training_grid(SMALL, task, TINY) == {"": TINY}
    trainers = {name: Trainer(SMALL, task, each) for name, each in grid.items()}
    priced = from_the_cheapest(trainers)
    assert list(priced) == ["w1-r4", "w2-r4", "w1-r8", "w2-r8"] or list(priced) == list(grid)
    small = trainers["w2-r4"].task
    assert small.shape == (4, 2, 1)
    expected = np.asarray(task.test.inputs)[0, 0, 2:4, :2, 0].mean(dtype=np.float64)
    assert small.test.inputs[0, 0, 1, 0, 0] == pytest.approx(expected, rel=1e-6)
    assert trainers["w2-r8"].task is task
    assert small.shrunk(4) is small
    for resolution in (3, 16, 0):
        with pytest.raises(ValueError, match=r"Expected .*resolution"):
            task.shrunk(resolution)
    with pytest.raises(ValueError, match="Expected different values"):
        training_grid(SMALL, task, widths=(2, 2))
    with pytest.raises(ValueError, match="Expected networks with a width"):
        training_grid(jn.space("mlp-small"), task, widths=(2, 4))


def test_the_command_builds_a_grid_in_the_order_that_it_is_given(monkeypatch, tmp_path, capsys):
    calls = []
    monkeypatch.setattr(command, "build", lambda space, task, folder, config, **options: calls.append(config))
    arguments = ["build", "--space", "nb201", "--task", "digits", "--out", str(tmp_path), "--epochs", "6"]
    assert main([*arguments, "--widths", "2,4", "--order", "w2-e1,w4-e6"]) == 0
    assert main(arguments) == 0
    several, plain = calls
    assert {name: each.network.num_channels for name, each in several.training.items()} == {"w2": 2, "w4": 4}
    assert several.order == ["w2-e1", "w4-e6"]
    expected = Trainer(space_named("nb201"), task_named("digits"), num_epochs=6).config
    assert plain.training == replace(expected, test="last")


def test_a_search_that_trains_is_the_run_on_the_table(bench, monkeypatch):
    monkeypatch.setattr(Task, "without_test", lambda self: self)  # which are other arrays, and other made-up scores
    strategy = jn.successive_halving(SMALL, fidelities=bench.fidelities, reduction=2, num_initial=8)
    options = {"strategy": strategy, "progress": False}
    found = jn.NAS(SMALL, task_named(TASK), config=TRAININGS, **options).search(20, num_finalists=0)
    expected = jn.run(strategy, bench, num_trials=20, num_runs=1, seed=0)
    assert_equal_trials(found.trials, expected)
    assert found.cost_unit == "epochs of w2"
    assert found.config == TRAININGS["w2"]
    frame = jn.analysis.to_frame(expected, bench)
    assert set(frame["fidelity"]) == {"w1-e1", "w2-e1", "w2-e2"}
    with pytest.raises(ValueError, match="Expected an order where there are several trainers"):
        jn.NAS(SMALL, task_named(TASK), config=TINY, order=["w1-e1"])


def test_a_copy_of_a_training_benchmark_asks_the_same(bench):
    trainers = {name: Trainer(SMALL, task_named(TASK), each) for name, each in TRAININGS.items()}
    first = jn.benchmarks.TrainingBenchmark(trainers, num_seeds=3, order=["w1-e2", "w2-e2"])
    make, arguments = first.__reduce__()
    copy = make(*arguments)
    for each in (first, copy, jn.penalized(first, 1e-6)):
        assert each.fidelities == (bench.fidelities[1], 2)
        assert trainings_of(each).tolist() == [0, 1]
        assert each.cost_unit == bench.cost_unit
    assert copy.description() == first.description()
    assert copy.description()["order"] == ["w1-e2", "w2-e2"]
    assert (
        len(set(map(str, (first.description(), jn.benchmarks.TrainingBenchmark(trainers, num_seeds=3).description()))))
        == 2
    )


def test_workers_pay_in_full_where_a_training_is_another():
    trials = jn.simulation.Trials(
        jn.Query(np.zeros((1, 3, 2), np.int32), np.asarray([[0, 1, 2]])),
        jn.simulation.Observation(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3), int)),
    )
    price = np.asarray([[0.5, 1, 2]], np.float32)
    paid = [paid_when_begun(trials, price, [0, 1, 2], trainings) for trainings in (None, np.asarray([0, 1, 1]))]
    assert paid[0].tolist() == [[0.5, 0.5, 1]]
    assert paid[1].tolist() == [[0.5, 1, 1]]
