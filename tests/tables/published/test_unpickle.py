"""The reader of pickles: the values of every protocol, and nothing but values, whatever a file says."""

import bz2
import gc
import io
import json
import os
import pickle
import time
import weakref
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.robustness.made_files import legacy_torch, zipped_torch
from jaxnas.tables.published import budget, pickle_source, unpickle
from jaxnas.tables.published.base import json_of
from jaxnas.tables.published.containers import reader_of, value_of
from jaxnas.tables.published.pickled import plain

FILES = Path(__file__).parent / "files"

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(), st.binary()
)
KEYS = st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.integers()))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(KEYS, inner), st.tuples(inner, inner), st.sets(st.integers()), st.tuples()
    ),
    max_leaves=8,
)


def read(data: bytes, **options):
    return unpickle.Reader(io.BytesIO(data), **options).load()


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(0, 5))
def test_values_come_out_as_they_went_in(value, protocol):
    (found,) = read(pickle.dumps([value], protocol))
    assert found == value
    assert type(found) is type(value)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.one_of(st.integers(0, 400), st.text(max_size=12)), st.floats(allow_nan=False), max_size=40),
    st.integers(0, 5),
)
def test_curves_come_out_as_they_went_in(curve, protocol):
    """Their keys and floats are read as runs; a second curve has the same keys, which the memo knows."""
    found = read(
        pickle.dumps([curve, {key: value / 2 for key, value in curve.items()}, list(curve.values())], protocol)
    )
    assert found[0] == curve
    assert list(found[0]) == list(curve)
    assert found[1:] == [{key: value / 2 for key, value in curve.items()}, list(curve.values())]


@pytest.mark.parametrize("protocol", range(6))
def test_numpy_and_ordered_dictionaries(protocol):
    array = np.arange(6.0).reshape(2, 3)
    value = {"scalar": np.float64(0.5), "count": np.int32(7), "order": OrderedDict(a=1, b=2), "array": array}
    found = read(pickle.dumps(value, protocol))
    assert (found["scalar"], found["count"], found["order"]) == (0.5, 7, {"a": 1, "b": 2})
    np.testing.assert_array_equal(plain(found["array"]), array)
    np.testing.assert_array_equal(plain(read(pickle.dumps(np.asfortranarray(array), protocol))), array)


def test_an_original_file_reads_as_python_reads_it():
    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            assert (module, name) in {
                ("collections", "OrderedDict"),
                ("numpy.core.multiarray", "scalar"),
                ("numpy", "dtype"),
            }
            return super().find_class(module, name)

    for path in FILES.glob("*/000011*"):
        data = bz2.decompress(path.read_bytes())
        assert read(data) == Unpickler(io.BytesIO(data)).load()


def test_finished_dictionaries_are_told():
    value = {"inner": dict.fromkeys(range(9), 2.0)}
    told = []
    assert read(pickle.dumps(value, 4), finished=lambda each: told.append(dict(each))) == value
    assert told == [value["inner"], value]


class Runs:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        Runs(os.system, "echo run > ran"),
        Runs(eval, "open('ran', 'w')"),
        Runs(__import__, "os"),
        Runs(getattr, "a", "upper"),
        Runs(np.load, "ran"),
        Runs(np.dtype, "O"),
        [Path("ran")],
        {1: Runs(os.mkdir, "ran")},
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_run(value, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^Expected [^\n]+$"):
        read(pickle.dumps(value, protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x80\x04",
        b"\x80\x09N.",
        b"\x80\x02]r\xff\xff\xff\x7f]r\xff\xff\xff\xff.h\x01.",  # memo numbers that would fill gigabytes as a list
        b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"x.",
        b"\x80\x04\x8e" + (2**25).to_bytes(8, "little") + b"x.",
        b"\x80\x04B\xff\xff\xff\xff.",
        b"\x80\x02" + b"(" * 300 + b".",
        b"\x80\x02)" + b"\x85" * 100_000 + b"}(" + b"u.",
        b"\x80\x02}()" + b"\x85" * 100_000 + b"Nu.",  # a key so deep that its hash would overflow the stack
        b"\x80\x02}(]Nu.",
        b"\x80\x02NN.",
        b"\x80\x02(.",
        b"\x80\x02h\x07.",
        b"\x80\x02K\x01a.",
        b"\x80\x02}K\x01u.",
        b"\x80\x02]K\x01s.",
        b"I" + b"9" * 5000 + b"\n.",
        b"\x80\x02Nb.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x02\x8c\x05ab.",
        b"\x80\x02X\x04\x00\x00\x00\xff\xfe\xff\xfe.",
    ],
)
def test_damaged_pickles_end_in_one_line(data):
    with pytest.raises(ValueError, match=r"^Expected [^\n]+$"):
        read(data)


def doubled(levels: int) -> bytes:
    """Returns the opcodes of a list of twice the list before, so many levels deep: each twice by the memo."""
    return b"]q\x00Na" + b"".join(b"](h%ch%ceq%c" % (n, n, n + 1) for n in range(levels))


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cnumpy\ndtype\n" + doubled(60) + b"\x85R.",  # as a name of a type, in a message
        b"\x80\x02" + doubled(60) + b".",
        b"\x80\x02]q\x00(" + b"h\x00" * 50 + b"e" + b"q\x00](" * 8 + b"h\x00" * 9 + b"e.",
        b"\x80\x02B" + (1 << 22).to_bytes(4, "little") + b"x" * (1 << 22) + b"q\x00(" + b"h\x00" * 200 + b"l.",
    ],
    ids=["a message", "a value", "marks", "bytes"],
)
def test_a_value_that_is_referred_to_counts_each_time(data, monkeypatch):
    monkeypatch.setattr(budget, "VALUES", 200_000)
    with pytest.raises(ValueError, match=r"^Expected [^\n]*$"):
        read(data, size=len(data))


