"""Workers that are processes: their cores and GPUs, how calls end, and what is called again."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from jaxnas.execution import processes
from jaxnas.execution.base import Ended, Terms
from jaxnas.execution.processes import Processes


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


def acted(folder: Path, what: str, number: int) -> tuple[int, int, list[int]]:
    """Returns the square of a number, the process and its cores; or ends in one of several ways."""
    print("not for the channel of replies", flush=True)
    if what == "raise":
        error = ValueError("shapes differ\nand much more")
        error.add_note("a note that comes last")
        raise error
    if what == "exit":
        sys.exit("enough")
    tried = folder / f"tried-{number}"
    if what == "crash" or (what == "crash once" and not tried.exists()):
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2, os.getpid(), sorted(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def ends(tmp_path_factory) -> dict[int, Ended]:
    """Returns how calls ended on a pool of two processes."""
    kinds = ["", "raise", "exit", "crash", "crash once", "", ""]
    calls = ((number, (kind, number)) for number, kind in enumerate(kinds))
    looks = []
    folder = tmp_path_factory.mktemp("folder")
    found = dict(Processes(2).map(acted, folder, calls, len(kinds), lambda: looks.append(1)))
    assert looks
    return found


@pytest.mark.processes
def test_a_call_that_raises_or_exits_fails_in_one_line_with_a_log(ends):
    assert [ends[number].failure for number in (0, 1, 2, 5, 6)] == [
        "",
        "ValueError: shapes differ",
        "SystemExit: enough",
        "",
        "",
    ]
    assert "a note that comes last" in ends[1].log
    assert [ends[number].value[0] for number in (0, 5, 6)] == [0, 25, 36]
    cores = [ends[number].value[2] for number in (0, 4, 5, 6)]
    assert all(len(each) == 1 for each in cores)


@pytest.mark.processes
def test_a_call_whose_process_ends_is_made_again_four_times_at_most(ends):
    assert ends[3].failure == "worker ended by signal 9 (Killed), 4 times in turn"
    assert ends[3].crashed
    assert set(ends[3].log.splitlines()) == {"not for the channel of replies"}  # of all calls of its worker
    assert ends[4].value[0] == 16


@pytest.mark.processes
def test_a_call_whose_process_ends_fails_at_once_if_it_may_be_its_fault(tmp_path):
    with contextlib.closing(Processes(1).workers(acted, tmp_path, 1, Terms(trains=False, again=False))) as workers:
        workers.begin("first", "crash once", 2)
        name, ended = workers.first()
        assert (name, ended.failure, ended.log) == ("first", "worker ended by signal 9 (Killed)", "")
        workers.begin("second", "crash once", 2)
        assert workers.first()[1].value[0] == 4
        assert workers.num_begun == 0


def hostile(folder: Path, what: str, number: int) -> int:
    """Returns the square of a number, after harm to the process or from another process."""
    if what.startswith("fork") and os.fork() == 0:
        if what == "fork and raise":
            raise ValueError("in the child")
        return -1
    if what == "pool and crash":
        concurrent.futures.ProcessPoolExecutor(1).submit(time.sleep, 60).running()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "close descriptors":
        os.closerange(0, 64)
    while what == "never return":
        time.sleep(1)
    return number**2


@pytest.mark.processes
@pytest.mark.skipif(os.name != "posix", reason="forks")
@pytest.mark.parametrize(
    ("what", "failure"),
    [
        ("fork", ""),
        ("fork and raise", ""),
        ("pool and crash", "worker ended by signal 9 (Killed)"),
        ("close descriptors", "worker ended"),
        ("never return", "no result within 2 seconds"),
    ],
)
def test_a_hostile_function_fails_its_call_and_no_other(what, failure, tmp_path):
    with contextlib.closing(
        Processes(1).workers(hostile, tmp_path, 1, Terms(trains=False, again=False, timeout=2))
    ) as workers:
        for number, kind in enumerate(["", what, "", ""]):
            workers.begin(number, kind, number)
            name, ended = workers.first()
            assert name == number
            if kind and failure:
                assert ended.failure.startswith(failure)
            else:
                assert (ended.value, ended.failure) == (number**2, "")


@pytest.mark.processes
def test_a_worker_imports_nothing_from_the_working_folder(tmp_path, monkeypatch):
    for name in ("queue", "argparse", "threading"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (found,) = Processes(1).map(acted, tmp_path, [(0, ("", 3))], 1)
    assert found[1].value[0] == 9


class Broken:
    """A value whose copies cannot be made."""

    def __reduce__(self):
        return int, ("nonsense",)


@pytest.mark.processes
def test_a_worker_that_cannot_start_is_an_error():
    with pytest.raises(RuntimeError, match=r"^Expected a worker process that starts, got: ValueError: .*nonsense"):
        list(Processes(1).map(acted, Broken(), [(0, ("", 0))], 1))


@pytest.mark.parametrize(("code", "text"), [(3, "ended with exit code 3"), (-9, "ended by signal 9 (Killed)")])
def test_how_a_process_ended(code, text):
    assert processes.how_it_ended(code) == text


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker in /proc")
def test_a_worker_ends_with_the_process_that_started_it():
    code = "from jaxnas.execution.processes import Processes; import time; "
    code += "w = Processes(1).workers(time.sleep, 600, 1); w.begin(0); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    children = Path(f"/proc/{parent.pid}/task")
    end = time.monotonic() + 300

    def found() -> list[str]:
        return " ".join(path.read_text() for path in children.glob("*/children")).split()

    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)
    (child,) = found()
    parent.kill()
    parent.wait()
    while Path(f"/proc/{child}/exe").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
