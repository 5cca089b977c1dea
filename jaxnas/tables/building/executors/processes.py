"""Training the chunks of a build in processes of this machine, one for each core."""

import collections
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnas.files import replace_file
from jaxnas.provenance import machine
from jaxnas.tables.building.executors.base import Work
from jaxnas.tables.building.plan import Chunk

POLL_SECONDS = 0.5
LOG_LINES = 1000  # of a worker that failed


class Processes:
    """The executor of this machine."""

    calls = None

    def __init__(self, num_processes: int | None = None, address: str | None = None):
        if address is not None:
            raise ValueError(f"Expected no address without an executor of many machines, got {address!r}.")
        self.num_processes = num_processes

    def machine(self) -> dict[str, Any]:
        """Returns what of this machine numbers depend on."""
        return machine()

    def train(self, work: Work, missing: Sequence[Chunk], look: Callable[[], None]) -> str:
        """Returns why chunks may be missing still; as `train_chunks`."""
        return train_chunks(work.plan_path, len(missing), self.num_processes, look, work.part)

    def close(self) -> None:
        """Does nothing: processes end with `train`."""


class Worker(NamedTuple):
    """A process and the last lines of its output, as they come."""

    process: subprocess.Popen
    lines: collections.deque[str]


def train_chunks(
    plan_path: Path, num_missing: int, num_processes: int | None, look: Callable[[], None], part: int = 0
) -> str:
    """Returns why chunks may be missing still, after workers have trained those of a plan and have all ended.

    Args:
        plan_path: of a plan; shards are written next to it.
        num_missing: chunks that are still to be trained.
        num_processes: by default one for each available core, and one for each GPU.
        look: called every half second.
        part: how many parts of the build come before this one; each keeps to further cores.
    """
    cores = cores_of_workers(num_processes, num_missing, part)
    with contextlib.ExitStack() as stack:
        workers = [
            _start(stack, [str(plan_path), "--worker", f"{number}/{len(cores)}"], core, number)
            for number, core in enumerate(cores)
        ]
        while any(worker.process.poll() is None for worker in workers):
            time.sleep(POLL_SECONDS)
            look()
    return reason_of_failure(plan_path.parent, workers)


def _start(stack: contextlib.ExitStack, options: list[str], core: int | None, number: int) -> Worker:
    """Returns worker `number`, which runs; leaving the stack ends it.

    The output goes through a pipe, since a full disk could not take it.
    """
    command = [sys.executable, "-m", "jaxnas.tables.building.worker", *options]
    command += ["--parent", str(os.getpid())] if os.name == "posix" else []  # elsewhere a launcher is between the two
    command += [] if core is None else ["--core", str(core)]
    environment = {**os.environ, **device_of(number)}
    process = stack.enter_context(
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    )
    lines: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
    reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
    reader.start()
    stack.callback(reader.join)
    stack.callback(process.terminate)
    return Worker(process, lines)


def reason_of_failure(folder: Path, workers: Sequence[Worker]) -> str:
    """Returns what ended the first worker that failed, and writes what such workers printed to worker-<number>.log."""
    reasons = []
    for number, (process, lines) in enumerate(workers):
        text = "".join(lines).strip()
        if process.returncode:
            with contextlib.suppress(OSError):
                replace_file(folder / f"worker-{number}.log", _without_paths(text).encode())
        if process.returncode < 0:
            name = signal.strsignal(-process.returncode)
            reasons.append(f"a worker was ended by signal {-process.returncode} ({name})")
        elif process.returncode:
            reasons.append(text.splitlines()[-1] if text else f"a worker ended with exit code {process.returncode}")
    return reasons[0] if reasons else "no worker failed, but shards or plan were changed meanwhile"


def _without_paths(text: str) -> str:
    """Returns the output of a worker with the files of a traceback below the working directory or their packages."""
    text = text.replace(f"{os.getcwd()}{os.sep}", "")
    return re.sub(r'File "/[^"]*/(?:site-packages/|python3\.\d+/|(?=jaxnas/))([^"]+)"', r'File "\1"', text)


def cores_of_workers(num_processes: int | None, num_chunks: int, part: int = 0) -> list[int | None]:
    """Returns the core that each worker keeps to, None for none; those after the cores of so many parts as large."""
    import jax

    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    on_cpu = jax.default_backend() == "cpu"
    if num_processes is None:
        num_processes = max(len(available), 1) if on_cpu else max(len(visible_gpus()), 1)
    num_processes = min(num_processes, num_chunks)
    if not (on_cpu and available):
        return [None] * num_processes
    return [available[(part * num_processes + number) % len(available)] for number in range(num_processes)]


def device_of(number: int) -> dict[str, str]:
    """Returns the environment of worker `number`: the next of the GPUs, which one process does not fill."""
    gpus = visible_gpus()
    mine = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **mine}


def visible_gpus() -> list[str]:
    """Returns the names by which CUDA knows the GPUs that this process may use; empty where there are none."""
    import jax

    if jax.default_backend() != "gpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return named.split(",") if named else [str(number) for number in range(jax.local_device_count())]
