"""The tables that ship: found by name, complete, small, and each with a card."""

import numpy as np
import pytest

from jaxnas.files import CARD_FILE
from jaxnas.tables.columns import is_missing
from jaxnas.tables.shipped import find, shipped_folder, shipped_ids
from jaxnas.tables.table import Table
from jaxnas.tasks.base import SPLITS

PUBLISHED = ("nb201-cifar10-v1", "nb201-cifar100-v1", "nb201-imagenet16-120-v1")


def test_an_unknown_table_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="Did you mean nb201-shifted-digits"):
        Table.read("nb201-shifted-digit")
    with pytest.raises(ValueError, match=r"is the folder of no table, pack or surrogate: it has no manifest\.json"):
        Table.read(tmp_path)


def test_a_folder_is_found_by_its_path_and_a_shipped_table_by_its_identifier(tmp_path):
    name = shipped_ids()[0]
    assert find(name) == shipped_folder() / name
    assert find(shipped_folder() / name) == shipped_folder() / name
    assert find(str(shipped_folder() / name)) == shipped_folder() / name


@pytest.mark.parametrize("name", shipped_ids())
def test_a_shipped_table_is_complete_and_describes_itself(name):
    table = Table.read(name)
    assert table.id == name
    assert table.trained.all()
    assert table.protocol().told != table.protocol().reported
    assert not np.array_equal(table.validation, table.test)
    counts = [column for column in table.columns.values() if column.denominator is not None]
    assert len(counts) == len(SPLITS)
    for column in counts:
        assert column.values[~is_missing(column.values)].max() <= column.denominator
    card = (find(name) / CARD_FILE).read_text()
    assert name in card
    assert "## Limits" in card
    assert ("source" in table.manifest) == (name in PUBLISHED)
    trained = {"training", "plan", "versions", "machine", "git_commit"}
    assert trained & set(table.manifest) == (set() if name in PUBLISHED else trained)
    assert table.manifest["licence"]


def test_shipped_tables_stay_small():
    total = sum(path.stat().st_size for path in shipped_folder().rglob("*") if path.is_file())
    assert total < 18e6
