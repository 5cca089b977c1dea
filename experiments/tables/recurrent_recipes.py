"""Measures whether tasks of sequences discriminate between recurrent cells, and compares these with the literature's.

Claim: on the tasks named in docs/sequences.md a score of one seed depends more on the architecture than on the seed,
and a table of them is worth building; on the others it does not.
Command: python experiments/tables/recurrent_recipes.py --task digits-rows [--space recurrent-4] [--epochs E] [--gate]
    or, to search: python experiments/tables/recurrent_recipes.py --task spoken-digits --space recurrent --search 50
    Without --gate or --no-gate cells have gates if the space has them by default.
Run time: one to five minutes a task on one core; a search of 50 trials ten.
Output: the spread of 40 cells, the intraclass correlation of one seed, the reliability of a mean of five seeds, how
many trainings failed and how fast they are; tanh, GRU and LSTM of the same width. Of a search: the test score of the
returned model, of tanh, GRU and LSTM trained alike, and of tanh with as many parameters as the model.
Last line: a JSON object of all that.
Page: docs/sequences.md
"""

import argparse
import json
import time
from dataclasses import replace

import jax
import numpy as np

import jaxnas as jn
from jaxnas.spaces.named import space_named
from jaxnas.spaces.recurrent.baselines import BASELINE_CELLS, CELLS
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.tables import reliability
from jaxnas.tasks.base import Task
from jaxnas.tasks.generated import hmm_optimum
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.config import TrainConfig
from jaxnas.training.trainer import Trainer, default_config

NUM_CELLS, SEEDS, SAMPLE_SEED = 40, range(5), 1


def scores_of(trainer: Trainer, archs: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns the final scores of validation and of test, [A, S], and the seconds of a training."""
    trainer.curves(archs[:1], SEEDS)  # compiles
    started = time.perf_counter()
    curves = trainer.curves(archs, SEEDS)
    seconds = (time.perf_counter() - started) / len(archs) / len(SEEDS)
    task = trainer.task
    found = [
        curves.scores(name, getattr(task, name).num_examples, task.metric)[..., -1] for name in ("validation", "test")
    ]
    return found[0], found[1], seconds


def figures(scores: np.ndarray) -> dict:
    """Returns how well scores [A, S] tell architectures apart; those of which a seed failed are left out."""
    whole = scores[np.isfinite(scores).all(1)]
    means = whole.mean(1)
    between, within = reliability.variance_components(whole)
    return {
        "cells": len(whole),
        "failed_trainings": int((~np.isfinite(scores)).sum()),
        "lowest": float(means.min()),
        "median": float(np.median(means)),
        "highest": float(means.max()),
        "sd_cells": float(between**0.5),
        "sd_seeds": float(within**0.5),
        "intraclass_correlation": float(reliability.reliability(whole)),
        "reliability_of_five": float(reliability.reliability(whole, 5)),
    }


def measure(space_name: str, task_name: str, config: TrainConfig, num_cells: int) -> dict:
    """Returns the figures of a space on a task, and the scores of reference cells."""
    space, task = space_named(space_name), task_named(task_name)
    keys = jax.random.split(jax.random.key(SAMPLE_SEED), 4 * num_cells)
    archs = np.asarray(jax.vmap(lambda key: space.canonical(space.sample(key)))(keys))
    archs = archs[np.sort(np.unique(archs, axis=0, return_index=True)[1])][:num_cells]
    started = time.perf_counter()
    validation, test, seconds = scores_of(Trainer(space, task, config), archs)
    print(f"{space_name} on {task_name}: {time.perf_counter() - started:.0f} s", flush=True)
    references = scores_of(Trainer(BASELINE_CELLS, task, config), np.arange(len(CELLS))[:, None])
    optima = {name: -hmm_optimum(getattr(task, name)) for name in ("validation", "test")} if task_name == "hmm" else {}
    return {
        **({"optimum": optima} if optima else {}),
        "space": space_name,
        "task": task_name,
        "metric": task.metric.name,
        "config": {"epochs": config.num_epochs, "rate": config.learning_rate, "gate": config.network.gate},
        "seconds_a_training": seconds,
        **figures(validation),
        "best_on_test": float(test[np.nanargmax(np.nanmean(validation, 1))].mean()),
        "references": {
            cell: {"validation": float(valid.mean()), "test": float(tested.mean())}
            for cell, valid, tested in zip(CELLS, *references[:2], strict=True)
        },
    }


def searched(space_name: str, task_name: str, config: TrainConfig, num_trials: int) -> dict:
    """Returns the test score of the model of a search, and what the cells of the literature reach when trained alike:
    on training and validation data, as `train` does.
    """
    task = task_named(task_name)
    started = time.perf_counter()
    result = jn.NAS(space_name, task=task, config=config, progress=False).search(num_trials)
    model, seconds = result.train(), time.perf_counter() - started
    size = Trainer(space_named(space_name), task, config).size(model.arch).num_parameters
    wide = next(width for width in range(1, 4096) if _cells(task, config, width).size((0,)).num_parameters >= size)
    found = {cell: tested(_cells(task, config), number) for number, cell in enumerate(CELLS)}
    found |= {f"tanh, {wide} wide": tested(_cells(task, config, wide), 0)}
    return {
        "space": space_name,
        "task": task_name,
        "trials": num_trials,
        "config": {"epochs": config.num_epochs, "rate": config.learning_rate, "gate": config.network.gate},
        "architecture": result.space.to_str(model.arch),
        "validation": result.accuracy,
        "test": model.score("test"),
        "test_other_seeds": tested(Trainer(result.space, task.without_validation(), config), model.arch),
        "parameters": size,
        "references": {name: [float(np.mean(each)), *each] for name, each in found.items()},
        "seconds": seconds,
    }


def _cells(task: Task, config: TrainConfig, width: int | None = None) -> Trainer:
    """Returns the trainer of reference cells, on training and validation data."""
    width = width or config.network.width
    return Trainer(BASELINE_CELLS, task.without_validation(), replace(config, network=Recurrence(width)))


def tested(trainer: Trainer, arch: int | tuple[int, ...]) -> list[float]:
    """Returns the test scores of an architecture trained with several seeds."""
    return [trainer.fit(np.atleast_1d(arch), seed).score("test") for seed in SEEDS]


def main() -> None:
    """Prints the figures of a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits-rows")
    parser.add_argument("--space", default="recurrent-4")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--width", type=int, default=Recurrence().width)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--gate", action=argparse.BooleanOptionalAction)
    parser.add_argument("--cells", type=int, default=NUM_CELLS)
    parser.add_argument("--search", type=int, help="trials of a search, in place of the figures of cells")
    options = parser.parse_args()
    configure_compilation()
    config = default_config(space_named(options.space), task_named(options.task))
    given = {"num_epochs": options.epochs, "learning_rate": options.rate, "batch_size": options.batch}
    gate = config.network.gate if options.gate is None else options.gate
    config = replace(config, test="last", network=Recurrence(options.width, gate))
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    if options.search:
        found = searched(options.space, options.task, config, options.search)
    else:
        found = measure(options.space, options.task, config, options.cells)
    for name, value in found.items():
        print(f"{name:24} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
