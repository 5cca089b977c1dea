"""A search by two workers ends with any evaluator, and each trial has failed or has the correct score.

Claim: each trial of an evaluator that forks, exits, hangs, floods the output, breaks its process or returns no number
is a failed trial of one line or has the correct score; the search ends; no process is left.
Command: python experiments/robustness/evaluators.py (Linux)
Run time: four minutes on two cores.
Output: how the trial of each ended; last, one JSON object with the counts.
Page: docs/robustness.md
"""

import builtins
import concurrent.futures
import contextlib
import ctypes
import gc
import json
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import jaxnas as jn
from jaxnas.search.loop.journaled import JOURNAL_FILE

TIMEOUT = 10


class UnpicklableError(Exception):
    """An error that no other process can hold, and that has no text."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Odd:
    """A number that raises, and that cannot be read from a pickle."""

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __reduce__(self) -> tuple:
        return time.sleep, ("no seconds",)


def raises(error: BaseException) -> None:
    raise error


def forks(child: Callable[[], Any]) -> None:
    """Leaves a child of the process that does something, and then returns to what called it."""
    if os.fork() == 0:
        child()


def sleeps_forever(*_: Any) -> None:
    while True:
        time.sleep(1)


def recurs(depth: int = 0) -> int:
    return recurs(depth + 1) + 1


def recurs_without_limit() -> None:
    sys.setrecursionlimit(10**9)
    recurs()


def leaves_a_pool() -> None:
    concurrent.futures.ProcessPoolExecutor(2).submit(time.sleep, 600)


def uses_a_pool() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(abs, [1, 2, 3])


def dies_with_a_pool() -> None:
    leaves_a_pool()
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


def floods() -> None:
    for _ in range(50):
        print("x" * 1_000_000)
        os.write(1, b"y" * 1_000_000)


def prints_replies() -> None:
    for number in range(100):
        sys.stdout.buffer.write(pickle.dumps((number, jn.simulation.Observation(99.0, 1.0, 0))))
    sys.stdout.flush()


def writes_everywhere() -> None:
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(number, b"\x80\x04garbage.")


def ignores_signals() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    sleeps_forever()


def patches_builtins() -> None:
    builtins.float = builtins.len = builtins.isinstance = None  # type: ignore[assignment, misc]


def patches_pickle() -> None:
    pickle.dump = pickle.dumps = None  # type: ignore[assignment]


def deletes_the_folder() -> None:
    os.chdir(tempfile.mkdtemp())
    shutil.rmtree(os.getcwd())


def takes_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    bytearray(8 << 30)


def starts_threads() -> None:
    for _ in range(20):
        threading.Thread(target=sleeps_forever).start()


def holds_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def closes_streams() -> None:
    sys.stdout.close()
    sys.stderr = sys.stdin = None  # type: ignore[assignment]


EVALUATORS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "fork whose child returns": lambda: forks(lambda: None),
    "fork whose child raises": lambda: forks(lambda: raises(ValueError("child"))),
    "fork whose child stays": lambda: forks(sleeps_forever),
    "pool that stays": leaves_a_pool,
    "pool that ends": uses_a_pool,
    "death with a pool": dies_with_a_pool,
    "process that stays": lambda: subprocess.Popen(["sleep", "600"]),
    "all descriptors closed": lambda: os.closerange(0, 256),
    "streams closed": closes_streams,
    "garbage in descriptors": writes_everywhere,
    "output of 100 MB": floods,
    "replies on stdout": prints_replies,
    "os._exit(0)": lambda: os._exit(0),
    "os._exit(3)": lambda: os._exit(3),
    "sys.exit": lambda: sys.exit(0),
    "abort": os.abort,
    "segmentation fault": lambda: ctypes.string_at(0),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "SIGSTOP": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "SIGKILL of the group": lambda: os.killpg(0, signal.SIGKILL),
    "alarm for later": lambda: signal.alarm(1),
    "signals ignored, no end": ignores_signals,
    "no end": sleeps_forever,
    "no end in C": lambda: sum(iter(int, 1)),
    "lock without end": holds_a_lock,
    "threads without end": starts_threads,
    "input": input,
    "KeyboardInterrupt": lambda: raises(KeyboardInterrupt()),
    "GeneratorExit": lambda: raises(GeneratorExit()),
    "error that does not pickle": lambda: raises(UnpicklableError()),
    "error of 20 MB": lambda: raises(ValueError("x\n" * 10_000_000)),
    "group of errors": lambda: raises(ExceptionGroup("two", [ValueError("a"), OSError("b")])),
    "recursion": recurs,
    "recursion without limit": recurs_without_limit,
    "memory": takes_memory,
    "other folder": lambda: os.chdir("/"),
    "folder deleted": deletes_the_folder,
    "path cleared": sys.path.clear,
    "modules cleared": lambda: [sys.modules.pop(name) for name in list(sys.modules) if name.startswith("jaxnas")],
    "environment cleared": os.environ.clear,
    "builtins patched": patches_builtins,
    "pickle patched": patches_pickle,
    "warnings as errors": lambda: warnings.simplefilter("error"),
    "no garbage collection": gc.disable,
    "random state": lambda: np.random.seed(0),
}
"""What is done before the right score is returned."""
VALUES: dict[str, Callable[[float], Any]] = {
    "returns NaN": lambda score: float("nan"),
    "returns infinity": lambda score: -float("inf"),
    "returns None": lambda score: None,
    "returns text": str,
    "returns a huge integer": lambda score: 10**400,
    "returns a complex number": complex,
    "returns an array": lambda score: np.full(3, score),
    "returns an array of one": lambda score: np.array([score]),
    "returns a generator": lambda score: (each for each in [score]),
    "returns a function": lambda score: lambda: score,
    "returns an object that raises": lambda score: Odd(),
    "returns an open folder": lambda score: os.scandir("."),
    "returns 200 MB": lambda score: "x" * 200_000_000,
}
"""What is returned in place of a score."""
NAMES = (*EVALUATORS, *VALUES)
SPACE = jn.SearchSpace("hostile", (jn.Decision("what", NAMES), jn.Decision("round", range(2))))


def evaluator(architecture: dict) -> Any:
    """Returns the number of the architecture, in the first round of hostile ones after or in place of harm."""
    what, score = architecture["what"], 2.0 * NAMES.index(architecture["what"]) + architecture["round"]
    if architecture["round"] == 0 and what in EVALUATORS:
        EVALUATORS[what]()
    return VALUES[what](score) if architecture["round"] == 0 and what in VALUES else score


def run(names: tuple[str, ...], folder: Path) -> dict[str, str]:
    """Returns how the first trial of each name ended: failures, "right" or "wrong"; those of second rounds as "again".

    All are evaluated in one search, each followed by a trial without harm.
    """
    space = jn.SearchSpace("hostile", (jn.Decision("what", names), SPACE.decisions[1]))
    options = {"strategy": "exhaustive_search", "num_workers": 2, "timeout": TIMEOUT, "progress": False}
    jn.NAS(space, evaluator=evaluator, folder=folder, **options).search(space.num_architectures, num_finalists=1)
    found = {}
    for line in map(json.loads, (folder / JOURNAL_FILE).read_text().splitlines()[1:]):
        if "trial" in line:
            what, turn = names[line["arch"][0]], line["arch"][1]
            right = line["score"] == 2.0 * NAMES.index(what) + turn
            found[what if turn == 0 else f"{what}, again"] = line["failure"] or ("right" if right else "wrong")
    return found


def main() -> None:
    """Searches, and prints how trials ended."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(NAMES, Path(folder))
    for name, ended in found.items():
        if not name.endswith(", again"):
            print(f"{name:32} {ended[:80]!r:80} then: {found[f'{name}, again'][:60]}")
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    counts = {kind: sum(each == kind for each in found.values()) for kind in ("right", "wrong")}
    counts["failed"] = len(found) - sum(counts.values())
    counts["several_lines"] = sum(len(each.splitlines()) != 1 or len(each) > 600 for each in found.values())
    counts["processes_left"] = len(children)
    print(json.dumps({"evaluators": len(NAMES), **counts}))


if __name__ == "__main__":
    main()
