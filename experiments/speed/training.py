"""Measures how fast jaxnas trains architectures of NAS-Bench-201 on CPU, against PyTorch.

Claim: on one core, jaxnas trains small networks in less CPU time than PyTorch, both as PyTorch is used, one training
at a time (eager), and in its strongest form known: the seeds of an architecture folded into channels, with grouped
convolutions, channels_last and foreach SGD (folded).
Measured on two cores of an AMD EPYC, 2026-11-26, PyTorch / jaxnas in CPU time, medians of three rounds: c4_n64 eager
6.1 (5.2 to 6.6), folded 2.1 (2.0 to 2.2); c8_n128 eager 2.5 (2.2 to 2.7), folded 1.4 (1.4 to 1.5).
Command: python experiments/speed/training.py (Linux; needs `pip install torch`; `--quick` for a trial of a few minutes
whose figures mean nothing)
Run time: 17 minutes on two idle cores, compilation included.
Output: the machine, the checks that both sides do the same, and the time of each side in each round. Last line: a JSON
object with the figures. For 4 channels and batches of 64 (c4_n64), and 8 channels and batches of 128 (c8_n128), and
for FORM eager or folded: FORM_ratio is CPU time, PyTorch / jaxnas, above 1 where jaxnas is faster; FORM_wall_ratio the
same of wall time; both are medians over rounds, with the smallest and the largest as ..._range; SIDE_cpu_ms is CPU
time for each step of a training, evaluation and the rest included.
Page: docs/speed.md

What is timed. Each side trains the same architectures with the same number of seeds, in one single-threaded process on
each core; sides take turns, and only one works at a time. Times are sums over the processes. A training is all of it:
initial weights, steps, and after every epoch the statistics of batch normalization estimated again on the first
training batches, as jaxnas does it, and then all images of validation and test split. Not timed: compilation, and for
PyTorch the layout of the evaluation images. Two differences are left: PyTorch estimates the unbiased variance, and
jaxnas also computes the norm of the gradient.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.provenance import git_commit, versions
from jaxnas.spaces.cells.network import Network, Skeleton
from jaxnas.spaces.named import space_named
from jaxnas.tasks.base import SPLITS, Split, Task
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.networks import networks_of
from jaxnas.training.order import epoch_order, training_key
from jaxnas.training.trainer import Trainer


@dataclass(frozen=True)
class Config:
    """What is trained: a random sample of the classes of a space, in networks of several sizes."""

    space: str = "nb201"
    task: str = "shifted-digits"
    sizes: tuple[tuple[int, int], ...] = ((4, 64), (8, 128))  # channels, images a batch
    num_architectures: int = 10
    num_seeds: int = 5
    num_epochs: int = 10
    num_rounds: int = 3
    num_cores: int = 2
    seed: int = 0


CONFIG = Config()
QUICK = replace(CONFIG, num_architectures=2, num_epochs=1, num_rounds=1)
SIDES = ("jaxnas", "eager", "folded")
NUM_CHECKED_STEPS = 5
CHECKED_LEARNING_RATE = 0.01  # at the recipe's, a ReLU that rounding opens moves the losses of single trainings by 1 %
ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Measured(NamedTuple):
    """What a side did in a round, and its time.

    `wall`, `cpu`: seconds. `num_trainings`, `num_steps`, `num_evaluations`: of all trainings together, an evaluation
    being one of both splits. `accuracy`: the mean on the validation split after the last epoch.
    """

    wall: float
    cpu: float
    num_trainings: int
    num_steps: int
    num_evaluations: int
    accuracy: float


class Run(NamedTuple):
    """What a worker trains: names of the space and the task, recipe, architectures, seeds."""

    space: str
    task: str
    config: TrainConfig
    archs: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]


class Differences(NamedTuple):
    """How far trainings in PyTorch are from those in jaxnas with the same weights and batches, at most or by median.

    `parameters`: in their number. `logits`: of the initial network, in training and in evaluation mode, relative.
    `losses`, `median_losses`: of the first steps, relative. `accuracies`: on the validation split after each of these.
    """

    parameters: float
    logits: float
    losses: float
    median_losses: float
    accuracies: float


class Start(NamedTuple):
    """How jaxnas begins a training: network, logits of the first batch [2, B, classes], in evaluation and in training
    mode, and the images and views of each epoch, [E, 2, S, B].
    """

    network: Network
    logits: np.ndarray
    epochs: np.ndarray


TOLERANCES = Differences(0, 1e-3, 1e-3, 1e-5, 0.02)


def measure(side: str, run: Run) -> Measured:
    """Returns the `Measured` of a side; runs in a worker."""
    space, task = space_named(run.space), task_named(run.task)
    arguments = (space, run.archs, task, run.config, run.seeds)
    if side == "jaxnas":
        configure_compilation()

        def train() -> Curves:
            return Trainer(space, task, run.config).curves(run.archs, run.seeds)

    else:
        from experiments.speed import training_torch

        train = training_torch.make_trainer(training_torch.FORMS[side], *arguments)
    wall, cpu = time.perf_counter(), time.process_time()
    curves = train()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    num_trainings, num_evaluations = curves.validation[..., 0].size, curves.validation.size
    if side == "jaxnas":
        num_steps = num_evaluations * (task.train.inputs.shape[1] // run.config.batch_size)
    else:
        num_steps = curves.num_steps  # counted, so that the check for equal work has something to compare
    accuracy = float(curves.validation[..., -1].mean() / task.validation.num_examples)
    return Measured(wall, cpu, num_trainings, num_steps, num_evaluations, accuracy)


def check(run: Run) -> Differences:
    """Returns the `Differences` over architectures, seeds and both forms; runs in a worker.

    Epochs have one batch here, so that what is compared is what is timed, all parts of it: `Trainer.curves`,
    and the same trainings in PyTorch with the initial weights and the batches of jaxnas.
    """
    from experiments.speed import training_torch

    configure_compilation()
    space, task = space_named(run.space), _one_batch(task_named(run.task), run.config.batch_size)
    config = replace(run.config, num_epochs=NUM_CHECKED_STEPS, learning_rate=CHECKED_LEARNING_RATE)
    curves = Trainer(space, task, config).curves(run.archs, run.seeds)
    make_network = _network_maker(space, task, config)
    found = []
    for number, arch in enumerate(run.archs):
        starts = [_start(make_network(arch, seed), task, config, arch, seed) for seed in run.seeds]
        for form in training_torch.FORMS.values():
            for group in form.groups(range(len(run.seeds))):
                expected = jax.tree.map(lambda values, rows=(number, list(group)): values[rows], curves)
                members = [starts[seed] for seed in group]
                found.append(_differences(form, space, task, config, arch, members, expected))
    parameters, logits, losses, accuracies = np.concatenate(found, axis=1)
    median = np.median(losses)
    return Differences(parameters.max(), logits.max(), losses.max(), median, accuracies.max())


def _one_batch(task: Task, batch_size: int) -> Task:
    """Returns the task with the first batch for its training split, and one view of each image to evaluate."""
    training = Split(task.train.inputs[:, :batch_size], task.train.labels[:batch_size])
    evaluated = (Split(split.inputs[:1], split.labels) for split in (task.validation, task.test))
    return replace(task, **dict(zip(SPLITS, (training, *evaluated), strict=True)))


def _network_maker(space, task: Task, config: TrainConfig) -> Callable:
    """Returns `(arch, seed) -> network`: the static network with which jaxnas begins the training of this seed."""

    networks = networks_of(space, config, task.spec)
    arrays = jax.jit(lambda arch, seed: networks.init(jax.random.split(training_key(arch, seed))[0], arch))
    return lambda arch, seed: networks.module(arch, arrays(jnp.asarray(arch), seed))


def _start(network: Network, task: Task, config: TrainConfig, arch, seed: int) -> Start:
    images = jnp.asarray(task.train.inputs[0])
    logits = [np.asarray(network(images, train=training)) for training in (False, True)]  # the latter moves statistics
    order_key = jax.random.split(training_key(jnp.asarray(arch), seed))[1]
    steps = task.train.inputs.shape[1] // config.batch_size
    keys = [jax.random.fold_in(order_key, number) for number in range(config.num_epochs)]
    epochs = [jax.device_get(epoch_order(key, task.train, steps, config.batch_size)) for key in keys]
    return Start(network, np.stack(logits), np.asarray(epochs))


def _differences(form, space, task, config, arch, starts: list[Start], expected: Curves) -> np.ndarray:
    """Returns the differences of some seeds that PyTorch trains together, float64[4, K].

    They are those of parameters, logits, losses, accuracies.
    """
    from experiments.speed import training_torch

    other = training_torch.Network(space, config.network, task, arch, len(starts))
    training_torch.copy_parameters([start.network for start in starts], other)
    size = Trainer(space, task, config).size(arch).num_parameters
    parameters = np.full(len(starts), abs(size - training_torch.num_parameters(other)))
    images = task.train.inputs[0]
    logits = np.stack([training_torch.logits(form, other, images, training) for training in (False, True)], 1)
    ours = np.stack([start.logits for start in starts])
    logits = np.abs(logits - ours).max((2, 3)) / np.abs(ours).max((2, 3))
    epochs = np.stack([start.epochs for start in starts], -1)
    curves = training_torch.train_on(form, other, task, config, epochs)
    losses = np.abs(curves.loss / expected.loss - 1).max(1)
    accuracies = np.abs(curves.validation - expected.validation).max(1) / task.validation.num_examples
    return np.stack([parameters, logits.max(1), losses, accuracies])


def figures(rounds: dict[str, list[Measured]]) -> dict:
    """Returns the figures of one size of network from what each side did in each round: see the module's docstring."""
    found = {}
    for side, measured in rounds.items():
        found[f"{side}_cpu_ms"] = float(np.median([1000 * each.cpu / each.num_steps for each in measured]))
        if side == "jaxnas":
            continue
        for name, clock in (("ratio", "cpu"), ("wall_ratio", "wall")):
            pairs = zip(measured, rounds["jaxnas"], strict=True)
            ratios = [getattr(other, clock) / getattr(ours, clock) for other, ours in pairs]
            found[f"{side}_{name}"] = float(np.median(ratios))
            found[f"{side}_{name}_range"] = [float(min(ratios)), float(max(ratios))]
    return found


