"""What builds stand on: damaged shards, leftovers of killed writers, logs."""

import os
from pathlib import Path

import numpy as np
import pytest

from jaxnas import files
from jaxnas.tables.building import driver, plan
from jaxnas.tasks.base import SPLITS
from jaxnas.training.curves import Curves

SHAPE = (2, 2, 2)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> tuple[Path, plan.Chunk, dict]:
    """Returns the folder, the chunk and the arrays of one shard."""
    folder = tmp_path_factory.mktemp("shard")
    (folder / "shards").mkdir()
    chunk = plan.Chunk("chunk", (3, 1, 4))
    random = np.random.RandomState(0)
    arrays = {name: random.randint(0, 40, (3, *SHAPE[:2])).astype(np.int32) for name in SPLITS}
    arrays |= {"loss": random.uniform(size=(3, *SHAPE[:2])).astype(np.float32)}
    arrays |= {name: random.uniform(size=(3, 2)).astype(np.float32) for name in ("first_loss", "first_gradient_norm")}
    plan.shard_path(folder, chunk).write_bytes(plan.shard_bytes(chunk, Curves(**arrays)))
    return folder, chunk, arrays


def changed_bit(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data, place: data[:place],
        lambda data, place: data[:place] + bytes(len(data) - place),
        changed_bit,
        lambda data, place: changed_bit(changed_bit(data, place), (place + 701) % len(data)),
    ],
    ids=["cut off", "ends in zeros", "changed bit", "two changed bits"],
)
def test_a_damaged_shard_counts_as_missing(damage, shard):
    folder, chunk, arrays = shard
    path = plan.shard_path(folder, chunk)
    data = path.read_bytes()
    for place in range(0, len(data), 5):
        path.write_bytes(damage(data, place))
        assert plan.read_shard(folder, chunk, SHAPE) is None
    path.write_bytes(data)
    found = plan.read_shard(folder, chunk, SHAPE)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values, strict=True)


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 1, 1), (2, 3, 3), (3, 2, 2), (2, 2, 1)])
def test_a_shard_of_another_shape_or_type_counts_as_missing(shape, shard, tmp_path):
    folder, chunk, arrays = shard
    assert plan.read_shard(folder, chunk, shape) is None
    (tmp_path / "shards").mkdir()
    for changed in (
        {"test": arrays["test"].astype(np.float32)},
        {"loss": arrays["loss"].astype(np.int32)},
        {"test": arrays["test"][:, :1]},
        {"first_loss": arrays["first_loss"][:2]},
    ):
        plan.shard_path(tmp_path, chunk).write_bytes(plan.shard_bytes(chunk, Curves(**arrays | changed)))
        assert plan.read_shard(tmp_path, chunk, SHAPE) is None


def test_the_shard_of_another_chunk_counts_as_missing(shard):
    folder, chunk, _ = shard
    other = plan.Chunk("other", chunk.rows)
    plan.shard_path(folder, other).write_bytes(plan.shard_path(folder, chunk).read_bytes())
    assert plan.read_shard(folder, other, SHAPE) is None


@pytest.mark.skipif(os.name != "posix", reason="has no umask")
def test_files_have_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        files.replace_file(tmp_path / "a", b"whole")
        os.umask(0o077)
        files.replace_file(tmp_path / "b", b"whole")
    finally:
        os.umask(before)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in "ab"] == ["0o640", "0o600"]


def test_leftovers_are_removed_once_their_file_was_written_since(tmp_path):
    for name in (".a.12345678.tmp", ".b.12345678.tmp", ".note.tmp"):
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / ".a.12345678.tmp", (1, 1))
    (tmp_path / "b").write_bytes(b"older")
    os.utime(tmp_path / "b", (1, 1))
    files.replace_file(tmp_path / "a", b"whole")
    files.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.12345678.tmp", ".note.tmp", "a", "b"]


def test_a_writer_whose_temporary_file_was_removed_accepts_the_others_file(tmp_path, monkeypatch):
    def other_is_faster(handle):
        monkeypatch.undo()
        (mine,) = tmp_path.glob(".*.tmp")
        os.utime(mine, (1, 1))
        files.replace_file(tmp_path / "a", b"whole")
        files.remove_leftovers(tmp_path)
        assert not list(tmp_path.glob(".*.tmp"))

    monkeypatch.setattr(os, "fsync", other_is_faster)
    files.replace_file(tmp_path / "a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_the_log_of_a_worker_holds_no_absolute_path_of_packages_or_of_the_working_directory():
    here, package = os.getcwd(), Path(np.__file__).parent
    text = driver.without_paths(
        "Traceback (most recent call last):\n"
        f'  File "{here}/mine.py", line 3, in task\n'
        f'  File "{package}/lib/x.py", line 9, in y\n'
        f'  File "{Path(files.__file__)}", line 9, in y\n'
        f'  File "{Path(os.__file__)}", line 9, in y\n'
        "ValueError: wrong\n"
    )
    assert 'File "mine.py", line 3' in text
    assert 'File "numpy/lib/x.py"' in text
    assert 'File "jaxnas/files.py"' in text
    assert 'File "os.py"' in text
    assert 'File "/' not in text
