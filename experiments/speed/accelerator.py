"""Measures how fast networks of all kinds are trained, scored and shared on this machine's accelerator, and by PyTorch.

Claim: none yet. This script was NOT run on an accelerator, as none was available; on CPU it only shows that it runs.
Command: python experiments/speed/accelerator.py [--parts cells,perceptrons,...] [--space S --task T] (`--max-trainings
N`: packed programs of up to N trainings; `--quick`: a trial whose figures mean nothing; PyTorch if it is installed)
Run time: not known on an accelerator; with `--quick` some minutes on a 2-core Intel Xeon.
Output: a JSON object a line, for each part; each part runs in a separate process to measure its memory alone. Last
line: a JSON object of all, null if a part failed.
Page: docs/parallel.md, docs/scaling.md

Cells, in float32 and in bfloat16, perceptrons, recurrent cells, or another space (`--space`): trainings_per_second over
the timed batches of a table of all classes, transfers and evaluation included, and steps_per_second, all trainings
together. compile_seconds is the extra time of the first batch over the mean of the others. waste is the number of
operation slots computed for each used one, null unless they are packed. share_of_peak is the rate of the matrix
multiplications and additions that the networks need, three times a forward pass for each trained example and once for
each evaluated one, as a share of the rate stated by the device's maker (`PEAKS`), null for other devices. table_minutes
is the time of the whole table at this speed, compilation included. Proxies: architectures_per_second of a pass.
Supernets: steps_per_second of a method. All: peak_gigabytes, the most memory of the device that was in use, null if it
reports none.

PyTorch: steps_per_second of one training at a time, eager and by `torch.compile`, which evaluates nothing and gathers
no batches: cells of the same classes, perceptrons of two hidden layers of 64 units.
"""

import argparse
import importlib.util
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost import scores
from jaxnas.search.one_shot import step
from jaxnas.search.one_shot.one_shot import OneShot
from jaxnas.spaces.cells import packed
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.space import NB201
from jaxnas.spaces.named import space_named
from jaxnas.tasks.named import task_named
from jaxnas.training.config import BFLOAT16, FLOAT32
from jaxnas.training.networks import CHUNK_SIZE
from jaxnas.training.trainer import Trainer, default_config

PEAKS = {
    "NVIDIA H200": {FLOAT32: 67, BFLOAT16: 989},
    "NVIDIA H100 80GB HBM3": {FLOAT32: 67, BFLOAT16: 989},
    "NVIDIA A100": {FLOAT32: 19.5, BFLOAT16: 312},
    "Tesla V100-SXM2": {FLOAT32: 15.7},
    "Tesla T4": {FLOAT32: 8.1},
}
"""10^12 operations a second, without sparsity, by how a device's name begins: NVIDIA's data sheets of H200 (2024), H100
(2023), A100 (2021), V100 (2018) and T4 (2019). In float32 matrices are not multiplied in TF32."""
TRAINED = {
    "cells": ("nb201", "shifted-digits", FLOAT32),
    "cells-bfloat16": ("nb201", "shifted-digits", BFLOAT16),
    "perceptrons": ("mlp-small", "shifted-digits", FLOAT32),
    "recurrent": ("recurrent-3", "digits-rows", FLOAT32),
}
PROXIES = ("gradient", "forward")
METHODS = ("darts", "rsps")


@dataclass(frozen=True)
class Config:
    """How much is measured: of a table of all classes in random order the first batches."""

    num_seeds: int = 5
    num_batches: int = 3
    num_epochs: int | None = None
    max_trainings: int = packed.MAX_TRAININGS
    num_archs: int = 4 * scores.CHUNK
    num_steps: int = 200
    cells: Skeleton | None = None
    seed: int = 0


CONFIG = Config()
QUICK = Config(1, 1, 1, max_trainings=8, num_archs=16, num_steps=5, cells=Skeleton(2, num_stages=1))


