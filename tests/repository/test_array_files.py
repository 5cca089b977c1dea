"""Files of arrays: what was written is read, and nothing else is."""

import numpy as np
import pytest

from jaxnas import array_files
from jaxnas.array_files import Like, array_bytes, arrays_of, check_arrays

ARRAYS = {
    "counts": np.arange(6, dtype=np.int32).reshape(2, 3),
    "none": np.zeros((0, 2), np.float32),
    "one": np.float64(2.5),
    "flags": np.array([True, False]),
    "big": np.arange(3, dtype=">f4"),
}


def test_arrays_are_those_that_were_written():
    header, found = arrays_of(array_bytes({"of": "a test", "step": 3}, ARRAYS))
    assert header == {"of": "a test", "step": 3}
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == np.asarray(values).dtype.newbyteorder("<")


def test_no_change_is_read_and_with_an_honest_hash_none_ends_otherwise_than_in_a_line(monkeypatch):
    data = array_bytes({"of": "a test"}, ARRAYS)
    random = np.random.default_rng(0)
    changes = []
    for place in random.integers(len(data), size=400):
        changes.append(data[:place] + bytes([data[place] ^ 1 << int(random.integers(8))]) + data[place + 1 :])
        with pytest.raises(ValueError, match=r"^a damaged file$"):
            arrays_of(changes[-1])
    monkeypatch.setattr(array_files, "is_whole", lambda data: True)  # as if each hash had been made again
    for each in [*changes, b"", b"\xff" * 200, data[:70]]:
        try:
            arrays_of(each)
        except ValueError as error:
            assert str(error).startswith("no file of arrays")  # noqa: PT017


def test_arrays_are_checked_against_what_is_expected():
    arrays = {"a": np.zeros((2, 3), np.float32)}
    check_arrays(arrays, {"a": Like((2, 3))})
    for like, message in ((Like((3, 2)), "of float32"), (Like((2, 3), "i"), "of float32")):
        with pytest.raises(ValueError, match=message):
            check_arrays(arrays, {"a": like})
    with pytest.raises(ValueError, match="b, which is missing"):
        check_arrays(arrays, {"a": Like((2, 3)), "b": Like(())})
    arrays["a"][0, 0] = np.nan
    with pytest.raises(ValueError, match="a with values that are not finite"):
        check_arrays(arrays, {"a": Like((2, 3))})
