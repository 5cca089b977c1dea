"""The files of a table: what is written is what is read, any change is noticed, and schema 1 is read as before."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.samples import MIXED, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st
from test_table import make_table, two_schedules, with_classes

from jaxnas import files
from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE
from jaxnas.spaces.decisions import Decision
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.tables import format
from jaxnas.tables.columns import Column
from jaxnas.tables.shipped import find
from jaxnas.tables.table import Table, column_pack, content_hash, write

SCHEMA_1 = Path(__file__).parent / "schema1"
HASHES = {
    "mlp-small-shifted-digits-v1": "bb754a5ded73165db3f9b3f127bf7c240d759e7f60fff7e9e9ddd6bc8ab47926",
    "nb201-mnist5k-v1": "f10f7edccab9bca66dc79825332626753c67d1408667640d0037284362a74874",
    "nb201-shifted-digits-v1": "586b90742c63cc4f7da27983b12044f049ab40332160095a52405ade8e24bc53",
}


def with_keys() -> Table:
    validation, test = np.random.RandomState(0).uniform(size=(2, 12, 2, 1)).astype(np.float32)
    keys = {"matrix": np.arange(12, dtype=np.int32) * 7, "labels": np.arange(12, dtype=np.uint16)}
    return replace(Table.from_arrays(MIXED, "noise", validation, test, [108]), keys=keys)


def pack() -> Table:
    columns = {
        "latency_pi": (np.linspace(1, 2, 12), "milliseconds"),
        "snip": Column(np.arange(24, dtype=np.float32).reshape(12, 2), ("class", "run"), "score", 1),
    }
    return column_pack(MIXED, "mixed-columns", columns)


MAKERS = [make_table, lambda: make_table(floats=True), with_classes, two_schedules, with_keys, pack]


def assert_same(read: Table, written: Table) -> None:
    """Asserts that two tables are equal to the last bit and type."""
    assert read.manifest == written.manifest
    assert list(read.keys) == sorted(written.keys)
    assert read.columns.keys() == written.columns.keys()
    for name, column in written.columns.items():
        assert read.columns[name][1:] == column[1:]
        assert read.columns[name].values.dtype == column.values.dtype
        np.testing.assert_array_equal(read.columns[name].values, column.values, err_msg=name)
    for name in ("class_of", "representatives"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    for name, values in written.keys.items():
        np.testing.assert_array_equal(read.keys[name], values)


@pytest.mark.parametrize("make", MAKERS)
def test_reading_gives_what_was_written(make, tmp_path):
    written = write(make(), tmp_path, "a card")
    assert written.manifest["schema_version"] == 2
    assert_same(Table.read(tmp_path), written)
    assert content_hash(written) == written.manifest["content_hash"]


@st.composite
def tables(draw) -> Table:
    """Draws a table with columns of any axes and types, classes, and runs that are missing."""
    random = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    num_runs, num_fidelities = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = (12, num_runs, num_fidelities)
    validation, test = random.randint(0, 1_000, (2, *shape))
    if draw(st.booleans()):
        validation, test = validation / 999, test / 999
        hole = random.uniform(size=shape[:2]) < draw(st.sampled_from([0, 0.3, 1]))
        validation[hole], test[hole] = np.nan, np.nan
    columns = {}
    kinds = st.sampled_from(["u1", "u2", "u4", "u8", "i1", "i4", "i8", "f4", "f8"])
    for number, kind in enumerate(draw(st.lists(kinds, max_size=4))):
        axes = draw(st.sampled_from([("class",), ("class", "fidelity"), ("class", "run", "fidelity")]))
        size = [dict(zip(("class", "run", "fidelity"), shape, strict=True))[axis] for axis in axes]
        columns[f"extra_{number}"] = Column(random.randint(0, 120, size).astype(kind), axes, "count", runs=f"{number}")
    nan = draw(st.sampled_from(["failed", "missing"]))
    epochs = range(1, num_fidelities + 1)
    return Table.from_arrays(MIXED, "noise", validation, test, epochs, 1_000, columns=columns, nan=nan)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_any_table_survives_being_written(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("table")
    written = write(table, folder, "a card")
    assert_same(Table.read(folder), written)


def test_writing_twice_gives_the_same_files(tmp_path):
    write(with_classes(), tmp_path / "a", "a card")
    write(with_classes(), tmp_path / "b", "a card")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_content_hash_depends_on_every_array_and_its_type_and_not_on_the_file_layout(monkeypatch, tmp_path):
    table = with_classes()
    hashes = {content_hash(table)}
    for name, column in table.columns.items():
        values = column.values.copy()
        values.reshape(-1)[-1] += 1
        hashes.add(content_hash(table.with_columns({name: column._replace(values=values)})))
    assert len(hashes) == len(table.columns) + 1
    wider = table.columns["validation"]
    wider = wider._replace(values=wider.values.astype(np.uint32))
    assert content_hash(table.with_columns({"validation": wider})) not in hashes
    assert content_hash(Table(table.manifest, {"key": np.arange(12)}, table.class_of, table.columns)) not in hashes
    monkeypatch.setattr(format, "ROWS_PER_GROUP", 5)
    written = write(table, tmp_path, "a card")
    assert written.manifest["content_hash"] in hashes
    assert_same(Table.read(tmp_path), written)


def test_the_rows_of_the_file_are_architectures_in_index_order(tmp_path):
    import pyarrow.parquet as pq

    table = write(make_table(space=SMALL), tmp_path, "a card")
    rows = pq.read_table(tmp_path / TABLE_FILE).to_pylist()
    assert len(rows) == SMALL.num_architectures
    row = int(SMALL.index(SMALL.from_str("|skip_connect~0|+|none~0|tanh~1|")))
    assert rows[row]["validation"] == table.validation[row].reshape(-1).tolist()
    assert "class" not in rows[row]


def test_classes_have_their_scores_in_the_rows_of_their_representatives(tmp_path):
    import pyarrow.parquet as pq

    table = write(with_classes(), tmp_path, "a card")
    rows = pq.read_table(tmp_path / TABLE_FILE).to_pylist()
    assert [row["class"] for row in rows] == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]
    assert [row["num_runs"] for row in rows[::2]] == [2, 2, 0, 2, 2, 2]
    assert [row["validation"] is None for row in rows] == [row % 2 == 1 or row == 4 for row in range(12)]
    assert rows[2]["validation"] == table.validation[1].reshape(-1).tolist()
    assert rows[3]["num_flops"] == 21


# Schema 1


@pytest.mark.parametrize("name", HASHES)
def test_shipped_tables_of_schema_1_keep_their_hashes(name):
    table = Table.read(name)
    assert table.manifest["schema_version"] == 1
    assert table.manifest["content_hash"] == content_hash(table) == HASHES[name]
    assert table.validation.dtype == np.uint16
    assert table.columns["loss"].values.dtype == np.float32
    assert table.columns["num_parameters"].values.dtype == np.int64


def test_a_partial_table_of_schema_1_is_read_as_it_was_written():
    table = Table.read(SCHEMA_1)
    assert content_hash(table) == "2dfecb91a2f3b03e55d6c53cef5996acff04dee3c7ccac635ca71700a6a53d25"
    assert table.trained.tolist() == [True, True, False, True, True, True]
    assert table.num_runs("validation").tolist() == [2, 2, 0, 2, 2, 2]
    assert table.class_of.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert table.validation[0].tolist() == [[37, 12, 72], [9, 75, 5]]
    assert table.validation[2].tolist() == [[0, 0, 0]] * 2
    assert table.test.dtype == np.int32
    assert table.scores("test")[0, 0, 0] == 70_000 / np.float32(80_000)
    assert np.isnan(table.scores("test")).sum() == 6 + 2
    assert (table.fidelities, table.num_seeds, table.metric.better) == ([1, 3, 9], 2, 1)
    assert table.columns["first_gradient_norm"].values.tolist() == [[2, 2], [2, 2], [0, 0], [2, 2], [2, 2], [2, 2]]


def test_a_table_of_schema_1_is_written_again_in_schema_2(tmp_path):
    table = Table.read(SCHEMA_1)
    written = write(table, tmp_path, "a card")
    read = Table.read(tmp_path)
    assert read.manifest["schema_version"] == 2
    assert read.protocol() == table.protocol()
    assert read.metric == table.metric
    for split in ("validation", "test"):
        np.testing.assert_array_equal(read.scores(split), table.scores(split))
    assert written.manifest["content_hash"] != table.manifest["content_hash"]


# What is noticed


@pytest.mark.parametrize("name", [TABLE_FILE, MANIFEST_FILE, CARD_FILE])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9, 0.999])
def test_any_changed_bit_is_noticed_and_the_file_named(name, place, tmp_path):
    write(make_table(), tmp_path, "a card\n" * 20)
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^Expected .*{name}"):
        Table.read(tmp_path)


def written_honestly(folder: Path, manifest: dict) -> None:
    """Writes a manifest whose own hashes are right, whatever else it says."""
    path = folder / MANIFEST_FILE
    present = {name: format.sha256((folder / name).read_bytes()) for name in (TABLE_FILE, CARD_FILE)}
    manifest = manifest | ({"files": present} if "files" in manifest else {})
    path.write_bytes(format.manifest_bytes(manifest | {"manifest_hash": format.manifest_hash(manifest)}))


def refused(folder: Path) -> str:
    """Returns the one line that a damaged table is refused with."""
    with pytest.raises(ValueError, match=r"^Expected ") as error:
        Table.read(folder)
    text = str(error.value)
    assert "\n" not in text
    assert str(folder) in text
    return text


def test_changed_arrays_with_honest_files_are_noticed(tmp_path):
    written = write(make_table(), tmp_path, "a card")
    written_honestly(tmp_path, written.manifest | {"content_hash": "0" * 64})
    assert "content_hash" in refused(tmp_path)


def test_truncated_and_missing_files_are_noticed(tmp_path):
    write(make_table(), tmp_path, "a card")
    path = tmp_path / TABLE_FILE
    path.write_bytes(path.read_bytes()[:100])
    assert format.check_files(tmp_path)[0].startswith(f"Expected {path}")
    path.unlink()
    assert "missing" in format.check_files(tmp_path)[0]


def test_a_manifest_of_a_newer_schema_is_refused(tmp_path):
    written = write(make_table(), tmp_path, "a card")
    written_honestly(tmp_path, written.manifest | {"schema_version": 3})
    assert "got: schema version 3; a newer version of jaxnas may read it." in refused(tmp_path)


def test_two_hundred_damaged_files_are_refused_in_one_line(tmp_path):
    random = np.random.RandomState(0)
    write(with_classes(), tmp_path, "a card")
    originals = {name: (tmp_path / name).read_bytes() for name in (TABLE_FILE, MANIFEST_FILE, CARD_FILE)}
    for trial in range(200):
        name = list(originals)[trial % 3]
        data = bytearray(originals[name])
        place = random.randint(len(data))
        change = random.randint(4)
        if change == 0:
            data[place] ^= 1 << random.randint(8)
        elif change == 1:
            del data[place : place + random.randint(1, 50)]
        elif change == 2:
            data[place:place] = random.bytes(random.randint(1, 50))
        else:
            data[place:] = random.bytes(len(data) - place)
        (tmp_path / name).write_bytes(data)
        refused(tmp_path)
        (tmp_path / name).write_bytes(originals[name])
    Table.read(tmp_path)


def places_in(value, path=()):
    """Yields the path of every value in a manifest."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places_in(child, (*path, key))


