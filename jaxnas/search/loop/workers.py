"""Copies of a benchmark in other processes, of this machine or of others, which answer side by side."""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from jaxnas.benchmarks.base import Outcome
from jaxnas.search.loop.shareable import Shareable
from jaxnas.search.loop.worker import replied
from jaxnas.spaces.decisions import Choices
from jaxnas.strategies.base import Query, observed
from jaxnas.tables.building.executors.base import Calls
from jaxnas.tables.building.executors.processes import cores_of_workers, device_of
from jaxnas.training.copies import copied

MAX_CALLS = 4
"""How often a query is asked of machines of which each is lost."""
ENDED = "The search had ended."


class Reply(NamedTuple):
    """What a call returned, or in one line why it did not."""

    value: Any = None
    failure: str = ""


class WorkerLostError(Exception):
    """A worker ended in the middle of a call."""


class Worker(Protocol):
    """What answers one call at a time by a copy of a benchmark."""

    def called(self, call: tuple[Any, ...]) -> Reply:
        """Returns the reply to a call.

        Raises:
            WorkerLostError: where the worker ended before it replied; the next call has another one.
            RuntimeError: where none could be started.
        """
        ...

    def end(self) -> None:
        """Ends the worker for good, whatever it does."""
        ...


class Workers:
    """Processes with a copy of a benchmark each; they start when they are first needed.

    A call that fails, or during which its process ends, has failed, and no other. The next one starts a new process.

    Args:
        bench: what is copied.
        num_workers: how many calls run at a time.
        pinned: whether each process keeps to a core and to one thread, as those of a build; for what trains on CPU.
        calls: of other machines, whose processes they are then; None: of this one.

    Raises:
        ValueError: where the benchmark cannot be sent to another process.
    """

    def __init__(self, bench: Shareable, num_workers: int, *, pinned: bool, calls: Calls | None = None):
        self.bench, self.num_workers = bench, num_workers
        copy = copied(bench)
        self._workers: list[Worker] = []
        if calls is None:
            cores = cores_of_workers(num_workers, num_workers) if pinned else [None] * num_workers
            local = pickle.dumps((sys.path, copy))
            self._workers += [_Process(local, number, core) for number, core in enumerate(cores)]
        else:
            shared = calls.shared(copy)
            self._workers += [_Elsewhere(calls, shared) for _ in range(num_workers)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(num_workers)

    def answer(self, query: Query) -> "Future[Reply]":
        """Returns what a copy replies to a resolved query, to come; `outcome_of` reads it."""
        return self._threads.submit(self._called, "answer", query)

    def outcome_of(self, query: Query, reply: Reply) -> Outcome:
        """Returns the outcome of a resolved query by the reply to it, after the benchmark has learned of it."""
        if not reply.failure:
            outcome, found = reply.value
            self.bench.learn(query, found)
            return outcome
        price = float(self.bench.price(np.asarray(query.arch)[None], int(query.fidelity))[0])
        return Outcome(observed(np.nan, price, max(int(query.seed), 0)), np.float64(np.nan), reply.failure)

    def fresh_score(self, arch: Choices, number: int) -> "Future[Reply]":
        """Returns the score of another evaluation, to come."""
        return self._threads.submit(self._called, "fresh", np.asarray(arch), number)

    def close(self) -> None:
        """Ends the processes, whatever they do."""
        for worker in self._workers:
            worker.end()
        self._threads.shutdown(cancel_futures=True)

    def _called(self, *call: Any) -> Reply:
        worker = self._idle.get()
        try:
            return worker.called(call)
        except WorkerLostError as error:
            return Reply(failure=str(error))
        finally:
            self._idle.put(worker)


class _Elsewhere:
    """A call at a time on other machines, which say which process answers it.

    Where a machine is lost, another one is called; a process that ends has failed, as one of this machine.
    """

    def __init__(self, calls: Calls, shared: Any):
        self._calls, self._shared = calls, shared
        self._running: Any = None
        self._lock, self._ended = threading.Lock(), False

    def called(self, call: tuple[Any, ...]) -> Reply:
        """Returns the reply to a call; as `Worker.called`."""
        for _ in range(MAX_CALLS):
            with self._lock:
                if self._ended:
                    raise WorkerLostError(ENDED)
                self._running = self._calls.begin(replied, self._shared, *call)
            found = self._calls.ended(self._running)
            if not found.failure:
                return Reply(*found.value)
            if found.crashed:
                raise WorkerLostError("The worker that evaluated it was lost (out of memory?).")
            if not found.lost and not self._ended:
                raise RuntimeError(f"Expected a worker process that starts, got: {found.failure}")
        raise WorkerLostError(f"The machines that evaluated it were lost, {MAX_CALLS} times in turn.")

    def end(self) -> None:
        """Ends the call that runs."""
        with self._lock:
            self._ended = True
            if self._running is not None:
                self._calls.cancel(self._running)


class _Process:
    """A process that is started when it is called, and again where it has ended since."""

    def __init__(self, copy: bytes, number: int, core: int | None):
        self._copy, self.number, self.core = copy, number, core
        self._process: subprocess.Popen[bytes] | None = None
        self._lock, self._ended = threading.Lock(), False

    def called(self, call: tuple[Any, ...]) -> Reply:
        """Returns the reply to a call; as `Worker.called`."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        return self._sent(pickle.dumps(call))

    def end(self) -> None:
        """Ends the process for good."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _start(self) -> None:
        command = [sys.executable, "-m", "jaxnas.search.loop.worker"]
        command += [] if self.core is None else ["--core", str(self.core)]
        with self._lock:
            if self._ended:
                raise WorkerLostError(ENDED)
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **device_of(self.number)}
            )
        try:
            failure = self._sent(self._copy).failure
        except WorkerLostError as error:
            failure = str(error)
        if failure:
            self._process.kill()
            raise RuntimeError(f"Expected a worker process that starts, got: {failure}")

    def _sent(self, message: bytes) -> Reply:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(message, process.stdin)
            process.stdin.flush()
            return Reply(*pickle.load(process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError):
            with contextlib.suppress(OSError):
                process.stdin.close()
            raise WorkerLostError(f"The worker that evaluated it {how_it_ended(process.wait())}.") from None


def how_it_ended(code: int) -> str:
    """Returns how a process of an exit code ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by signal {-code} ({signal.strsignal(-code)})"