def total(parts: list[Measured]) -> Measured:
    """Returns the sums over workers, and the mean accuracy of all trainings."""
    weights = [part.num_trainings for part in parts]
    sums = (sum(values) for values in zip(*(part[:-1] for part in parts), strict=True))
    return Measured(*sums, float(np.average([part.accuracy for part in parts], weights=weights)))


def main(config: Config = CONFIG) -> None:
    """Checks and measures every size of network and prints the figures."""
    if importlib.util.find_spec("torch") is None:
        sys.exit("Expected PyTorch, which jaxnas itself does not need, got none: pip install torch")
    os.environ |= ENVIRONMENT  # for the workers, before they start
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    cores = sorted(os.sched_getaffinity(0))[: config.num_cores]
    print(_machine(cores), flush=True)
    space = space_named(config.space)
    rows = np.random.RandomState(config.seed).permutation(np.unique(space.classes()))[: config.num_architectures]
    archs = tuple(tuple(int(choice) for choice in space.arch_at(row)) for row in rows)
    found = {}
    for channels, batch_size in config.sizes:
        training = TrainConfig(config.num_epochs, batch_size, network=Skeleton(channels))
        run = Run(config.space, config.task, training, archs, tuple(range(config.num_seeds)))
        name = f"c{channels}_n{batch_size}"
        print(f"{name}: {channels} channels, {batch_size} images a batch", flush=True)
        _print_check(run, cores[0])
        values = figures(_rounds(run, cores, config.num_rounds))
        found |= {f"{name}_{figure}": value for figure, value in values.items()}
    for figure, value in found.items():
        print(f"  {figure:32} {np.round(value, 3)}")
    print(json.dumps(found))