def changed_at(value, path: tuple, new):
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = changed_at(value[path[0]], path[1:], new)
    return changed


@pytest.mark.parametrize("make", [with_classes, two_schedules], ids=["classes", "schedules"])
def test_a_wrong_manifest_with_honest_hashes_is_refused_in_one_line_or_read(make, tmp_path):
    """Whoever edits a manifest and its hashes meets a line that names the folder, and no traceback."""
    random = np.random.RandomState(0)
    manifest = write(make(), tmp_path, "a card").manifest
    places = list(places_in(manifest))
    num_refused = 0
    for trial in range(200):
        place = places[random.randint(len(places))]
        new = [None, -1, "x", [], {}, 1e9, [[1]]][trial % 7]
        written_honestly(tmp_path, changed_at(manifest, place, new))
        try:
            Table.read(tmp_path)
        except ValueError:
            num_refused += 1
            refused(tmp_path)
    assert num_refused > 100


def test_a_damaged_parquet_file_with_honest_hashes_is_refused_in_one_line(tmp_path):
    random = np.random.RandomState(0)
    manifest = write(with_classes(), tmp_path, "a card").manifest
    original = (tmp_path / TABLE_FILE).read_bytes()
    for _ in range(60):
        data = bytearray(original)
        for place in random.randint(len(data), size=3):
            data[place] ^= 1 << random.randint(8)
        (tmp_path / TABLE_FILE).write_bytes(data)
        written_honestly(tmp_path, manifest)
        try:
            read = Table.read(tmp_path)
        except ValueError:
            refused(tmp_path)
        else:
            assert content_hash(read) == manifest["content_hash"]


def test_half_a_file_of_a_killed_writer_is_removed(tmp_path):
    (tmp_path / f".{TABLE_FILE}.12345678.tmp").write_bytes(b"half")
    os.utime(tmp_path / f".{TABLE_FILE}.12345678.tmp", (1, 1))
    write(make_table(), tmp_path, "a card")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    write(make_table(), tmp_path, "a card")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(with_classes(), tmp_path, "another card")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_table_of_the_size_of_nas_bench_101_is_read_and_written_in_seconds(tmp_path):
    """At a fifth of its 423,624 rows; counts of 3 runs at 4 epochs that do not compress."""
    space = SearchSpace("big", (Decision("row", range(84_725)),))
    counts = np.random.RandomState(0).randint(0, 9_985, (2, 84_725, 3, 4)).astype(np.uint16)
    table = Table.from_arrays(space, "cifar10", *counts, [4, 12, 36, 108], 9_984)
    begin = os.times()
    written = write(table, tmp_path, "a card")
    assert_same(Table.read(tmp_path), written)
    end = os.times()
    assert end.user + end.system - begin.user - begin.system < 4
    assert find(tmp_path) == tmp_path
