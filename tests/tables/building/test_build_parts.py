"""What builds stand on: damaged shards, leftovers of killed writers, reasons of failures, the time left."""

import os
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxnas import files
from jaxnas.tables.building import plan, worker
from jaxnas.tables.building.executors import processes
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
    worker.write_shard(folder, chunk, Curves(**arrays))
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
        worker.write_shard(tmp_path, chunk, Curves(**arrays | changed))
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


def test_a_workers_last_line_is_its_error(tmp_path, monkeypatch, capsys):
    def work(*_):
        error = ValueError("shapes differ\nand much more")
        error.add_note("a note that would come last")
        raise error

    monkeypatch.setattr(worker, "work", work)
    with pytest.raises(SystemExit) as stopped:
        worker.main([str(tmp_path / "plan.json"), "--worker", "0/1"])
    assert stopped.value.code == "ValueError: shapes differ"
    assert "a note that would come last" in capsys.readouterr().err


def test_the_reason_is_that_of_a_worker_that_failed(tmp_path):
    fine = (SimpleNamespace(returncode=0), ["a harmless warning\n"])
    failed = (SimpleNamespace(returncode=1), ["Traceback\n", "ValueError: shapes differ\n"])
    silent = (SimpleNamespace(returncode=3), [])
    ended = (SimpleNamespace(returncode=-9), ["a harmless warning\n"])
    assert processes.reason_of_failure(tmp_path, [fine, failed]) == "ValueError: shapes differ"
    assert processes.reason_of_failure(tmp_path, [fine, silent]) == "a worker ended with exit code 3"
    assert processes.reason_of_failure(tmp_path, [ended, failed]) == "a worker was ended by signal 9 (Killed)"
    assert (
        processes.reason_of_failure(tmp_path, [fine]) == "no worker failed, but shards or plan were changed meanwhile"
    )


def test_the_log_of_a_worker_holds_no_absolute_path_of_packages_or_of_the_working_directory(tmp_path):
    here, package = os.getcwd(), Path(np.__file__).parent
    lines = [
        "Traceback (most recent call last):\n",
        f'  File "{here}/mine.py", line 3, in task\n',
        f'  File "{package}/lib/x.py", line 9, in y\n',
        f'  File "{Path(files.__file__)}", line 9, in y\n',
        f'  File "{Path(os.__file__)}", line 9, in y\n',
        "ValueError: wrong\n",
    ]
    processes.reason_of_failure(tmp_path, [(SimpleNamespace(returncode=1), lines)])
    text = (tmp_path / "worker-0.log").read_text()
    assert 'File "mine.py", line 3' in text
    assert 'File "numpy/lib/x.py"' in text
    assert 'File "jaxnas/files.py"' in text
    assert 'File "os.py"' in text
    assert 'File "/' not in text


def test_parts_on_one_machine_keep_to_different_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 7})
    assert processes.cores_of_workers(None, 9) == [4, 5, 7]
    assert processes.cores_of_workers(2, 9) == [4, 5]
    assert processes.cores_of_workers(2, 9, part=1) == [7, 4]
    assert processes.cores_of_workers(4, 1, part=1) == [5]


def test_each_worker_has_a_gpu(monkeypatch):
    assert processes.device_of(1) == {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert processes.cores_of_workers(None, 9) == [None, None]
    assert [processes.device_of(number)["CUDA_VISIBLE_DEVICES"] for number in range(3)] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [processes.device_of(number)["CUDA_VISIBLE_DEVICES"] for number in range(3)] == ["5", "7", "5"]
