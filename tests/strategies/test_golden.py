"""Trajectories, tables and trainings are those recorded in `golden/trajectories.json`.

What sums floating-point numbers depends on the processor and on jaxlib. Where these are not the recorded ones, only the
trials of a strategy before its first such sum are compared, and no training.
"""

import json

import pytest
from golden import record

import jaxnas as jn

GOLDEN = json.loads(record.FILE.read_text())
SAME_ARITHMETIC = record.identity() == GOLDEN["identity"]


@pytest.mark.parametrize("case", GOLDEN["trajectories"])
def test_trajectories_are_those_recorded(case):
    name, _, rows = case.partition(" on ")
    expected, found = GOLDEN["trajectories"][case], record.trajectory(name, rows == "rows")
    if SAME_ARITHMETIC or name not in record.FLOATING:
        assert found["rows"] == expected["rows"]
        assert found["digest"] == expected["digest"]
    else:
        number = record.FLOATING[name]
        assert [run[:number] for run in found["rows"]] == [run[:number] for run in expected["rows"]]


def test_every_strategy_is_recorded():
    assert set(jn.catalog.STRATEGIES) <= set(GOLDEN["trajectories"])


@pytest.mark.parametrize("name", record.TABLES)
def test_tables_that_ship_have_the_content_recorded(name):
    assert jn.load(name).table.manifest["content_hash"] == GOLDEN["tables"][name]  # reading compares it with the arrays


@pytest.mark.skipif(not SAME_ARITHMETIC, reason="bitwise only on the recorded processor and jaxlib")
def test_trainings_are_bitwise_those_recorded():
    assert record.trainings() == GOLDEN["trainings"]
