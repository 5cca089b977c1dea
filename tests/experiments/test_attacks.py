"""A small part of the attacks: nothing crashes, and nothing changed is accepted where a format has a hash."""

import os

import pytest

from experiments.robustness import evaluators, files

HASHED = ["table", "surrogate", "pack", "proxies", "checkpoint", "shard", "journal", "task.npz"]
HONEST = ["surrogate_manifest", "manifest", "parquet", "lines", "task.csv", "task.parquet"]


@pytest.mark.parametrize("name", [*HASHED, *HONEST])
def test_mutated_files_are_refused_in_one_line_or_read_as_they_were(name):
    (row,) = files.run([name], 60, seed=1)
    assert row["crashed"] == 0, row
    assert row["tried"] == 60
    assert row["refused"] > 30
    if name in HASHED:
        assert row["different"] == 0


def test_an_attack_counts_what_is_wrong():
    tally = files.Tally("sample")

    def fails(error):
        raise error

    tally.attempt(lambda: 1, lambda found: found == 1)
    tally.attempt(lambda: 2, lambda found: found == 1)
    tally.attempt(lambda: fails(ValueError("Expected one line.")), bool)
    for error in (ValueError("Expected\ntwo lines"), ValueError("oops"), KeyError("x")):
        tally.attempt(lambda error=error: fails(error), bool)
    assert tally.row() == {"attack": "sample", "tried": 6, "refused": 1, "equal": 1, "different": 1, "crashed": 3}


HOSTILE = ("error that does not pickle", "replies on stdout", "folder deleted", "builtins patched", "pool that stays")


@pytest.mark.processes
@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_hostile_evaluator_fails_its_trial_or_has_the_right_score(tmp_path):
    """The script has sixty of them."""
    found = evaluators.run((*HOSTILE, "returns a function"), tmp_path)
    assert len(found) == 12
    assert "wrong" not in found.values()
    assert found["error that does not pickle"] == "RuntimeError: no text"
    assert found["replies on stdout"] == found["folder deleted"] == found["pool that stays"] == "right"
    assert found["returns a function"] == "Expected the evaluator to return a number, got function."
