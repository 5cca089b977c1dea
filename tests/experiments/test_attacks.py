"""A small part of the attacks: nothing crashes, and nothing changed is accepted where a format has a hash."""

import pytest

from experiments.robustness import files

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
