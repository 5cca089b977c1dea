"""Trajectories, tables and trainings are those recorded in `golden/trajectories.json`.

What sums floating-point numbers depends on the processor and on jaxlib. Where these are not the recorded ones, only the
trials of a strategy before its first such sum are compared, and no training.
"""

import json
import os
import subprocess
import sys

import pytest
from golden import record

import jaxnas as jn

GOLDEN = json.loads(record.FILE.read_text())
SAME_ARITHMETIC = record.identity() == GOLDEN["identity"]


@pytest.fixture(scope="module")
def optimized() -> dict:
    """Returns what depends on floating-point numbers, by programs that XLA optimizes as it does for users."""
    program = "import json; from golden import record; print(json.dumps(record.floating()))"
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", GOLDEN["trajectories"])
def test_trajectories_are_those_recorded(case):
    name, _, rows = case.partition(" on ")
    expected, found = GOLDEN["trajectories"][case], record.trajectory(name, rows == "rows")
    if name not in record.FLOATING:
        assert found["rows"] == expected["rows"]
        assert found["digest"] == expected["digest"]
    else:
        number = record.FLOATING[name]
        assert [run[:number] for run in found["rows"]] == [run[:number] for run in expected["rows"]]


@pytest.mark.skipif(not SAME_ARITHMETIC, reason="bitwise only on the recorded processor and jaxlib")
def test_floating_point_numbers_are_those_recorded(optimized):
    assert optimized["trajectories"] == {case: GOLDEN["trajectories"][case] for case in optimized["trajectories"]}
    assert optimized["trainings"] == GOLDEN["trainings"]


def test_every_strategy_is_recorded():
    assert set(jn.catalog.STRATEGIES) <= set(GOLDEN["trajectories"])


@pytest.mark.parametrize("name", record.TABLES)
def test_tables_that_ship_have_the_content_recorded(name):
    assert jn.load(name).table.manifest["content_hash"] == GOLDEN["tables"][name]  # reading compares it with the arrays
