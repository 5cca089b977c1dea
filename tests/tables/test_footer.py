"""The footer of a Parquet file: the numbers of values, and no other error than ValueError."""

import contextlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxnas.tables.footer import num_values


def test_values_are_counted_over_groups_columns_and_lists(tmp_path):
    lists = pa.array([list(range(length)) for length in (1, 3, 2, 4)])
    table = pa.table({"a": np.arange(4), "b": ["x"] * 4, "c": lists, "d": np.ones(4, bool)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    assert num_values(tmp_path / "a.parquet") == 4 + 4 + 10 + 4


def test_a_damaged_footer_is_a_value_error(tmp_path):
    path, random = tmp_path / "a.parquet", np.random.default_rng(0)
    pq.write_table(pa.table({"a": np.arange(4)}), path)
    data = path.read_bytes()
    for _ in range(500):
        changed = bytearray(data)
        for place in random.integers(len(data) // 2, len(data), 3):
            changed[place] = random.integers(256)
        path.write_bytes(changed)
        with contextlib.suppress(ValueError):
            assert num_values(path) >= 0


@pytest.mark.parametrize("data", [b"", b"PAR1", b"\xff" * 8 + b"PAR1", b"\x1c" * 400 + b"\x90\x01\x00\x00PAR1"])
def test_other_files_are_refused(data, tmp_path):
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(ValueError, match="footer"):
        num_values(tmp_path / "a.parquet")
