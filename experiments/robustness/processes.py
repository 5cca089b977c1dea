"""Builds and searches that are killed at random moments resume to the same numbers, and lose none.

Claim: after 100 kills of builds (the builder, a worker, or all) and searches, each table has the hash of an undisturbed
build, each journal equals an undisturbed one byte for byte, and no temporary file is left. The journal of a search by
two workers has the trials of an undisturbed one, in any order.
Command: python experiments/robustness/processes.py [--kills 100] [--kinds build,search] [--seed 0], or --kinds workers
Run time: 15 minutes on a 2-core Intel Xeon.
Output: a line a build or search; last, one JSON object with the counts.
Page: docs/robustness.md
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jaxnas.search.loop.journaled import JOURNAL_FILE
from jaxnas.tables.table import Table

SCRIPT = """
import sys
import time
import numpy as np
import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.training import networks

SPACE = jn.MLPSpace(max_layers=1, max_units=16, activations=("relu", "tanh"), name="attacked")


def task():
    random = np.random.RandomState(0)
    labels = np.arange(120) % 3
    return jn.task_from_arrays(random.randn(120, 4) + labels[:, None], labels, name="blobs")


def slow(architecture):
    time.sleep(0.1)
    return architecture["layers"][0] / 100 + architecture["dropout"]


if __name__ == "__main__":
    networks.CHUNK_SIZE = 4
    if sys.argv[1] in ("search", "workers"):
        workers = 1 if sys.argv[1] == "search" else 2
        options = {"strategy": "random_search", "folder": sys.argv[2], "progress": False, "num_workers": workers}
        jn.NAS(SPACE, evaluator=slow, **options).search(25 * workers)
    else:
        place = [f"--{part}={__file__}:{name}" for part, name in (("space", "SPACE"), ("task", "task"))]
        sys.exit(main(["build", *place, "--seeds=2", "--epochs=2", "--processes=2", f"--out={sys.argv[2]}"]))
"""


class Attack:
    """Runs of one command in new folders, killed and resumed until they end."""

    def __init__(self, kind: str, script: Path, random_state: random.Random):
        self.kind, self.script, self.random = kind, script, random_state

    def start(self, folder: Path) -> subprocess.Popen:
        """Returns the running command, in its own process group."""
        return subprocess.Popen(
            [sys.executable, str(self.script), self.kind, str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ended(self, process: subprocess.Popen) -> bool:
        """Returns whether a command ended well; raises where it did not."""
        message = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"{self.kind} ended with {process.returncode}: {message[-300:]}")
        return True

    def killed_and_resumed(self, folder: Path, seconds: float) -> int:
        """Returns how often a command was killed until it ended; each kill is within so many seconds of its start."""
        kills = 0
        while True:
            process = self.start(folder)
            end = time.monotonic() + self.random.uniform(0.2, 0.8) * seconds
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            if process.poll() is not None:
                self.ended(process)
                return kills
            self._kill(process)
            process.communicate()
            kills += 1
            seconds *= 1.05  # so that it ends

    def _kill(self, process: subprocess.Popen) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.kind != "search" and self.random.random() < 0.5:
                os.kill(process.pid, signal.SIGKILL)  # its workers end by themselves
                time.sleep(0.2)
            os.killpg(process.pid, signal.SIGKILL)


def result_of(kind: str, folder: Path) -> str:
    """Returns what a command made: a hash, or a journal."""
    if kind == "build":
        return Table.read(folder).manifest["content_hash"]
    text = (folder / JOURNAL_FILE).read_text()
    if kind == "search":
        return text
    lines = [json.loads(line) for line in text.splitlines()]  # what a random search asks does not depend on answers
    return json.dumps(sorted((line["trial"], line["arch"], line["score"]) for line in lines[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--kinds", default="build,search")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as top:
        script = Path(top) / "attacked.py"
        script.write_text(SCRIPT)
        for kind in options.kinds.split(","):
            attack = Attack(kind, script, random.Random(options.seed))
            attack.ended(attack.start(Path(top) / f"{kind}-whole"))
            started = time.monotonic()
            attack.ended(attack.start(Path(top) / f"{kind}-again"))  # with programs compiled
            seconds, expected = time.monotonic() - started, result_of(kind, Path(top) / f"{kind}-whole")
            row = {"attack": f"kill -9 of {kind}", "kills": 0, "commands": 0, "same": 0, "different": 0, "left": 0}
            while row["kills"] < options.kills / len(options.kinds.split(",")):
                folder = Path(top) / f"{kind}-{row['commands']}"
                row["kills"] += attack.killed_and_resumed(folder, seconds)
                row["commands"] += 1
                row["same" if result_of(kind, folder) == expected else "different"] += 1
                row["left"] += len(list(folder.rglob("*.tmp")))
                print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            rows.append(row)
    print(json.dumps({"kills": options.kills, "seed": options.seed, "attacks": rows}))


if __name__ == "__main__":
    main()
