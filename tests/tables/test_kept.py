"""Arrays of large tables that are kept: a second reading is the same, and a change of a file is noticed."""

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.files import TABLE_FILE
from jaxnas.tables import cache, format
from jaxnas.tables.table import Table, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns the folder of a table that counts as large, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "LARGE", 1)
    space = jn.SearchSpace("grid", (jn.Decision("a", range(4)), jn.Decision("b", range(5))))
    random = np.random.default_rng(0)
    validation, test = random.uniform(0, 1, (2, 20, 3, 2))
    table = Table.from_arrays(space, "mine", validation, test, [5, 10], columns={"cost": (np.arange(20), "seconds")})
    write(table, tmp_path / "table", "A card.")
    return tmp_path / "table"


def test_a_second_reading_reads_no_file_and_gives_the_same(folder, monkeypatch):
    first = Table.read(folder)
    monkeypatch.setattr(format, "read_contents", lambda *_: pytest.fail("the file was read again"))
    second = Table.read(folder)
    assert second.manifest == first.manifest
    for name, column in first.columns.items():
        np.testing.assert_array_equal(second.columns[name].values, column.values)
        assert second.columns[name]._replace(values=None) == column._replace(values=None)
    np.testing.assert_array_equal(second.class_of, first.class_of)


def test_a_changed_file_is_checked_again(folder):
    Table.read(folder)
    data = bytearray((folder / TABLE_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / TABLE_FILE).write_bytes(data)
    with pytest.raises(ValueError, match="changed, truncated or missing"):
        Table.read(folder)


def test_verifying_reads_the_file_and_damaged_copies_do_not_matter(folder, tmp_path):
    expected = Table.read(folder).validation
    (path,) = (tmp_path / "cache").rglob("*.arrays")
    whole = path.read_bytes()
    place = whole.index(expected.tobytes()[:8])
    for damaged in (whole[:-3], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(Table.read(folder).validation, expected)
    np.testing.assert_array_equal(Table.read(folder, verify=True).validation, expected)


def test_what_cannot_be_kept_is_read_each_time(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    np.testing.assert_array_equal(Table.read(folder).validation, Table.read(folder).validation)
