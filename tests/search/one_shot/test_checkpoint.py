"""Checkpoints hold the state of this search, and nothing that no search writes."""

import numpy as np
import pytest

from jaxnas.search.one_shot.checkpoint import checkpoint_path, read_checkpoint, write_checkpoint

STATE = {"a": np.ones(3, np.float32), "b": np.zeros((2, 2), np.float32)}
EMPTY = {"steps": np.zeros(0, np.int64), "losses": np.zeros((0, 2), np.float32)}
RECORDS = {"steps": np.array([1, 2]), "losses": np.ones((2, 2), np.float32)}
BOUNDS = np.arange(4)


@pytest.mark.parametrize(
    ("step", "state", "records", "message"),
    [
        (-5, {}, {}, "another step"),
        (10**15, {}, {}, "another step"),
        (2, {"a": np.full(3, np.nan, np.float32)}, {}, "not finite"),
        (2, {"a": np.zeros((2, 2), np.float32), "b": np.ones(3, np.float32)}, {}, "state0 of"),
        (2, {"a": np.ones(3, np.int32)}, {}, "state0 of int32"),
        (2, {}, {"steps": np.array([1, 3])}, "steps that no search records"),
        (2, {}, {"steps": np.array(5)}, "steps of int64"),
        (2, {}, {"more": np.array(5)}, "which is unknown"),
        (2, {}, {"arch": np.array([5]), "score": np.float64(1), "num_scored": np.int64(3)}, "before its last step"),
    ],
)
def test_what_no_search_writes_is_refused(step, state, records, message, tmp_path):
    path = checkpoint_path(tmp_path, 0)
    write_checkpoint(path, {"seed": 0}, 2, STATE, RECORDS)
    assert read_checkpoint(path, {"seed": 0}, STATE, BOUNDS, EMPTY) is not None
    write_checkpoint(path, {"seed": 0}, step, STATE | state, RECORDS | records)
    with pytest.raises(ValueError, match=rf"^Use another folder: .*{message}"):
        read_checkpoint(path, {"seed": 0}, STATE, BOUNDS, EMPTY)
