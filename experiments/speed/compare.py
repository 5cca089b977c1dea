"""Measures how long `jaxnas compare` takes with an empty cache, by part, at an earlier revision and now.

Claim: on its defaults `jaxnas compare` takes a third less time than before revision 72c5757, and less than 8 seconds on
two idle cores. Figures: docs/speed.md.
Command: python experiments/speed/compare.py (`--before REVISION` for a revision to compare with, `--strategies all` for
all strategies, `--rounds N`). The earlier revision is checked out into a worktree of git, which is removed at the end.
Run time: about 25 seconds a round on two idle cores, 10 of them without `--before`.
Output: medians over rounds, in which both sides take turns, each run a fresh process with a fresh folder of compiled
programs: wall and processor seconds of the process and of its parts. Parts overlap, and the processor time of one is
that of the whole process meanwhile. Last line: a JSON object with the figures of each side.
Page: docs/speed.md
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "load": ("jaxnas.cli.compare", "_benches"),
    "runs": ("jaxnas.cli.compare", "_compared"),
    "numbers": ("jaxnas.report.comparison", "result_of"),
    "trials": ("jaxnas.report.comparison_files", "write_trials"),
    "figures": ("jaxnas.report.figures.gallery", "write_figures"),
    "page": ("jaxnas.report.page.page", "page_text"),
}
"""The parts of a comparison, and the functions that they are the time of."""

CHILD = """
import importlib, json, sys, time
started = time.perf_counter(), time.process_time()
times = {}
def timed(name, function):
    def call(*arguments, **options):
        before = time.perf_counter(), time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            times[name] = time.perf_counter() - before[0], time.process_time() - before[1]
    return call
import jaxnas.cli.compare
times["import"] = time.perf_counter() - started[0], time.process_time() - started[1]
for part, (module, name) in json.loads(sys.argv[1]).items():
    module = importlib.import_module(module)
    setattr(module, name, timed(part, getattr(module, name)))
from jaxnas.cli.main import main
status = main(sys.argv[2:])
print(json.dumps(times))
sys.exit(status)
"""


@contextlib.contextmanager
def checkout(revision: str | None) -> Iterator[Path]:
    """Gives the folder of a revision of the repository, None for the present one."""
    if revision is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), revision], check=True, capture_output=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True, capture_output=True)


def measure(tree: Path, strategies: str | None) -> dict[str, tuple[float, float]]:
    """Returns wall and processor seconds of a comparison in a fresh process, whole (`"all"`) and by part."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CHILD, json.dumps(PARTS), "compare", "--quiet", "--out", f"{folder}/out"]
        command += ["--strategies", strategies] if strategies else []
        environment = {**os.environ, "PYTHONPATH": str(tree), "XDG_CACHE_HOME": f"{folder}/cache"}
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True, check=False)
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"Expected a comparison that succeeds, got: {done.stderr.strip().splitlines()[-1]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    parts = json.loads(done.stdout.splitlines()[-1])
    return {"all": (seconds, used), **{name: (wall, processor) for name, (wall, processor) in parts.items()}}


def main(before: str | None, strategies: str | None, rounds: int) -> None:
    """Prints the figures."""
    revisions = {**({"before": before} if before else {}), "now": None}
    found: dict[str, list[dict[str, tuple[float, float]]]] = {side: [] for side in revisions}
    with contextlib.ExitStack() as stack:
        trees = {side: stack.enter_context(checkout(revision)) for side, revision in revisions.items()}
        for number in range(rounds):
            for side, tree in trees.items():
                found[side].append(measure(tree, strategies))
                wall, processor = found[side][-1]["all"]
                print(f"round {number + 1} {side:7} {wall:6.2f} s, {processor:6.2f} s of processor", flush=True)
    figures = {
        side: {name: np.median([each[name] for each in runs], axis=0).round(2).tolist() for name in runs[0]}
        for side, runs in found.items()
    }
    print("seconds (processor)  " + "  ".join(f"{side:>14}" for side in figures))
    for name in ("all", "import", *PARTS):
        shown = (f"{wall:6.2f} ({processor:5.2f})" for wall, processor in (each[name] for each in figures.values()))
        print(f"{name:19}  " + "  ".join(f"{text:>14}" for text in shown))
    print(json.dumps({"strategies": strategies or "defaults", "rounds": rounds, **figures}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="REVISION", help="of git, to compare with")
    parser.add_argument("--strategies", help="as of jaxnas compare (default: its own)")
    parser.add_argument("--rounds", type=int, default=5, help="(default 5)")
    options = parser.parse_args()
    main(options.before, options.strategies, options.rounds)
