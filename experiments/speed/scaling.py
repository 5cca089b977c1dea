"""Measures the cost of a build's driver as its chunks grow in number: scans, writes, and the merge into a table.

Claim: a scan for 10,000 shards takes less than 0.2 s if none is there; writing and merging grow with the number of
shards. No training is run: shards hold generated curves of 16 classes, 1 seed and 12 epochs each.
Command: python experiments/speed/scaling.py [--shards 100,1000,10000] [--folder DIR]
Run time: 3 minutes on a 2-core Intel Xeon.
Output: a line for each number of shards: seconds of a look for all while none is there and while all are; of the driver
on a Ray whose tasks are done as soon as they are submitted, a shard, with as many workers as there are shards up to
2,000; and of the merge into arrays; the processor time of all, bytes of a shard. Last line: a JSON object.
Page: docs/scaling.md
"""

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from jaxnas.execution.base import Ended
from jaxnas.execution.ray import RayCluster
from jaxnas.tables.building.driver import Part, _train_chunks
from jaxnas.tables.building.plan import BuildPlan, Chunk, missing_chunks, read_shard, shard_bytes, shard_path
from jaxnas.training.curves import Curves

CLASSES, SEEDS, EPOCHS = 16, 1, 12


def made_curves(random: np.random.Generator) -> Curves:
    """Returns curves of a chunk that nothing has trained."""
    shapes = {"test": (CLASSES, SEEDS, 1), "first_loss": (CLASSES, SEEDS), "first_gradient_norm": (CLASSES, SEEDS)}
    found = {}
    for name in Curves._fields:
        shape = shapes.get(name, (CLASSES, SEEDS, EPOCHS))
        counts = name in ("train", "validation", "test")
        found[name] = random.integers(1000, size=shape, dtype=np.int32) if counts else random.random(shape, np.float32)
    return Curves(**found)


class Instant:
    """A Ray whose tasks are done when they are submitted, so that what is left is the work of the driver."""

    exceptions = SimpleNamespace(RayError=(), RayTaskError=())

    def __init__(self, curves: Curves):
        self.curves = curves

    def put(self, value: object) -> object:
        return value

    def remote(self, function: object) -> SimpleNamespace:
        submitted = SimpleNamespace(remote=lambda *arguments: Done(shard_bytes(arguments[3], self.curves)))
        return SimpleNamespace(options=lambda **options: submitted)

    def wait(self, references: list, num_returns: int, timeout: float) -> tuple[list, list]:
        return references, []

    def get(self, reference: "Done") -> Ended:
        return Ended(reference.shard)


class Done:
    """A task that is done."""

    def __init__(self, shard: bytes):
        self.shard = shard


def drive(folder: Path, chunks: list[Chunk], curves: Curves, shape: tuple[int, int, int]) -> None:
    """Lets the executor of Ray collect the shards of chunks."""
    cluster = object.__new__(RayCluster)
    cluster.ray, cluster.node, cluster._has_gpus = Instant(curves), None, False
    plan = BuildPlan((0,), tuple(chunks), "sequential", shape)
    left = dict.fromkeys(chunks)
    _train_chunks(cluster, Part("", None, plan, {}), folder, left, lambda: None)
    assert not left


def measure(num_shards: int, folder: Path) -> dict:
    """Returns the seconds of the parts of a build of so many shards."""
    (folder / "shards").mkdir(parents=True)
    random, clock = np.random.default_rng(0), time.perf_counter
    cpu = time.process_time()
    names = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(num_shards)]
    chunks = [Chunk(name, tuple(range(n * CLASSES, (n + 1) * CLASSES))) for n, name in enumerate(names)]
    curves, shape = made_curves(random), (SEEDS, EPOCHS, 1)
    started = clock()
    assert len(missing_chunks(folder, chunks, shape)) == num_shards
    found = {"shards": num_shards, "look_at_none": clock() - started}
    started = clock()
    drive(folder, chunks, curves, shape)
    found["driver_each"] = (clock() - started) / num_shards
    started = clock()
    assert not missing_chunks(folder, chunks, shape)
    found["look_at_all"] = clock() - started
    started = clock()
    arrays = [read_shard(folder, chunk, shape) for chunk in chunks]
    merged = {name: np.concatenate([each[name] for each in arrays]) for name in Curves._fields}
    found["merge"] = clock() - started
    assert len(merged["train"]) == num_shards * CLASSES
    found["processor_seconds"] = time.process_time() - cpu
    found["bytes_of_a_shard"] = shard_path(folder, chunks[0]).stat().st_size
    return found


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", default="100,1000,10000")
    parser.add_argument("--folder", help="where shards are written (default: the system's temporary folder)")
    options = parser.parse_args()
    rows = []
    for count in map(int, options.shards.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows.append(measure(count, Path(folder)))
        print("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
    print(json.dumps({"classes_of_a_shard": CLASSES, "seeds": SEEDS, "epochs": EPOCHS, "rows": rows}))


if __name__ == "__main__":
    main()
