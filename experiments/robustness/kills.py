"""Commands that are killed at random moments and run again end with the same results, and leave nothing behind.

Claim: after 100 kills of each of builds, searches, one-shot searches, proxies, imports and comparisons, the folder has
the files of an undisturbed run and no others. They are equal to the byte if two undisturbed runs are; no temporary file
and no process is left. Numbers of seconds are ignored, and of a saved model the arrays are compared.
Command: python experiments/robustness/kills.py [--kills 100] [--kinds build,search,...] [--seed 0] (Linux)
Run time: half an hour on one core.
Output: a line a command; last, one JSON object with the counts.
Page: docs/robustness.md

Each command is `jaxnas ...` in a fork of a process that has imported jaxnas, with a separate cache of compiled
programs. Killed are its process, or (half of them) first that and 0.2 seconds later its child processes. A kill counts
if the process was alive. `workers` is a build by two worker processes.
"""

import argparse
import bz2
import contextlib
import hashlib
import importlib
import json
import os
import pickle
import pkgutil
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jax

import jaxnas
from experiments.robustness import made_files
from jaxnas.cli.main import main as command_line
from jaxnas.spaces.named import space_named
from jaxnas.training import fitted, networks

MINE = """
import numpy as np
import jaxnas as jn

SPACE = jn.MLPSpace(max_layers=1, max_units=16, activations=("relu", "tanh"), name="attacked")


def task():
    random = np.random.RandomState(0)
    labels = np.arange(120) % 3
    return jn.task_from_arrays(random.randn(120, 4) + labels[:, None], labels, name="blobs")
"""
_PLACES = ["--space=../mine.py:SPACE", "--task=../mine.py:task", "--out=out"]
_BUILD = ["build", *_PLACES, "--seeds=2", "--epochs=2"]
COMMANDS = {
    "build": [*_BUILD, "--processes=1"],
    "search": ["search", *_PLACES, "--strategy=regularized_evolution", "--trials=8", "--epochs=2"],
    "oneshot": ["oneshot", *_PLACES, "--steps=40", "--seeds=2", "--epochs=2"],
    "proxies": ["proxies", *_PLACES, "--names=snip,synflow,params", "--inits=2"],
    "import": ["import", "nats-tss", "../simple", "--out=out"],
    "compare": ["compare", "--benchmark=mlp-small-shifted-digits-v1", "--runs=10", "--trials=40", "--out=out"],
    "workers": [*_BUILD, "--processes=2"],
}
_SECONDS = re.compile(rb'"[a-z_]*(?:seconds|time)[a-z_]*": [-+.e\d]+')
_ARRAYS = re.compile(r"out/model/arrays-[0-9a-f]{16}/")
NUM_FILES = 700
"""Of an import, which keeps the numbers of 512 at a time."""


def make_inputs(folder: Path) -> None:
    """Writes a space, a task, and files of NATS-Bench of different cells."""
    (folder / "mine.py").write_text(MINE)
    (folder / "simple").mkdir()
    record = {epochs: made_files.architecture("", 0, int(epochs), (777,)) for epochs in ("12", "200")}
    for number, cell in enumerate(made_files.shuffled_cells()[:NUM_FILES]):
        named = {epochs: each | {"arch_str": cell} for epochs, each in record.items()}
        packed = bz2.compress(pickle.dumps(named, 4), 1)
        (folder / "simple" / f"{number:06d}.pickle.pbz2").write_bytes(packed)


def start(arguments: list[str], folder: Path) -> int:
    """Returns the number of a new process, in a group of its own, that runs a command in a folder."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    if child := os.fork():
        return child
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        handle = os.open(folder.parent / f"{folder.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = command_line(arguments)
        if Path("out/model").is_dir():
            model = fitted.FittedModel.load("out/model", space=space_named("../mine.py:SPACE"))
            arrays = jax.tree.leaves(jax.device_get(fitted._arrays(model.network)))
            Path("model.sha256").write_text(hashlib.sha256(b"".join(map(bytes, arrays))).hexdigest())
    finally:
        os._exit(code)


def run_until(child: int, seconds: float) -> bool:
    """Returns whether a process ended within so many seconds. Raises RuntimeError where it failed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if status:
                raise RuntimeError(f"Expected a command that ends well, got status {status}.")
            return True
        time.sleep(0.005)
    return False


