"""Measures how fast architectures of a space train on this machine's accelerator, by the plan of accelerators.

Claim: none yet. This script was NOT run on an accelerator, as none was available; on CPU it only shows that it runs.
Command: python experiments/speed_accelerator.py (`--space`, `--task`: of any kind that trains, such as `mlp-small` or
`recurrent`; `--max-trainings N` for packed programs of up to N trainings, which bounds memory; `--quick` for a trial of
a few minutes whose figures mean nothing)
Run time: not known on an accelerator.
Output: the device, and the seconds of each batch. Last line: a JSON object with the figures. trainings_per_second is
over the timed batches, transfers and evaluation included; compile_seconds is what the first batch took longer than the
mean of the others; waste is the slots of operations computed for each that is used, over all classes of the space, null
where they are not packed; peak_gigabytes is the most memory of the device in use, null where it does not say;
table_minutes is the time of the whole table with these seeds and epochs at this speed, compilation included.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace

import jax
import numpy as np

from jaxnas import catalog
from jaxnas.spaces.cells import packed
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import CHUNK_SIZE
from jaxnas.training.trainer import Trainer, default_config


@dataclass(frozen=True)
class Config:
    """What is trained: the first batches of a table of all classes, in random order."""

    space: str = "nb201"
    task: str = "shifted-digits"
    training: TrainConfig | None = None
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
    trainer = Trainer(space, task, config.training)
    plan = "packed" if "packed" in trainer.family.plans else "sequential"
    if plan == "packed":
        live, places = packed.pruned(space, archs), packed.num_places(len(archs), config.num_seeds)
        batches = packed.batches(space, live, places)
    else:
        places = CHUNK_SIZE
        batches = np.array_split(np.arange(len(archs)), -(-len(archs) // places))
    device = jax.devices()[0]
    print(f"{device.platform}, {device.device_kind}: {len(batches)} batches of up to {places} classes", flush=True)
    seconds = []
    for batch in batches[: config.num_batches + 1]:
        start = time.perf_counter()
        trainer.curves(archs[batch], range(config.num_seeds), plan=plan)
        seconds.append(time.perf_counter() - start)
        print(f"  {len(batch) * config.num_seeds} trainings: {seconds[-1]:.2f} s", flush=True)
    timed = batches[1 : config.num_batches + 1]
    mean = float(np.mean(seconds[1:]))
    compile_seconds = seconds[0] - mean
    memory = device.memory_stats() or {}
    found = {
        "space": config.space,
        "task": config.task,
        "plan": plan,
        "platform": device.platform,
        "device": device.device_kind,
        "max_trainings": config.max_trainings,
        "trainings_per_second": config.num_seeds * sum(map(len, timed)) / sum(seconds[1:]),
        "compile_seconds": compile_seconds,
        "waste": packed.waste(space, live, places) if plan == "packed" else None,
        "peak_gigabytes": memory["peak_bytes_in_use"] / 1e9 if "peak_bytes_in_use" in memory else None,
        "table_minutes": (compile_seconds + mean * len(batches)) / 60,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", help="default nb201")
    parser.add_argument("--task", help="default shifted-digits")
    parser.add_argument("--max-trainings", type=int, help="trainings of one program")
    parser.add_argument("--quick", action="store_true", help="small networks, one seed, one epoch")
    options = parser.parse_args()
    chosen = QUICK if options.quick else CONFIG
    if options.quick and options.space:
        default = default_config(catalog.space(options.space))
        chosen = replace(chosen, training=replace(default, num_epochs=1))
    given = {"space": options.space, "task": options.task, "max_trainings": options.max_trainings}
    main(replace(chosen, **{name: value for name, value in given.items() if value}))
