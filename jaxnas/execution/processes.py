"""Workers that are processes of this machine, each on a core or a GPU of its own."""

import collections
import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, final

from jaxnas.execution.base import Ended, Executor, Workers
from jaxnas.execution.copies import copied
from jaxnas.provenance import machine

LOG_LINES = 1000
READ_SECONDS = 1
"""How long the output of a process that ended is awaited, which a child of its may hold open."""


@final
class Processes(Executor):
    """The executor of this machine.

    Args:
        num_processes: by default one for each available core, or for each GPU.
        part: how many other executors of as many processes use this machine, too; these keep to further cores.
    """

    def __init__(self, num_processes: int | None = None, part: int = 0):
        self._num_processes, self._part = num_processes, part

    def machine(self) -> dict[str, Any]:
        """Returns the properties of this machine on which numbers depend."""
        return machine()

    def workers(
        self, function: Callable, value: Any, num_calls: int, *, trains: bool = True, again: bool = True
    ) -> Workers:
        """Returns processes; as `Executor.workers`."""
        copy = pickle.dumps((sys.path, copied((function, value))))
        cores = cores_of_workers(self._num_processes, num_calls, self._part)
        return _Pool(copy, cores if trains else [None] * len(cores), captured=trains, again=again)


class _Pool(Workers):
    """Processes, and a thread for each that waits for its replies."""

    def __init__(self, copy: bytes, cores: list[int | None], *, captured: bool, again: bool):
        super().__init__(len(cores), again)
        self._processes = [_Process(copy, number, core, captured) for number, core in enumerate(cores)]
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(len(cores))
        self._running: dict[Future[Ended], Hashable] = {}

    def _send(self, name: Hashable, arguments: tuple[Any, ...]) -> None:
        self._running[self._threads.submit(self._called, pickle.dumps(arguments))] = name

    def _received(self, seconds: float | None) -> tuple[Any, Ended] | None:
        done = wait(self._running, seconds, FIRST_COMPLETED).done
        for future in self._running:  # in the order of their beginnings
            if future in done:
                return self._running.pop(future), future.result()
        return None

    def _called(self, message: bytes) -> Ended:
        process = self._idle.get()
        try:
            return process.called(message)
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """Ends all processes, whatever they do."""
        for process in self._processes:
            process.end()
        self._threads.shutdown(cancel_futures=True)


class _Process:
    """A process that starts when it is first called, and again if it has ended since."""

    def __init__(self, copy: bytes, number: int, core: int | None, captured: bool):
        self._copy, self._number, self._core, self._captured = copy, number, core, captured
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: collections.deque[bytes] = collections.deque(maxlen=LOG_LINES)
        self._reader: threading.Thread | None = None
        self._lock, self._ended = threading.Lock(), False

    def called(self, message: bytes) -> Ended:
        """Returns the end of a call. Raises RuntimeError if no process could be started."""
        if self._process is None or self._process.poll() is not None:
            process = self._started()
            if process is None:
                return Ended(failure="the search had ended")
            start = self._sent(process, self._copy)
            if start.failure:
                process.kill()
                raise RuntimeError(f"Expected a worker process that starts, got: {start.failure}")
        assert self._process is not None
        return self._sent(self._process, message)

    def end(self) -> None:
        """Ends the process for good."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _started(self) -> "subprocess.Popen[bytes] | None":
        """Returns the new process; None if no more may start."""
        command = [sys.executable, "-m", "jaxnas.execution.worker"]
        command += [] if self._core is None else ["--core", str(self._core)]
        with self._lock:
            if self._ended:
                return None
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if self._captured else None,
                env={**os.environ, **device_of(self._number)},
            )
        if self._captured:  # by a pipe, since a full disk could not take it
            self._lines.clear()
            self._reader = threading.Thread(target=self._lines.extend, args=(self._process.stderr,), daemon=True)
            self._reader.start()
        return self._process

    def _sent(self, process: "subprocess.Popen[bytes]", message: bytes) -> Ended:
        """Returns the reply of a process to a message, or how the process ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(message, process.stdin)
            process.stdin.flush()
            ended: Ended = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            with contextlib.suppress(OSError):
                process.stdin.close()
            ended = Ended(failure=f"worker {how_it_ended(process.wait())}", crashed=True)
            if self._reader is not None:
                self._reader.join(READ_SECONDS)
        if ended.failure and self._lines:
            return ended._replace(log=b"".join(list(self._lines)).decode(errors="replace") + ended.log)
        return ended


def how_it_ended(code: int) -> str:
    """Returns how a process of an exit code ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"ended by signal {-code} ({signal.strsignal(-code)})"


def cores_of_workers(num_processes: int | None, num_calls: int, part: int = 0) -> list[int | None]:
    """Returns the core that each worker keeps to, None for none; those after the cores of so many parts as large."""
    import jax

    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    on_cpu = jax.default_backend() == "cpu"
    if num_processes is None:
        num_processes = max(len(available), 1) if on_cpu else max(len(visible_gpus()), 1)
    num_processes = min(num_processes, num_calls)
    if not (on_cpu and available):
        return [None] * num_processes
    return [available[(part * num_processes + number) % len(available)] for number in range(num_processes)]


def device_of(number: int) -> dict[str, str]:
    """Returns the environment of worker `number`: the next of the GPUs, which one process does not fill."""
    gpus = visible_gpus()
    mine = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **mine}


def visible_gpus() -> list[str]:
    """Returns the names by which CUDA knows the GPUs that this process may use; empty if there are none."""
    import jax

    if jax.default_backend() != "gpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return named.split(",") if named else [str(number) for number in range(jax.local_device_count())]