def trained(config: Config, space_name: str, task_name: str, precision: str) -> dict[str, Any]:
    """Returns the figures of training the classes of a space on a task."""
    packed.MAX_TRAININGS = config.max_trainings
    space, task = space_named(space_name), task_named(task_name)
    archs = np.asarray(space.arch_at(np.random.RandomState(config.seed).permutation(np.unique(space.classes()))))
    recipe = replace(default_config(space, task), precision=precision)
    is_cells = isinstance(recipe.network, Skeleton)
    recipe = replace(recipe, network=config.cells) if config.cells and is_cells else recipe
    trainer = Trainer(space, task, recipe, num_epochs=config.num_epochs)
    plan = "packed" if "packed" in trainer.networks.plans else "sequential"
    if plan == "packed":
        live, places = packed.pruned(space, archs), packed.num_places(len(archs), config.num_seeds)
        batches = packed.batches(space, live, places)
    else:
        places = CHUNK_SIZE
        batches = np.array_split(np.arange(len(archs)), -(-len(archs) // places))
    seconds = []
    for batch in batches[: config.num_batches + 1]:
        start = time.perf_counter()
        trainer.curves(archs[batch], range(config.num_seeds), plan=plan)
        seconds.append(time.perf_counter() - start)
    timed = [number for batch in batches[1 : config.num_batches + 1] for number in batch]
    mean = float(np.mean(seconds[1:]))
    steps = trainer.config.num_epochs * (task.train.inputs.shape[1] // trainer.config.batch_size)
    each_second = config.num_seeds * len(timed) / sum(seconds[1:])
    operations = config.num_seeds * sum(operations_of(trainer, archs[number]) for number in timed)
    return {
        "space": space_name,
        "task": task_name,
        "plan": trainer.plan(plan).name,
        "places": places,
        "max_trainings": config.max_trainings,
        "trainings_per_second": each_second,
        "steps_per_second": each_second * steps,
        "compile_seconds": seconds[0] - mean,
        "waste": packed.waste(space, live, places) if plan == "packed" else None,
        "share_of_peak": share_of_peak(operations / sum(seconds[1:]), precision),
        "table_minutes": (seconds[0] - mean + mean * len(batches)) / 60,
    }


def operations_of(trainer: Trainer, arch: np.ndarray) -> float:
    """Returns the multiplications and additions of matrices of a training and of its evaluation."""
    config, task = trainer.config, trainer.task
    num_trained = config.num_epochs * (task.train.inputs.shape[1] // config.batch_size) * config.batch_size
    validated, tested = (split.num_examples for split in (task.validation, task.test))
    num_evaluated = config.num_epochs * validated + (1 if config.test == "last" else config.num_epochs) * tested
    return 2.0 * trainer.size(arch).num_flops * (3 * num_trained + num_evaluated)


def share_of_peak(operations: float, precision: str) -> float | None:
    """Returns operations a second as a share of the device's peak; None where it is not known."""
    kind = jax.devices()[0].device_kind
    peak = next((values for name, values in PEAKS.items() if kind.startswith(name)), {}).get(precision)
    return None if peak is None else operations / (peak * 1e12)


def scored(config: Config) -> dict[str, Any]:
    """Returns the architectures a second of passes of proxies over cells, with four initializations each."""
    task = task_named("shifted-digits")
    recipe = default_config(NB201, task)
    setting = scores.setting_of(NB201, task, replace(recipe, network=config.cells or recipe.network))
    size = min(scores.CHUNK, config.num_archs)
    rows = np.random.default_rng(config.seed).permutation(np.unique(NB201.classes()))[: config.num_archs]
    chunks = np.array_split(np.asarray(NB201.arch_at(rows)), config.num_archs // size)
    proxies = scores.proxies_of("all", type(setting.networks))
    found: dict[str, Any] = {"num_inits": scores.NUM_INITS, "chunk": size}
    for name in PROXIES:
        own = {key: proxy for key, proxy in proxies.items() if proxy.source.name == name}
        source = next(iter(own.values())).source
        begun = time.perf_counter()
        program = scores.compiled(source, setting, size)
        compiled = time.perf_counter()
        list(scores.chunk_scores(setting, program, own, chunks[:1], size))  # transfers the examples
        started = time.perf_counter()
        list(scores.chunk_scores(setting, program, own, chunks, size))
        each_second = len(rows) / (time.perf_counter() - started)
        found[name] = {"architectures_per_second": each_second, "compile_seconds": compiled - begun}
    return found


def shared(config: Config) -> dict[str, Any]:
    """Returns the steps a second of one-shot methods on the supernet of cells."""
    found: dict[str, Any] = {}
    task = task_named("shifted-digits")
    recipe = default_config(NB201, task)
    for name in METHODS:
        recipe = replace(recipe, network=config.cells or recipe.network)
        search = OneShot(NB201, task, name, config=recipe, table=False, progress=False)
        state = jax.jit(step.initial, static_argnums=0)(search.setting, jax.random.key(config.seed))
        schedule = search.schedule(jax.random.key(1), 2 * config.num_steps)
        seconds = []
        for start in (0, config.num_steps):
            begun = time.perf_counter()
            bounds = jnp.int32(start), jnp.int32(start + config.num_steps)
            state = jax.block_until_ready(step.advanced(search.setting, search.data, state, *bounds, schedule))[0]
            seconds.append(time.perf_counter() - begun)
        each_second = config.num_steps / seconds[1]
        found[name] = {"steps_per_second": each_second, "compile_seconds": seconds[0] - seconds[1]}
    return found


def by_torch(config: Config) -> dict[str, Any]:
    """Returns the steps a second of PyTorch, eager and compiled, on its own accelerator where it has one."""
    import torch
    from torch import nn

    from experiments.speed.training_torch import Network

    device = "cuda" if torch.cuda.is_available() else "cpu"
    task = task_named("shifted-digits")
    cells = default_config(NB201, task)
    skeleton = config.cells or cells.network
    rows = np.random.RandomState(config.seed).permutation(np.unique(NB201.classes()))[: 1 if config.cells else 4]
    archs = [tuple(np.asarray(NB201.arch_at(row)).tolist()) for row in rows]
    perceptrons = default_config(space_named("mlp-small"), task)
    inputs = int(np.prod(task.shape))
    widths = (inputs, 64, 64, task.num_classes)
    layers = [part for pair in itertools.pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())][:-1]
    image = (task.shape[2], *task.shape[:2])
    found: dict[str, Any] = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    for form in ("eager", "compiled"):
        changed: Callable = torch.compile if form == "compiled" else lambda network: network
        try:
            speeds = [
                torch_steps(changed(Network(NB201, skeleton, task, arch, 1).to(device)), image, cells, config, device)
                for arch in archs
            ]
            speed = torch_steps(changed(nn.Sequential(*layers).to(device)), (inputs,), perceptrons, config, device)
        except Exception as error:  # without a compiler, of several kinds
            found[form] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0]:.80}"}
            continue
        harmonic = len(speeds) / sum(1 / each for each in speeds)
        found[form] = {"cells_steps_per_second": harmonic, "perceptrons_steps_per_second": speed}
    found["peak_gigabytes"] = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None
    return found


def torch_steps(network: Any, shape: tuple[int, ...], recipe: Any, config: Config, device: str) -> float:
    """Returns the steps a second of a network on batches that lie on the device, after steps that compile."""
    import torch
    from torch.nn import functional

    options = {"momentum": recipe.momentum, "weight_decay": recipe.weight_decay, "nesterov": True}
    optimizer = torch.optim.SGD(network.parameters(), 0.01, foreach=True, **options)
    examples = torch.randn(recipe.batch_size, *shape, device=device)
    labels = torch.randint(10, (recipe.batch_size,), device=device)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 0.1  # a mean over all batches would interrupt compiled programs
    started = 0.0
    for number in range(-3, config.num_steps):
        if number == 0:
            _wait(device)
            started = time.perf_counter()
        outputs = network(examples)
        loss = functional.cross_entropy(outputs.reshape(len(labels), -1), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _wait(device)
    return config.num_steps / (time.perf_counter() - started)


def _wait(device: str) -> None:
    """Waits until the device has done what it was asked to."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def measured(part: str, config: Config, place: tuple[str, str] | None) -> dict[str, Any]:
    """Returns the figures of one part, in this process."""
    if part == "torch":
        return by_torch(config)
    device = jax.devices()[0]
    found: dict[str, Any] = {"platform": device.platform, "device": device.device_kind}
    if part == "proxies":
        found |= scored(config)
    elif part == "supernets":
        found |= shared(config)
    else:
        found |= trained(config, *(TRAINED[part] if place is None else (*place, FLOAT32)))
    memory = device.memory_stats() or {}
    found["peak_gigabytes"] = memory["peak_bytes_in_use"] / 1e9 if "peak_bytes_in_use" in memory else None
    return found


def main() -> None:
    """Measures each part in a process, and prints the figures."""
    parts = [*TRAINED, "proxies", "supernets"] + (["torch"] if importlib.util.find_spec("torch") else [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", help=f"of {','.join(parts)} (default: all; with --space: that alone)")
    parser.add_argument("--space", help="another space, such as nb201x5")
    parser.add_argument("--task", default="shifted-digits", help="for that space")
    parser.add_argument("--max-trainings", type=int, default=0, help="trainings of one program")
    parser.add_argument("--quick", action="store_true", help="small networks, one seed, one epoch, few steps")
    parser.add_argument("--part", help="measure one part in this process")
    options = parser.parse_args()
    if options.part:
        config = QUICK if options.quick else CONFIG
        config = replace(config, max_trainings=options.max_trainings or config.max_trainings)
        place = (options.space, options.task) if options.space else None
        print(json.dumps(measured(options.part, config, place)))
        return
    found: dict[str, Any] = {}
    chosen = options.parts.split(",") if options.parts else ["cells"] if options.space else parts
    for part in chosen:
        command = [sys.executable, __file__, *sys.argv[1:], "--part", part]
        process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        lines = process.stdout.splitlines()
        found[part] = None if process.returncode or not lines else json.loads(lines[-1])
        print(json.dumps({part: found[part]}), flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
