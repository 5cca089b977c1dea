"""Measures how fast the packed plan trains architectures of NAS-Bench-201 on this machine's accelerator.

Claim: none yet. This script was NOT run on an accelerator, as none was available; on CPU it only shows that it runs.
Command: python experiments/speed_accelerator.py (`--max-trainings N` for programs of up to N trainings, which bounds
memory; `--quick` for a trial of a few minutes whose figures mean nothing)
Run time: not known on an accelerator.
Output: the device, and the seconds of each batch. Last line: a JSON object with the figures. trainings_per_second is
over the timed batches, transfers and evaluation included; compile_seconds is what the first batch took longer than the
mean of the others; waste is the slots of operations computed for each that is used, over all classes of the space;
table_minutes is the time of the whole table with these seeds and epochs at this speed, compilation included.
"""

import argparse
import json
import time
from dataclasses import dataclass, field, replace

import jax
import numpy as np

from jaxnas import catalog
from jaxnas.spaces.cells import packed
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.training.config import TrainConfig
from jaxnas.training.trainer import evaluate


@dataclass(frozen=True)
class Config:
    """What is trained: the first batches of a table of all classes, in random order."""

    space: str = "nb201"
    task: str = "shifted-digits"
    training: TrainConfig = field(default_factory=TrainConfig)
    num_seeds: int = 5
    num_batches: int = 3
    max_trainings: int = packed.MAX_TRAININGS
    seed: int = 0


CONFIG = Config()
QUICK = Config(training=TrainConfig(num_epochs=1, network=Skeleton(2, num_stages=1)), num_seeds=1, max_trainings=8)


def main(config: Config = CONFIG) -> None:
    """Trains one batch that compiles and some that are timed, and prints the figures."""
    packed.MAX_TRAININGS = config.max_trainings
    space, task = catalog.space(config.space), catalog.task(config.task)
    archs = np.asarray(space.arch_at(np.random.RandomState(config.seed).permutation(np.unique(space.classes()))))
    live = packed.pruned(space, archs)
    places = packed.num_places(len(archs), config.num_seeds)
    batches = packed.batches(space, live, places)
    device = jax.devices()[0]
    print(f"{device.platform}, {device.device_kind}: {len(batches)} batches of up to {places} classes", flush=True)
    seconds = []
    for batch in batches[: config.num_batches + 1]:
        start = time.perf_counter()
        evaluate(space, archs[batch], task, config.training, range(config.num_seeds), plan="packed")
        seconds.append(time.perf_counter() - start)
        print(f"  {len(batch) * config.num_seeds} trainings: {seconds[-1]:.2f} s", flush=True)
    timed = batches[1 : config.num_batches + 1]
    mean = float(np.mean(seconds[1:]))
    compile_seconds = seconds[0] - mean
    found = {
        "platform": device.platform,
        "device": device.device_kind,
        "max_trainings": config.max_trainings,
        "trainings_per_second": config.num_seeds * sum(map(len, timed)) / sum(seconds[1:]),
        "compile_seconds": compile_seconds,
        "waste": packed.waste(space, live, places),
        "table_minutes": (compile_seconds + mean * len(batches)) / 60,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-trainings", type=int, help="trainings of one program")
    parser.add_argument("--quick", action="store_true", help="small networks, one seed, one epoch")
    options = parser.parse_args()
    chosen = QUICK if options.quick else CONFIG
    main(replace(chosen, max_trainings=options.max_trainings) if options.max_trainings else chosen)
