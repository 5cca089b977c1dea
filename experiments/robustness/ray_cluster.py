"""Builds and searches on a Ray cluster of two nodes, whose workers, nodes and driver are killed, end as local ones do.

Claim: after any kill, the table has the content hash of a build by local processes; a wrong address, a node of other
versions and a full disk end in one line with instructions. A search whose node is killed has the trials of a local one;
one whose worker process is killed has failed trials and no others. Scores of proxies and checkpoints of one-shot
searches are the bytes of local ones.
Command: python experiments/robustness/ray_cluster.py [--only searches] (Linux, with the extra `ray`)
Run time: 10 minutes on a 2-core Intel Xeon, of which searches take 5.
Output: a line a build or search, with its seconds; last, one JSON object with the counts.
Page: docs/parallel.md
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0", RAY_memory_monitor_refresh_ms="0")

SCRIPT = """
import errno
import os
import sys
import numpy as np
import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.tables.building import driver
from jaxnas.files import replace_file
from jaxnas.training import networks

SPACE = jn.MLPSpace(max_layers=1, max_units=16, activations=("relu", "tanh"), name="attacked")


def task():
    random = np.random.RandomState(0)
    labels = np.arange(1200) % 3
    return jn.task_from_arrays(random.randn(1200, 4) + labels[:, None], labels, name="blobs")


if __name__ == "__main__":
    networks.CHUNK_SIZE = 6
    left = list(range(int(sys.argv[1])))

    def written(path, data):
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left.pop()
        replace_file(path, data)

    driver.replace_file = written
    place = [f"--{part}={__file__}:{name}" for part, name in (("space", "SPACE"), ("task", "task"))]
    if sys.argv[2] == "search":
        place += ["--strategy=random_search", "--trials=40", "--workers=2", "--quiet"]
        sys.exit(main(["search", *place, "--epochs=400", *sys.argv[3:]]))
    if sys.argv[2] == "proxies":
        sys.exit(main(["proxies", *place, "--names=snip,nwot", *sys.argv[3:]]))
    if sys.argv[2] == "oneshot":
        sys.exit(main(["oneshot", *place, "--steps=500", "--seeds=2", "--epochs=1", "--quiet", *sys.argv[3:]]))
    sys.exit(main(["build", *place, "--seeds=2", "--epochs=100", *sys.argv[2:]]))
"""

OTHER_VERSIONS = """
from importlib import metadata
known = metadata.version
metadata.version = lambda name: "0.0.1" if name == "optax" else known(name)
"""


class Attack:
    """Builds of one small space in new folders."""

    def __init__(self, top: Path):
        self.top, self.script, self.rows = top, top / "attacked.py", []
        self.script.write_text(SCRIPT)
        self.expected = ""
        self.trials: dict[int, tuple] = {}

    def start(self, name: str, *options: str, room: int = 1000) -> subprocess.Popen:
        """Returns the running build; `room`: for how many shards the disk of its driver has room."""
        command = [sys.executable, str(self.script), str(room), *options, f"--out={self.top / name}"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def shards(self, name: str) -> int:
        return len(list((self.top / name / "shards").glob("*.arrays")))

    def build(self, name: str, *options: str, attack: Callable[[], Any] | None = None) -> None:
        """Runs a build, attacks it once it has some shards, and notes whether its hash is the local one."""
        started = time.monotonic()
        process = self.start(name, *options)
        if attack is not None:
            while process.poll() is None and self.shards(name) < 3:
                time.sleep(0.02)
            attack()
        message = process.communicate()[1]
        if process.returncode == -signal.SIGKILL:
            process = self.start(name, *options)
            message = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"{name} ended with {process.returncode}: {message[-300:]}")
        found = json.loads((self.top / name / "manifest.json").read_text())["content_hash"]
        self.expected = self.expected or found
        self.note(name, found == self.expected, time.monotonic() - started)

    def refuse(self, name: str, expected: str, *options: str, **more: int) -> None:
        """Runs a build, or a search, that must end in one line with some words in it."""
        started = time.monotonic()
        process = self.start(name, *options, **more)
        lines = [line for line in process.communicate()[1].splitlines() if line.startswith("jaxnas ")]
        self.note(
            name, process.returncode == 1 and len(lines) == 1 and expected in lines[0], time.monotonic() - started
        )
        print(f"    {lines[-1] if lines else 'no message'}", flush=True)

    def search(self, name: str, *options: str, attack: Callable[[], Any] | None = None, may_fail: int = 0) -> None:
        """Runs a search, attacks it once it has some trials, and notes whether they are the local ones.

        Args:
            may_fail: how many trials may have failed.
        """
        started, journal = time.monotonic(), self.top / name / "journal.jsonl"
        process = self.start(name, "search", *options)
        if attack is not None:
            while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 6):
                time.sleep(0.02)
            attack()
        message = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"{name} ended with {process.returncode}: {message[-300:]}")
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        found = {line["trial"]: (line["arch"], line["score"]) for line in lines if "trial" in line}
        self.trials = self.trials or found
        failed = [number for number, (_, score) in found.items() if score is None]
        same = all(found.get(number) == trial for number, trial in self.trials.items() if number not in failed)
        right = same and len(found) == len(self.trials) and len(failed) <= may_fail
        self.note(f"{name} ({len(failed)} failed)", right, time.monotonic() - started)

    def repeat(self, name: str, files: str, *on_it: str) -> None:
        """Runs a command here and on the cluster, and notes whether its files are the same.

        Args:
            name: of the command.
            files: those that are compared, as a pattern.
        """
        started = time.monotonic()
        found = {}
        for where, options in (("here", ()), ("there", on_it)):
            process = self.start(f"{name} {where}", name, *options)
            message = process.communicate()[1]
            if process.returncode:
                raise RuntimeError(f"{name} ended with {process.returncode}: {message[-300:]}")
            paths = sorted((self.top / f"{name} {where}").glob(files))
            found[where] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        self.note(name, bool(found["here"]) and found["here"] == found["there"], time.monotonic() - started)

    def note(self, name: str, right: bool, seconds: float) -> None:
        self.rows.append({"what": name, "as_expected": right, "seconds": round(seconds, 1)})
        print("  ".join(f"{key} {value}" for key, value in self.rows[-1].items()), flush=True)


def kill_a_task() -> None:
    """Kills a process that trains."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(b"ray::on_node"):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return