def _machine(cores: list[int]) -> str:
    """Returns the processor, the cores used, the versions and the commit, as text."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    found = {**versions(), "torch": metadata.version("torch")}
    packages = ", ".join(f"{package} {version}" for package, version in found.items())
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, cores {cores} of {os.cpu_count()}, load {load}\n{packages}, commit {git_commit()}"


def _print_check(run: Run, core: int) -> None:
    """Prints how far the two sides are from each other; leaves the script where that is too far."""
    with _worker(core) as worker:
        differences = worker.submit(check, run).result()
    for name, value, tolerance in zip(Differences._fields, differences, TOLERANCES, strict=True):
        print(f"  difference of {name}: {value:.2g} (at most {tolerance:g} expected)", flush=True)
        if not value <= tolerance:
            sys.exit(f"Expected {name} of PyTorch and jaxnas within {tolerance:g}, got {value:.2g}.")


def _rounds(run: Run, cores: list[int], num_rounds: int) -> dict[str, list[Measured]]:
    """Returns what each side did in each round, all workers together; prints it."""
    parts = [run._replace(archs=run.archs[number :: len(cores)]) for number in range(len(cores))]
    rounds = {side: [] for side in SIDES}
    with ExitStack() as stack:
        workers = {side: [stack.enter_context(_worker(core)) for core in cores] for side in SIDES}

        def everywhere(side, runs):
            jobs = [worker.submit(measure, side, part) for worker, part in zip(workers[side], runs, strict=True)]
            return total([job.result() for job in jobs])

        for side in SIDES:  # compiles, in PyTorch primitives
            wall = everywhere(side, [part._replace(archs=part.archs[:1]) for part in parts]).wall / len(cores)
            print(f"  {side}: first architecture in {wall:.1f} s, not counted", flush=True)
        for number in range(num_rounds):
            for side in np.roll(SIDES, -number):  # each side is first, second and last in turn
                rounds[side].append(everywhere(side, parts))
                _print_measured(number, side, rounds[side][-1])
            _check_equal_work({side: measured[-1] for side, measured in rounds.items()})
    return rounds


def _worker(core: int) -> ProcessPoolExecutor:
    """Returns a worker process pinned to a core."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_keep_to, initargs=(core,))


def _keep_to(core: int) -> None:
    os.sched_setaffinity(0, {core})


def _print_measured(number: int, side: str, measured: Measured) -> None:
    work = f"{measured.num_trainings} trainings, {measured.num_steps} steps, {measured.num_evaluations} evaluations"
    step = 1000 * measured.cpu / measured.num_steps
    times = f"wall {measured.wall:.2f} s, CPU {measured.cpu:.2f} s, {step:.3f} ms a step"
    print(f"  round {number + 1}, {side}: {work}, {times}, accuracy {measured.accuracy:.3f}", flush=True)


def _check_equal_work(measured: dict[str, Measured]) -> None:
    """Leaves the script where the sides did not do the same number of trainings, steps and evaluations."""
    work = {side: each[2:5] for side, each in measured.items()}
    if len(set(work.values())) > 1:
        sys.exit(f"Expected the same trainings, steps and evaluations of all sides, got {work}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two architectures, one epoch, one round")
    main(QUICK if parser.parse_args().quick else CONFIG)
