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
from typing import NamedTuple

from jaxnas.tables.files import replace_file

POLL_SECONDS = 0.5
LOG_LINES = 1000  # of a worker that failed


class Worker(NamedTuple):
    """A process and the last lines of its output, as they come."""

    process: subprocess.Popen
    lines: collections.deque[str]


def train_chunks(plan_path: Path, num_missing: int, num_processes: int | None, look: Callable[[], None]) -> str:
    """Returns why chunks may be missing still, after workers have trained those of a plan and have all ended.

    Args:
        plan_path: of a plan; shards are written next to it.
        num_missing: chunks that are still to be trained.
        num_processes: by default one for each available core, and one on an accelerator.
        look: called every half second.
    """
    cores = cores_of_workers(num_processes, num_missing)
    with contextlib.ExitStack() as stack:
        workers = [
            _start(stack, [str(plan_path), "--worker", f"{number}/{len(cores)}"], core)
            for number, core in enumerate(cores)
        ]
        while any(worker.process.poll() is None for worker in workers):
            time.sleep(POLL_SECONDS)
            look()
    return reason_of_failure(plan_path.parent, workers)


def _start(stack: contextlib.ExitStack, options: list[str], core: int | None) -> Worker:
    """Returns a running worker; leaving the stack ends it.

    The output goes through a pipe, since a full disk could not take it.
    """
    command = [sys.executable, "-m", "jaxnas.tables.build.worker", *options]
    command += ["--parent", str(os.getpid())] if os.name == "posix" else []  # elsewhere a launcher is between the two
    command += [] if core is None else ["--core", str(core)]
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
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


def cores_of_workers(num_processes: int | None, num_chunks: int) -> list[int | None]:
    """Returns the core that each worker keeps to, None for none."""
    import jax

    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    on_cpu = jax.default_backend() == "cpu"
    if num_processes is None:
        num_processes = max(len(available), 1) if on_cpu else 1
    num_processes = min(num_processes, num_chunks)
    if not (on_cpu and available):
        return [None] * num_processes
    return [available[number % len(available)] for number in range(num_processes)]