def attack_builds(attack: Attack, cluster: Any, second: Any, on_it: tuple[str, str]) -> None:
    """Builds on a cluster with its second node, which is killed."""
    attack.build("ray", *on_it)
    attack.build("a worker killed", *on_it, attack=kill_a_task)
    attack.build("a node killed", *on_it, attack=lambda: cluster.remove_node(second, allow_graceful=False))
    driver = attack.start("the driver killed", *on_it)
    while driver.poll() is None and attack.shards("the driver killed") < 3:
        time.sleep(0.02)
    driver.kill()
    driver.communicate()
    attack.build("the driver killed", *on_it)


def attack_searches(attack: Attack, cluster: Any, second: Any, on_it: tuple[str, str]) -> None:
    """Searches on a cluster with its second node, which is killed."""
    attack.search("a search by processes")
    attack.search("a search by ray", *on_it)
    attack.search("a search, a worker killed", *on_it, attack=kill_a_task, may_fail=1)
    attack.repeat("proxies", "shards/*.arrays", *on_it)
    attack.repeat("oneshot", "search-*.arrays", *on_it)
    attack.search("a search, a node killed", *on_it, attack=lambda: cluster.remove_node(second, allow_graceful=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("builds", "searches"), help="default: both")
    only = parser.parse_args().only
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        attack = Attack(top)
        node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        on_it = (f"--ray={cluster.address}",)
        try:
            if only != "builds":
                attack_searches(attack, cluster, cluster.add_node(**node), on_it)
            if only == "searches":
                return
            attack.build("local", "--processes=1")
            attack_builds(attack, cluster, cluster.add_node(**node), on_it)
            attack.refuse("a full disk", "No space left on device; run the same command", *on_it, room=2)
            attack.refuse("a wrong address", "start one there by `ray start --head`", "--ray=127.0.0.1:9")
            (top / "sitecustomize.py").write_text(OTHER_VERSIONS)
            path = os.pathsep.join([str(top), os.environ.get("PYTHONPATH", "")])
            cluster.add_node(**node, env_vars={"PYTHONPATH": path})
            attack.refuse("other versions", "optax", *on_it)
            attack.refuse("other versions, a search", "optax", "search", *on_it)
        finally:
            cluster.shutdown()
            print(json.dumps({"rows": attack.rows, "as_expected": sum(row["as_expected"] for row in attack.rows)}))


if __name__ == "__main__":
    main()
