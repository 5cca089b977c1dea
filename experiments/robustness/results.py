"""Damages summary.json, and kills writers of results: no traceback, no mixture, nothing of others lost.

Claim: each mutated summary is either shown or refused in one line; a folder whose writer was killed at any moment holds
the old results whole, the new ones whole, or visibly none; foreign files there are unchanged.
Command: python experiments/robustness/results.py [--number 10000] [--kills 100] [--seed 0]
Run time: 15 minutes on two cores.
Output: counts of tried, refused, shown and crashed summaries, and of the results that killed writers left. Last line: a
JSON object with the figures.
Page: docs/robustness.md

A mutation changes one value of a summary (or takes it away), or one byte of its file. Kills are SIGKILL at a random
moment of a process that writes results over others.
"""

import argparse
import copy
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jaxnas as jn
from jaxnas.report.comparison_files import read_summary, write_again
from jaxnas.report.figures import gallery

ODD = (None, -1, 10**9, 10**400, 1e300, 0.5, "", "x", [], {}, True, [None], {"a": 1}, float("nan"), "\ud800", "gone")
WRITER = """
import json, sys
from jaxnas.report.comparison_files import read_summary, write_result
result = read_summary(sys.argv[1])
print("ready", flush=True)
while True:
    write_result(sys.argv[2], lambda: result, {})
    print("written", flush=True)
"""


def places(value: Any, where: tuple = ()) -> list[tuple]:
    """Returns the places of all values within one, at most five of a list."""
    if isinstance(value, dict):
        inner = [(key, each) for key, each in value.items()]
    else:
        inner = list(enumerate(value[:5])) if isinstance(value, list) else []
    found = [where] if where else []
    return found + [place for key, each in inner for place in places(each, (*where, key))]


def changed(result: dict, where: tuple, odd: Any) -> dict:
    """Returns a copy of a result with another value at a place, or without it."""
    result = copy.deepcopy(result)
    inner: Any = result
    for key in where[:-1]:
        inner = inner[key]
    if odd == "gone":
        del inner[where[-1]]
    else:
        inner[where[-1]] = odd
    return result


def outcome(result: dict, folder: Path) -> str:
    """Returns what becomes of a summary: "refused", "shown", or the name of the exception."""
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(result))
    try:
        write_again(folder)
    except ValueError as error:
        return "refused" if "\n" not in str(error) else "several lines"
    except Exception as error:
        return f"crashed: {type(error).__name__}: {error}"[:200]
    return "shown"


def mutate_values(results: list[dict], number: int, draw: random.Random, folder: Path) -> dict[str, int]:
    """Returns the counts of the outcomes of a number of changed values, of pages without figures, which take long."""
    counts: dict[str, int] = {}
    gallery.figures_of = lambda result: {}
    every = [[(where, odd) for where in places(result) for odd in ODD] for result in results]
    for _ in range(number):
        chosen = draw.randrange(len(results))
        found = outcome(changed(results[chosen], *draw.choice(every[chosen])), folder)
        counts[found] = counts.get(found, 0) + 1
    return counts


def mutate_bytes(path: Path, number: int, draw: random.Random) -> dict[str, int]:
    """Returns the counts of the outcomes of a number of changed bytes of a file with a checksum."""
    counts, content, before = {"refused": 0, "the same result": 0, "accepted": 0}, path.read_bytes(), None
    before = read_summary(path.parent)
    for _ in range(number):
        damaged = bytearray(content)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            counts["the same result" if read_summary(path.parent) == before else "accepted"] += 1
        except ValueError:
            counts["refused"] += 1
    path.write_bytes(content)
    return counts


def hashes_of(folder: Path) -> dict[str, str]:
    """Returns the hashes of the visible files of a folder."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.name != "trials.npz"}


def kill_writers(sources: list[Path], number: int, draw: random.Random, folder: Path) -> dict[str, int]:
    """Returns the counts of what killed writers left in one folder, in which a file of the user's lies."""
    out = folder / "out"
    whole = []
    for source in sources:
        subprocess.run([sys.executable, "-c", WRITER.replace("while True", "for _ in [1]"), source, out], check=True)
        (out / "mine.txt").write_text("mine")
        whole.append(hashes_of(out))
    counts = {"whole": 0, "visibly none": 0, "mixture": 0}
    for number_of_kill in range(number):
        source = sources[number_of_kill % len(sources)]
        process = subprocess.Popen([sys.executable, "-c", WRITER, source, out], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if not (out / "summary.json").exists():
            counts["visibly none"] += 1
        else:
            counts["whole" if hashes_of(out) in whole else "mixture"] += 1
        assert (out / "mine.txt").read_text() == "mine"
    return counts


def main(number: int, kills: int, seed: int) -> None:
    """Attacks, and prints the counts."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [folder / "one", folder / "two"]
        bench = jn.load("mlp-small-shifted-digits-v1")
        for source, objective in zip(sources, (None, "accuracy,parameters"), strict=True):
            names = "random_search,local_search,hyperband"
            jn.compare(names, bench, num_trials=40, num_runs=20, objective=objective).write(source)
        figures = {
            "values": mutate_values([read_summary(source) for source in sources], number, draw, folder / "changed"),
            "bytes": mutate_bytes(sources[0] / "summary.json", number, draw),
            "kills": kill_writers(sources, kills, draw, folder),
        }
    for kind, counts in figures.items():
        print(f"{kind}: {', '.join(f'{count:,} {what}' for what, count in counts.items())}")
    print(json.dumps(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.number, options.kills, options.seed)
