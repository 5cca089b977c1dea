"""Workers that are processes of this machine, each on a separate core or GPU."""

import collections
import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import IO, Any, final

from jaxnas.execution import worker
from jaxnas.execution.base import POLL_SECONDS, Ended, Executor, Terms, Workers
from jaxnas.execution.copies import copied
from jaxnas.provenance import machine

LOG_LINES = 1000
READ_SECONDS = 1
"""How long the output of a process that ended is awaited, which a child of its may hold open."""
COMMAND = (sys.executable, "-P", worker.__file__)
"""Starts a worker. By `-P` no file of the working folder stands for a module that it imports."""


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
        return machine()

    def workers(self, function: Callable, value: Any, num_calls: int, terms: Terms = Terms()) -> Workers:
        copy = pickle.dumps((sys.path, copied((function, value))))
        cores = cores_of_workers(self._num_processes, num_calls, self._part)
        kept = cores if terms.trains else [None] * len(cores)
        return _Pool([_Process(copy, number, core, terms) for number, core in enumerate(kept)], terms.again)


class _Pool(Workers):
    """Processes, and a thread for each that waits for its replies."""

    def __init__(self, processes: "list[_Process]", again: bool):
        super().__init__(len(processes), again)
        self._processes = processes
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        for process in processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(len(processes))
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
        """Ends all processes, even if they are busy."""
        for process in self._processes:
            process.end()
        self._threads.shutdown(cancel_futures=True)


class _Process:
    """A process that starts when it is first called, and again if it has ended since."""

    def __init__(self, copy: bytes, number: int, core: int | None, terms: Terms):
        self._copy, self._number, self._core = copy, number, core
        self._captured, self._timeout = terms.trains, terms.timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._num_sent = 0
        self._replies: queue.SimpleQueue[tuple[int, Ended] | None] = queue.SimpleQueue()
        self._lines: collections.deque[bytes] = collections.deque(maxlen=LOG_LINES)
        self._reader: threading.Thread | None = None
        self._lock, self._ended = threading.Lock(), False

    def called(self, message: bytes) -> Ended:
        """Returns the end of a call. Raises RuntimeError if no process could be started."""
        if self._process is None or self._process.poll() is not None:
            process = self._started()
            if process is None:
                return Ended(failure="the work had ended")
            start = self._sent(process, self._copy, None)
            if start.failure:
                kill(process)
                raise RuntimeError(f"Expected a worker process that starts, got: {start.failure}")
        assert self._process is not None
        return self._sent(self._process, message, self._timeout)

    def end(self) -> None:
        """Ends the process for good."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                kill(self._process)

    def _started(self) -> "subprocess.Popen[bytes] | None":
        """Returns the new process; None if no more may start."""
        with self._lock:
            if self._ended:
                return None
            self._process = subprocess.Popen(
                [*COMMAND, *([] if self._core is None else ["--core", str(self._core)])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if self._captured else None,
                env={**os.environ, **device_of(self._number)},
                process_group=0 if os.name == "posix" else None,
            )
        self._replies = queue.SimpleQueue()
        threading.Thread(target=_read_replies, args=(self._process.stdout, self._replies), daemon=True).start()
        if self._captured:  # by a pipe, since a full disk could not take it
            self._lines.clear()
            self._reader = threading.Thread(target=self._lines.extend, args=(self._process.stderr,), daemon=True)
            self._reader.start()
        return self._process

    def _sent(self, process: "subprocess.Popen[bytes]", message: bytes, timeout: float | None) -> Ended:
        """Returns the reply of a process to a message, or how the process ended."""
        self._num_sent += 1
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            pickle.dump((self._num_sent, message), process.stdin)
            process.stdin.flush()
        ended = self._reply(process, timeout)
        if ended is None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            kill(process)
            ended = Ended(failure=f"worker {how_it_ended(process.wait())}", crashed=True)
            if self._reader is not None:
                self._reader.join(READ_SECONDS)
        if ended.failure and self._lines:
            return ended._replace(log=b"".join(list(self._lines)).decode(errors="replace") + ended.log)
        return ended

    def _reply(self, process: "subprocess.Popen[bytes]", timeout: float | None) -> Ended | None:
        """Returns the reply to the last message; None if there will be none."""
        last, gone = None if timeout is None else time.monotonic() + timeout, False
        while True:
            try:
                reply = self._replies.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if gone:
                    return None
                gone = process.poll() is not None  # a child of its may hold the channel open
                if last is not None and time.monotonic() > last:
                    kill(process)
                    return Ended(failure=f"no result within {timeout:g} seconds", crashed=True)
                continue
            if reply is None:
                return None
            if reply[0] == self._num_sent:
                return reply[1]


def _read_replies(source: IO[bytes], replies: "queue.SimpleQueue[tuple[int, Ended] | None]") -> None:
    """Passes replies on, and None after the last one."""
    with contextlib.suppress(Exception):
        while True:
            replies.put(pickle.load(source))
    replies.put(None)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kills a worker and the processes that it started, and awaits its end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


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
