"""Tables in memory: scores, runs with holes, protocols, sizes, prices, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.samples import MIXED, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnas.spaces.decisions import Decision
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.tables import format
from jaxnas.tables.columns import Column, run_counts
from jaxnas.tables.curves import table_of_curves
from jaxnas.tables.manifest import Protocol
from jaxnas.tables.shipped import find, shipped_folder, shipped_ids
from jaxnas.tables.table import Table, column_pack, write
from jaxnas.tasks.base import SPLITS
from jaxnas.tasks.metrics import ACCURACY, Metric

BY_RUN = ("class", "run", "fidelity")
SCHEDULES = [
    {"name": "12", "training": "12 epochs", "epoch": 12},
    {"name": "100", "training": "200 epochs", "epoch": 100},
    {"name": "200", "training": "200 epochs", "epoch": 200},
]


def make_table(num_seeds: int = 2, floats: bool = False, space=MIXED) -> Table:
    """Returns a table of counts or of proportions at epochs 1, 3 and 9."""
    random = np.random.RandomState(1)
    shape = (space.num_architectures, num_seeds, 3)
    validation, test = (random.randint(0, 101, shape) for _ in range(2))
    if floats:
        return Table.from_arrays(space, "noise", validation / 100, test / 100, [1, 3, 9])
    return Table.from_arrays(space, "noise", validation, test, [1, 3, 9], {"validation": 100, "test": 200})


def with_classes() -> Table:
    """Returns a table as a build makes it: two rows a class, class 2 not trained, a training of class 1 failed."""
    random = np.random.RandomState(2)
    curves = {split: random.randint(0, 101, (6, 2, 3)).astype(np.int32) for split in SPLITS}
    loss = random.uniform(1, 2, (6, 2, 3)).astype(np.float32)
    loss[1, 0, 1:] = np.inf
    curves |= {"loss": loss, "first_loss": loss[:, :, 0] + 1, "first_gradient_norm": loss[:, :, 0]}
    return table_of_curves(
        make_table().manifest,
        np.arange(12) // 2,
        np.arange(6) * 2,
        {"num_parameters": np.arange(6) + 10, "num_flops": np.arange(6) + 20},
        curves,
        np.arange(6) != 2,
        dict.fromkeys(SPLITS, 100),
    )


def two_schedules(nan: str = "missing") -> Table:
    """Returns a table as published ones are: a short schedule with one run, a long one with two or three runs."""
    random = np.random.RandomState(3)
    final = random.uniform(0.5, 0.9, (12, 3, 2))
    final[::2, 0] = np.nan
    return Table.from_arrays(
        MIXED,
        "noise",
        Column(random.randint(0, 101, (12, 1)), ("class", "run"), "count", 1, 100, "search", ("12",)),
        Column(final, BY_RUN, "proportion", 1, runs="final", fidelities=("100", "200")),
        SCHEDULES,
        columns={
            "seconds": (np.linspace(50, 60, 12, dtype=np.float32), "seconds"),
            "latency_pi": (np.linspace(1, 2, 12), "milliseconds"),
        },
        protocols={
            "published": {"price": "seconds"},
            "late": {"told": "test", "fidelities": ["200"]},
        },
        nan=nan,
    )


# Scores


def test_counts_become_proportions_of_their_own_split():
    table = make_table()
    np.testing.assert_allclose(table.scores("validation"), table.validation / 100, rtol=1e-6)
    np.testing.assert_allclose(table.scores("test"), table.test / 200, rtol=1e-6)
    assert table.scores("test").dtype == table.means("test").dtype == np.float32


def test_failed_and_missing_trainings_have_no_score_and_are_kept():
    table = with_classes()
    missing = np.isnan(table.scores("validation"))
    assert missing[2].all()
    assert missing[1, 0].tolist() == [False, True, True]
    assert missing.sum() == missing[2].size + 2
    np.testing.assert_array_equal(table.succeeded(), ~missing)
    assert table.num_runs("validation").tolist() == [2, 2, 0, 2, 2, 2]
    assert table.trained.tolist() == [True, True, False, True, True, True]
    assert table.validation[1, 0, 2] <= 100  # the count of a failed training is stored


def test_means_are_over_the_runs_that_have_a_score():
    table = with_classes()
    scores = table.scores("test").astype(np.float64)
    expected = np.full((6, 3), np.nan)
    for number in set(range(6)) - {2}:
        expected[number] = np.nanmean(scores[number], axis=0)
    np.testing.assert_allclose(table.means("test"), expected, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_counts_come_back_whatever_their_size(num_examples, num_runs, num_fidelities, seed):
    scale = 10 ** np.random.RandomState(seed).randint(0, 5)
    shape = (2, 12, num_runs, num_fidelities)
    counts = np.random.RandomState(seed).randint(0, num_examples * scale + 1, shape)
    table = Table.from_arrays(MIXED, "noise", *counts, range(1, num_fidelities + 1), int(num_examples * scale))
    np.testing.assert_array_equal(table.validation, counts[0])
    assert table.validation.dtype.kind == "u"
    np.testing.assert_array_equal(table.scores("test"), (counts[1] / (num_examples * scale)).astype(np.float32))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_runs_that_are_missing_are_moved_to_the_end(num_runs, seed):
    random = np.random.RandomState(seed)
    validation, test = random.uniform(size=(2, 12, num_runs, 2)).astype(np.float32)
    missing = random.uniform(size=(12, num_runs)) < 0.4
    for values in (validation, test):
        values[missing] = np.nan
    table = Table.from_arrays(MIXED, "noise", validation, test, [1, 2], nan="missing")
    np.testing.assert_array_equal(table.num_runs("validation"), (~missing).sum(1))
    for row in range(12):
        there = (~missing[row]).sum()
        np.testing.assert_array_equal(table.scores("test")[row, :there], test[row, ~missing[row]])
        np.testing.assert_array_equal(table.scores("validation")[row, :there], validation[row, ~missing[row]])
        assert np.isnan(table.scores("validation")[row, there:]).all()


def test_nan_is_a_failed_training_unless_it_means_missing():
    validation, test = np.random.RandomState(0).uniform(size=(2, 12, 3, 2))
    validation[4, 1] = np.nan
    failed = Table.from_arrays(MIXED, "noise", validation, test, [1, 2])
    assert failed.num_runs("validation").tolist() == [3] * 12
    assert np.isnan(failed.scores("validation")[4, 1]).all()
    test[4, 1] = np.nan
    validation[5, 2] = -np.inf
    holes = Table.from_arrays(MIXED, "noise", validation, test, [1, 2], nan="missing")
    assert holes.num_runs("validation")[[3, 4, 5]].tolist() == [3, 2, 3]
    assert np.isnan(holes.scores("validation")[5, 2]).all()


def test_a_run_that_is_missing_in_part_is_refused():
    validation, test = np.random.RandomState(0).uniform(size=(2, 12, 3, 2))
    validation[4, 1, 0] = np.nan
    with pytest.raises(ValueError, match="Expected runs with every value of validation and test, or with none, got a"):
        Table.from_arrays(MIXED, "noise", validation, test, [1, 2], nan="missing")


# Protocols, metric, prices


def test_by_default_a_search_is_told_validation_at_every_epoch_and_test_is_reported():
    table = make_table()
    assert table.protocol() == table.protocol("default") == Protocol("validation", "test", (0, 1, 2), "epochs")
    assert table.protocols == ("default",)
    assert table.fidelities == [1, 3, 9]
    assert table.prices(table.protocol()).tolist() == [[1, 3, 9]]
    assert table.cost_unit(table.protocol()) == "epochs"
    assert table.metric == ACCURACY


def test_schedules_have_runs_and_fidelities_of_their_own():
    table = two_schedules()
    assert table.protocols == ("default", "published", "late")
    published = table.protocol("published")
    assert published == Protocol("validation", "test", (0,), "seconds")
    assert table.fidelities == [12]
    assert [fidelity.epoch for fidelity in table.column_fidelities("test")] == [100, 200]
    assert table.scores("validation").shape == (12, 1, 1)
    assert table.num_runs("validation").tolist() == [1] * 12
    assert table.num_runs("test").tolist() == [2, 3] * 6
    assert not np.isnan(table.means("test")).any()
    np.testing.assert_array_equal(table.prices(published), np.linspace(50, 60, 12, dtype=np.float32)[:, None])
    assert table.cost_unit(published) == "seconds"
    assert table.protocol("late") == Protocol("test", "test", (1,), "epochs")
    assert table.prices(table.protocol("late")).tolist() == [[200]]


def test_prices_by_fidelity_are_those_of_the_fidelities_that_are_asked():
    seconds = np.arange(36, dtype=np.float32).reshape(12, 3)
    table = Table.from_arrays(
        MIXED,
        "noise",
        *np.full((2, 12, 1, 3), 0.5),
        [1, 3, 9],
        columns={"seconds": (seconds, "seconds")},
        protocols={"default": {"price": "seconds", "fidelities": ["9", "3"]}},
    )
    np.testing.assert_array_equal(table.prices(table.protocol()), seconds[:, [2, 1]])
    assert table.fidelities == [9, 3]


def test_a_metric_may_be_any_unit_and_direction():
    metric = Metric("error", "percent", -1)
    table = Table.from_arrays(MIXED, "noise", *np.full((2, 12, 1, 1), 31.5), [5], metric=metric)
    assert table.metric == metric
    assert table.columns["test"].better == -1
    assert (table.scores("test") == np.float32(31.5)).all()


# Sizes and packs


def test_sizes_are_the_columns_with_one_value_a_class():
    table = two_schedules()
    assert table.size_names == ("seconds", "latency_pi")
    np.testing.assert_array_equal(table.sizes("latency_pi"), np.linspace(1, 2, 12))
    table = with_classes()
    assert table.size_names == ("parameters", "flops")
    np.testing.assert_array_equal(table.sizes("flops"), table.columns["num_flops"].values)
    with pytest.raises(ValueError, match=r"^Did you mean flops\? Expected a size of mixed-noise of flops, p"):
        table.sizes("flop")


def test_a_pack_of_columns_is_joined_by_row():
    table = with_classes()
    energy = np.arange(12.0)
    joined = table.joined(column_pack(MIXED, "mixed-energy", {"energy": (energy, "millijoules")}))
    np.testing.assert_array_equal(joined.sizes("energy"), energy[table.representatives])
    np.testing.assert_array_equal(joined.scores("test"), table.scores("test"))
    assert joined.manifest["joined"] == [{"id": "mixed-energy", "content_hash": None}]
    assert "energy" not in table.columns
    with pytest.raises(ValueError, match=r"Expected columns that mixed-noise lacks, got energy of mixed-energy"):
        joined.joined(column_pack(MIXED, "mixed-energy", {"energy": (energy, "millijoules")}))
    with pytest.raises(ValueError, match="Expected columns for the space mixed, got small-energy"):
        table.joined(column_pack(SMALL, "small-energy", {"energy": (np.zeros(125), "millijoules")}))


def test_runs_of_a_pack_are_not_those_of_the_table():
    snip = Column(np.arange(24, dtype=np.float32).reshape(12, 2), ("class", "run"), "score", 1)
    pack = column_pack(MIXED, "mixed-snip", {"snip": snip, "num_runs": run_counts(np.arange(12) % 3, None)})
    table = with_classes().joined(pack)
    assert table.num_runs("snip").tolist() == [0, 2, 1, 0, 2, 1]
    assert table.num_runs("test").tolist() == [2, 2, 0, 2, 2, 2]
    assert table.size_names == ("parameters", "flops")


def test_a_pack_has_no_scores():
    pack = column_pack(MIXED, "mixed-energy", {"energy": (np.arange(12.0), "millijoules")})
    assert pack.protocols == ()
    with pytest.raises(ValueError, match="Expected a table of scores, got mixed-energy"):
        pack.protocol()


# What is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation": np.zeros((3, 1, 3))}, r"Expected validation of shape \[12, S, 3\], got \[3, 1, 3\]"),
        ({"test": np.zeros((12, 1, 2))}, "Expected test of shape"),
        ({"test": np.full((12, 1, 3), "a")}, "Expected test of numbers, got <U1"),
        ({"test": np.zeros((12, 5, 3), int)}, "of one shape"),
        ({"test": np.full((12, 1, 3), 101)}, "Expected counts of test from 0 to 100, got 101"),
        ({"validation": np.full((12, 1, 3), -1)}, "Expected counts of validation from 0 to 100, got -1"),
        ({"fidelities": [3, 1, 9]}, "Expected ascending fidelities"),
        ({"fidelities": [None, 1, 9]}, "Expected fidelities that are epochs"),
        ({"fidelities": [{"name": "a"}, 1, 9]}, "Expected fidelities that are epochs, or have a name and an epoch"),
        ({"fidelities": [*SCHEDULES[:2], SCHEDULES[1] | {"epoch": 150}]}, "Expected fidelities of different names"),
        ({"num_examples": None}, "Expected num_examples with counts"),
        ({"nan": "lost"}, "Expected nan of failed or missing, got 'lost'"),
        ({"columns": {"seconds": np.zeros(12)}}, r"Expected seconds as \(values, unit\) or a Column, got ndarray"),
        ({"columns": {"seconds": (np.zeros(11), "seconds")}}, r"Expected seconds of shape \[12\] or \[12, F\]"),
        ({"columns": {"seconds": (np.zeros((12, 2)), "seconds")}}, "Expected column seconds with 3 fidelities, got 2"),
        ({"columns": {"a-b": (np.zeros(12), "seconds")}}, "Expected a column's name of letters"),
        ({"columns": {"names": (np.full(12, "a"), "text")}}, "Expected column names of integers, float32 or float64"),
        (
            {"columns": {"late": Column(np.zeros((12, 1)), ("class", "run"), "nats", fidelities=("200",))}},
            "Expected a fidelity of column late of 1, 3, 9, got '200'",
        ),
        ({"columns": {"odd": Column(np.zeros((12, 1)), ("run", "class"), "nats")}}, "Expected column odd with axes"),
        ({"metric": Metric("accuracy", "percent", 0)}, "Expected a metric with better 1 or -1"),
        (
            {"columns": {"n": Column(np.zeros(12), ("class",), "count", 0, -1)}},
            "column n with a denominator of at least 1",
        ),
        (
            {
                "columns": {"hours": Column(np.zeros((12, 1)), ("class", "fidelity"), "hours", fidelities=("9",))},
                "protocols": {"mine": {"price": "hours", "fidelities": ["3", "9"]}},
            },
            "Expected a fidelity of hours of 9, got '3'",
        ),
        ({"protocols": {"mine": {"price": "hours"}}}, "Expected a column of test, validation, got 'hours'"),
        ({"protocols": {"mine": {"fidelities": ["4"]}}}, "Expected a fidelity of 1, 3, 9, got '4'"),
    ],
)
def test_wrong_arrays_are_refused(change, message):
    arguments = {
        "space": MIXED,
        "task": "noise",
        "validation": np.zeros((12, 1, 3), int),
        "test": np.zeros((12, 1, 3), int),
        "fidelities": [1, 3, 9],
        "num_examples": 100,
    }
    with pytest.raises(ValueError, match=message):
        Table.from_arrays(**arguments | change)


def test_keys_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"Expected the key matrix to be integers \[12\]"):
        replace(make_table(), keys={"matrix": np.zeros(11, int)})


def test_unknown_names_are_answered_with_the_nearest():
    table = make_table()
    with pytest.raises(ValueError, match=r"Did you mean default.*Expected a protocol of default, got 'defalt'"):
        table.protocol("defalt")
    with pytest.raises(ValueError, match=r"^Did you mean test\? Expected a column of mixed-noise of test, v"):
        table.scores("tset")
    with pytest.raises(ValueError, match="Expected a column of mixed-noise"):
        table.means("loss")


def test_classes_are_numbered_in_the_order_of_their_representatives():
    table = make_table()
    halves = {name: column._replace(values=column.values[:6]) for name, column in table.columns.items()}
    assert Table(table.manifest, {}, np.arange(12) // 2, halves).representatives.tolist() == [0, 2, 4, 6, 8, 10]
    assert Table(table.manifest, {}, None, table.columns).class_of.tolist() == list(range(12))
    with pytest.raises(ValueError, match="Expected classes numbered by the rows of their representatives"):
        Table(table.manifest, {}, 5 - np.arange(12) // 2, halves)
    with pytest.raises(ValueError, match=r"Expected column validation of shape \[6, Rs, Fs\], got \[12, 2, 3\]"):
        Table(table.manifest, {}, np.arange(12) // 2, table.columns)


def test_columns_can_be_added_and_replaced():
    table = make_table()
    table.manifest["content_hash"] = "of these columns"
    changed = table.with_columns({"num_runs": run_counts(np.arange(12) % 3, None), "heat": (np.ones(12), "kelvin")})
    assert changed.num_runs("test").tolist() == [0, 1, 2] * 4
    assert changed.size_names == ("heat",)
    assert "content_hash" not in changed.manifest
    assert table.size_names == ()


def test_reading_a_table_loads_no_jax():
    code = (
        "import sys, jaxnas\n"
        f"table = jaxnas.Table.read({shipped_ids()[0]!r})\n"
        "table.scores('validation'), table.means('test'), table.prices(table.protocol())\n"
        "print([name for name in ('jax', 'flax', 'pandas', 'sklearn') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(output.replace("'", '"')) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.full((12, 1, 3), 93.4),
            r"Expected validation as proportions from 0 to 1, got 93\.4; divide percent by 100",
        ),
        (np.full((12, 1, 3), -7.2), r"Expected validation as proportions from 0 to 1, got -7\.2"),
        (np.ma.masked_equal(np.eye(12)[:, None, :3], 1), "Expected validation without a mask, got a masked array"),
    ],
    ids=["percent", "negative", "masked"],
)
def test_scores_that_are_no_proportions_are_refused_with_advice(values, message):
    test = np.full((12, 1, 3), 0.5)
    with pytest.raises(ValueError, match=f"^{message}"):
        Table.from_arrays(MIXED, "noise", values, test, [1, 3, 9])
    if not isinstance(values, np.ma.MaskedArray):
        percent = Metric("accuracy", "percent")
        table = Table.from_arrays(MIXED, "noise", values, test, [1, 3, 9], metric=percent)
        np.testing.assert_array_equal(table.validation, values.astype(np.float32))


def test_infinite_scores_are_failed_trainings():
    scores = np.full((12, 1, 3), 0.5)
    scores[0, 0, 1] = np.inf
    table = Table.from_arrays(MIXED, "noise", scores, scores, [1, 3, 9])
    assert np.isnan(table.scores("validation")[0, 0, 1])
    assert np.isfinite(table.means("test")).sum() == 35


def test_counts_of_a_build_are_checked_against_the_examples():
    random = np.random.RandomState(2)
    curves = {split: random.randint(0, 101, (12, 2, 3)) for split in SPLITS}
    arguments = [make_table().manifest, np.arange(12), np.arange(12), {}]
    table_of_curves(*arguments, curves, np.ones(12, bool), dict.fromkeys(SPLITS, 100))
    with pytest.raises(ValueError, match=r"^Expected counts of validation from 0 to 50, got 0 to 100"):
        table_of_curves(*arguments, curves, np.ones(12, bool), {"train": 100, "validation": 50, "test": 100})


def test_a_build_that_tests_the_last_epoch_alone_fails_where_that_epoch_failed():
    random = np.random.RandomState(2)
    curves = {split: random.randint(0, 51, (12, 2, 3)) for split in SPLITS}
    loss = np.ones((12, 2, 3), np.float32)
    loss[0, 0, 1:], loss[1, :, 2] = np.nan, np.inf
    arguments = [make_table().manifest, np.arange(12), np.arange(12), {}]
    examples = dict.fromkeys(SPLITS, 50)
    whole = table_of_curves(*arguments, curves | {"loss": loss}, np.ones(12, bool), examples)
    last = curves | {"loss": loss, "test": curves["test"][:, :, -1:]}
    table = table_of_curves(*arguments, last, np.ones(12, bool), examples)
    assert [fidelity.epoch for fidelity in table.column_fidelities("test")] == [9]
    assert table.test.shape == (12, 2, 1)
    np.testing.assert_array_equal(table.scores("test"), whole.scores("test")[:, :, -1:])
    np.testing.assert_array_equal(table.means("test"), whole.means("test")[:, -1:])
    np.testing.assert_array_equal(table.scores("test", [-1]), whole.scores("test", [-1]))
    assert np.isnan(table.scores("test")).sum() == 3
    assert np.isnan(table.means("test")).sum() == 1


# What others put into manifests and files


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (("id",), "../victim"),
        (("id",), "/home/u/site"),
        (("id",), "a\nb"),
        (("id",), ""),
        (("id",), ["a"]),
        (("space", "name"), "../mine.py:SPACE"),
        (("task", "name"), "evil/evil.py:S"),
        (("task", "name"), 3),
        (("space", "decisions"), []),
        (("space", "num_architectures"), 10**12),
        (("seeds",), [2**40]),
        (("seeds",), [None]),
        (("fidelities",), []),
        (("fidelities", 0), {"name": "a"}),
        (("metric", "unit"), None),
        (("columns", "test", "shape"), [10**9, 10**9]),
        (("columns", "test", "denominator"), 0),
        (("protocols", "default"), 7),
        (("training",), [1]),
        (("versions",), {"jax": 3}),
        (("files",), {"/dev/zero": "0"}),
    ],
)
def test_a_manifest_with_other_parts_and_honest_hashes_is_refused(part, value, tmp_path):
    manifest = write(make_table(), tmp_path, "a card").manifest
    changed = json.loads(json.dumps(manifest))
    *parents, last = part
    inner = changed
    for name in parents:
        inner = inner[name]
    inner[last] = value
    changed["manifest_hash"] = format.manifest_hash(changed)
    (tmp_path / "manifest.json").write_bytes(format.manifest_bytes(changed))
    with pytest.raises(ValueError, match=r"^Expected ") as error:
        Table.read(tmp_path)
    assert "\n" not in str(error.value)


def test_a_table_that_could_not_be_read_is_not_written(tmp_path):
    table = make_table()
    table.manifest["id"] = "../victim"
    with pytest.raises(ValueError, match=r"^Expected a table that can be read again, got '\.\./victim' where an id"):
        write(table, tmp_path / "folder", "a card")
    assert not (tmp_path / "folder").exists()


def test_a_file_of_more_values_than_its_size_explains_is_not_read(tmp_path, monkeypatch):
    space = SearchSpace("rows", (Decision("row", range(1000)),))
    scores = np.zeros((1000, 1, 50), np.float32)
    write(Table.from_arrays(space, "zeros", scores, scores, range(1, 51)), tmp_path, "a card")
    Table.read(tmp_path)
    monkeypatch.setattr(format, "ALWAYS_READ", 1000)
    monkeypatch.setattr(format, "VALUES_A_BYTE", 1)
    with pytest.raises(ValueError, match=r"100,000 values in [\d,]+ bytes, where a table has at most"):
        Table.read(tmp_path)


def test_a_folder_does_not_shadow_a_table_that_ships(tmp_path, monkeypatch):
    name = shipped_ids()[0]
    write(make_table(), tmp_path / name, "a card")
    monkeypatch.chdir(tmp_path)
    assert Table.read(name).id == name
    assert find(name) == shipped_folder() / name
    for folder in (f"./{name}", tmp_path / name):
        assert Table.read(folder).id == "mixed-noise"
    with pytest.raises(ValueError, match=r"^Did you mean .* Expected a folder with a manifest.json, or a table of"):
        find(f"../{name}")


def test_a_table_that_no_build_made_cannot_be_trained_again(tmp_path):
    from jaxnas.tables.building.verification import retrain

    write(make_table(), tmp_path, "a card")
    with pytest.raises(
        ValueError, match=r"^Expected a table that `jaxnas build` made, to train again, got mixed-noise"
    ):
        retrain(tmp_path, 1)