@pytest.mark.parametrize("level", [b"(" + b"N" * 4000 + b"l", b"](" + b"N" * 1000 + b"e", b"N\x85" * 2000 + b"("])
def test_values_of_all_levels_count_together(level, monkeypatch):
    monkeypatch.setattr(budget, "VALUES", 50_000)
    with pytest.raises(ValueError, match="fewer values"):
        read(b"\x80\x02" + b"(" * 200 + level * 200 + b"l" * 200 + b".", size=10**6)


@pytest.mark.parametrize("start", [b"BZh", b"PK"])
def test_unpacked_bytes_are_bounded_by_those_of_the_file(start, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "BYTES", 1 << 18)
    path, zeros = tmp_path / "file.pickle", b"\x80\x02(" + b"N0" * (1 << 21)
    if start == b"BZh":
        path.write_bytes(bz2.compress(zeros, 1))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.pkl", zeros)
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match="bytes in a file of its size"):
        value_of(path)


def test_keys_that_collide_run_out_of_time(monkeypatch):
    monkeypatch.setattr(budget, "SECONDS", 0.2)
    keys = [number * (2**61 - 1) for number in range(100_000)]  # each has the hash 0
    texts = [pickle.dumps(key, 2)[2:-1] + b"N" for key in keys]
    steps = [b"(" + b"".join(texts[start : start + 1000]) + b"u" for start in range(0, len(texts), 1000)]
    data = b"\x80\x02}" + b"".join(steps) + b"."
    started = time.thread_time()
    with pytest.raises(ValueError, match="in the time of others of its size"):
        read(data)
    assert time.thread_time() - started < 2
    with pytest.raises(ValueError, match="keys at once"):
        read(b"\x80\x04(" + b"K\x01" * 2000 + b"\x91.")
    with pytest.raises(ValueError, match="keys at once"):
        read(b"\x80\x02}(" + b"".join(texts) + b"u.")


def test_json_of_many_values_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "VALUES", 1000)
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"a": list(range(900))}))
    assert len(json_of(path, lambda *_: None)["a"]) == 900
    path.write_text(json.dumps({"a": [[]] * 900}))
    with pytest.raises(ValueError, match="fewer values"):
        json_of(path, lambda *_: None)


def test_a_reader_is_gone_with_its_last_name():
    """Else the files of a folder would add up in memory."""
    reader = unpickle.Reader(io.BytesIO(pickle.dumps({"a": [1, 2]})))
    gone = weakref.ref(reader)
    reader.load()
    gc.disable()
    del reader
    gc.enable()
    assert gone() is None


@pytest.mark.parametrize("protocol", [2, 4])
def test_of_a_long_file_the_first_and_the_last_values_are_remembered(protocol, monkeypatch):
    for name, value in {"KEPT_FIRST": 10, "KEPT_LAST": 30, "MOST_KEPT": 60}.items():
        monkeypatch.setattr(unpickle, name, value)
    monkeypatch.setattr(pickle_source, "CHUNK", 100)
    lengths = []

    class Watched(unpickle.Reader):
        def bounded(self) -> None:
            super().bounded()
            lengths.append(len(self.memo))

    texts = [f"text {number}" for number in range(20_000)]
    data = pickle.dumps([*texts, texts[0], texts[-1]], protocol)
    assert Watched(io.BytesIO(data)).load() == [*texts, texts[0], texts[-1]]
    assert 0 < max(lengths) <= 60
    with pytest.raises(ValueError, match=r"^Expected a pickle of plain data, got"):
        read(pickle.dumps([*texts, texts[10_000]], protocol))


@pytest.mark.parametrize("write", [legacy_torch, zipped_torch])
def test_torch_files_of_both_forms(write, tmp_path):
    value = {"a": [1.5] * 20, ("b", 777): {"x": 1}}
    assert value_of(write(tmp_path / "file.pth", value)) == value


@pytest.mark.parametrize("zipped", [False, True])
def test_a_tensor_of_torch(zipped, tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "tensor.pt"
    tensor = torch.arange(12, dtype=torch.float32).reshape(3, 4).T[1:]
    torch.save(tensor, path, _use_new_zipfile_serialization=zipped)
    np.testing.assert_array_equal(value_of(path), tensor.numpy())


def test_files_of_several_pickles_are_read_one_after_the_other(tmp_path):
    path = tmp_path / "two.pickle"
    path.write_bytes(pickle.dumps({"seed": 1}) + pickle.dumps([1, 2]))
    with reader_of(path) as reader:
        assert [reader.load(), reader.load()] == [{"seed": 1}, [1, 2]]