def kill(child: int, draw: random.Random) -> None:
    """Kills a process and what it started, at once or one after the other."""
    if draw.random() < 0.5:
        os.kill(child, signal.SIGKILL)
        time.sleep(0.2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def files_of(folder: Path) -> dict[str, str]:
    """Returns the hashes of all files beside and in the results, without numbers of seconds.

    The arrays of a saved model have names of their own in each run: there is the number of their folders here.
    """
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    contents = {str(path.relative_to(folder)): _SECONDS.sub(b"", path.read_bytes()) for path in paths}
    arrays = {_ARRAYS.match(name)[0] for name in contents if _ARRAYS.match(name)}  # type: ignore[index]
    found = {name: hashlib.sha256(each).hexdigest() for name, each in contents.items() if not _ARRAYS.match(name)}
    return found | {f"folders of arrays: {len(arrays)}": ""}


def members_of(group: int) -> Iterator[int]:
    """Returns the processes of a group that still run."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                yield int(path.parent.name)


class Attack:
    """One kind of command, its undisturbed results, and the counts so far."""

    def __init__(self, kind: str, top: Path, seed: int):
        self.kind, self.top, self.draw = kind, top, random.Random(f"{kind}{seed}")
        seconds, found = [], []
        for number in range(2):  # the second with programs compiled
            folder, started = top / f"{kind}-whole-{number}", time.monotonic()
            run_until(start(COMMANDS[kind], folder), 600)
            seconds.append(time.monotonic() - started)
            found.append(files_of(folder))
        self.seconds, self.expected = min(seconds), found[0]
        self.different = {name for name in found[0] if found[0][name] != found[1].get(name)}
        self.counts = dict.fromkeys(("kills", "commands", "same", "different", "files_left", "processes_left"), 0)

    def _moment(self, kills: int) -> float:
        """Returns after how many seconds to kill, later each time so that the command ends."""
        return self.draw.uniform(0.1, 1.0) * self.seconds * 1.05**kills

    def killed_and_resumed(self) -> None:
        """Kills a command until it ends, and looks at what it leaves."""
        folder, kills, started = self.top / f"{self.kind}-{self.counts['commands']}", 0, time.monotonic()
        while not run_until(child := start(COMMANDS[self.kind], folder), self._moment(kills)):
            kill(child, self.draw)
            kills += 1
            self.counts["processes_left"] += len(list(members_of(child)))
        if not kills:  # the machine has less to do than before
            self.seconds = min(self.seconds, time.monotonic() - started)
        self.counts["kills"] += kills
        found = files_of(folder)
        wrong = {name for name, value in self.expected.items() if found.get(name) != value} - self.different
        wrong |= set(self.expected) - set(found)
        self.counts["same" if not wrong else "different"] += 1
        self.counts["files_left"] += len(set(found) - set(self.expected))
        self.counts["commands"] += 1
        print(self.kind, *(f" {name} {value}" for name, value in self.counts.items()), *sorted(wrong), flush=True)
        if set(found) == set(self.expected) and not wrong:
            shutil.rmtree(folder)


def main() -> None:
    """Attacks, kinds by turns, and prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--kinds", default="build,search,oneshot,proxies,import,compare")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="for what is made; folders that differ stay there")
    options = parser.parse_args()
    for module in pkgutil.walk_packages(jaxnas.__path__, "jaxnas."):
        if not module.name.endswith(("__main__", "worker", ".ray")):
            importlib.import_module(module.name)
    networks.CHUNK_SIZE = 4
    top = options.folder or Path(tempfile.mkdtemp())
    top.mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(top / "cache")
    make_inputs(top)
    attacks = [Attack(kind, top, options.seed) for kind in options.kinds.split(",")]
    while any(attack.counts["kills"] < options.kills for attack in attacks):
        for attack in attacks:
            if attack.counts["kills"] < options.kills:
                attack.killed_and_resumed()
    if options.folder is None:
        shutil.rmtree(top)
    rows = [
        {"kind": each.kind, **each.counts, "differ_by_themselves": sorted(each.different), "seconds": each.seconds}
        for each in attacks
    ]
    print(json.dumps({"kills": options.kills, "seed": options.seed, "attacks": rows}))


if __name__ == "__main__":
    main()
