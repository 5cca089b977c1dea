"""Measures how long a complete table takes to build, and the memory of a process that builds it.

Claim: two cores build all of `nb201-shifted-digits-v1` in less than an hour and a half, below 1 GB a process once
the space is compiled; a process that compiles it takes more. Measured on two cores of an AMD EPYC, 2026-11-26: 65
minutes, 0.82 GB, 1.41 GB. 35 minutes were aimed at.
Command: python experiments/speed/build.py (Linux)
Run time: about 5 minutes on two idle cores.
Output: the time and the largest memory of one process of three builds of a sample of classes: with an empty folder of
compiled programs, and twice with the filled one. The time of the whole table is that of the larger build, and of the
rest of its classes at the difference of the two. Last line: a JSON object with the figures.
Page: docs/speed.md
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jaxnas.tables.table import Table

TABLE = "nb201-shifted-digits-v1"
NUM_CLASSES = {"compiling": 16, "small": 32, "large": 160}
"""Classes of each build, in whole chunks for two processes."""


def measure_build(manifest: dict, num_classes: int, folder: Path, cache: Path) -> tuple[float, float]:
    """Returns the seconds of a build of `num_classes` classes, and the peak memory of its largest process in GB."""
    options = {
        "space": manifest["space"]["name"],
        "task": manifest["task"]["name"],
        "seeds": len(manifest["seeds"]),
        "epochs": len(manifest["fidelities"]),
        "limit": num_classes,
        "out": folder,
    }
    command = [sys.executable, "-m", "jaxnas", "build"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # of it and of the processes that it waited for
    if status:
        raise RuntimeError(f"Expected a build that succeeds, got status {status} of: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9


def main() -> None:
    """Prints the figures."""
    table = Table.read(TABLE)
    seconds, memory = {}, {}
    with tempfile.TemporaryDirectory() as root:
        for name, num_classes in NUM_CLASSES.items():
            found = measure_build(table.manifest, num_classes, Path(root) / name, Path(root) / "cache")
            seconds[name], memory[name] = found
            print(f"{name:10} {num_classes:4} classes  {found[0]:6.1f} s  {found[1]:.2f} GB", flush=True)
    of_a_class = (seconds["large"] - seconds["small"]) / (NUM_CLASSES["large"] - NUM_CLASSES["small"])
    whole = seconds["large"] + of_a_class * (int(table.trained.sum()) - NUM_CLASSES["large"])
    figures = {
        "seconds_of_a_class": of_a_class,
        "minutes_of_the_table": whole / 60,
        "gigabytes_of_a_process": memory["large"],
        "gigabytes_of_a_process_that_compiles": memory["compiling"],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
