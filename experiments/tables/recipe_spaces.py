"""Measures the cost of a training, and how well a task discriminates between a space's architectures, before a build.

Claim: a space and a task whose intraclass correlation of one seed is below 0.5 are not worth a table; docs/spaces.md
has the figures of spaces that are trained.
Command: python experiments/tables/recipe_spaces.py nb-macro mnist5k [--network channels=4,features=32] [--epochs 6]
Run time: 40 architectures x 5 seeds, some minutes on one core; the card of a table states the cost of all of them.
Output: seconds of the first call (with compilation) and of a training after it, in processor time of one core; scores;
the intraclass correlation of one seed and of the mean of all. Last line: a JSON object.
Page: docs/graphs.md, docs/tables.md
"""

import argparse
import json
import time
from dataclasses import replace

import jax
import numpy as np

import jaxnas as jn
from jaxnas.ranks import rank_correlation
from jaxnas.spaces.named import space_named
from jaxnas.tables import reliability
from jaxnas.tasks.named import task_named
from jaxnas.training.trainer import default_config


def main(space_name: str, task_name: str, num_archs: int, num_seeds: int, changes: dict, network: dict) -> dict:
    """Returns the figures of a random sample of classes, after printing them."""
    space, task = space_named(space_name), task_named(task_name)
    config = replace(default_config(space, task), **changes)
    if network:
        config = replace(config, network=replace(config.network, **network))
    trainer, seeds = jn.Trainer(space, task, config), list(range(num_seeds))
    keys = jax.random.split(jax.random.key(0), 2 * num_archs)
    archs = np.unique(np.asarray(jax.vmap(lambda key: space.canonical(space.sample(key)))(keys)), axis=0)
    archs = np.random.RandomState(0).permutation(archs)[:num_archs]
    started = time.process_time()
    trainer.curves(archs[:1], seeds)
    first, started = time.process_time() - started, time.process_time()
    curves = trainer.curves(archs, seeds)
    seconds = (time.process_time() - started) / (len(archs) * num_seeds)
    scores = np.asarray(curves.scores("validation", task.validation.num_examples))[..., -1]
    parameters = np.asarray([trainer.size(arch).num_parameters for arch in archs])
    found = {
        "space": space_name,
        "task": task_name,
        "config": str(config),
        "num_architectures": len(archs),
        "num_seeds": num_seeds,
        "first_call_seconds": round(first, 1),
        "seconds_a_training": round(seconds, 3),
        "validation_p5_p50_p95": [round(float(np.percentile(scores.mean(1), point)), 4) for point in (5, 50, 95)],
        "intraclass_correlation": round(float(reliability.reliability(scores)), 3),
        "reliability_seed_mean": round(float(reliability.reliability(scores, num_seeds)), 3),
        "parameters_spearman": round(float(rank_correlation(scores.mean(1), parameters)), 3),
        "failed": int((~np.isfinite(scores)).sum()),
    }
    for name, value in found.items():
        print(f"{name:24} {value}")
    print(json.dumps(found))
    return found


def _settings(text: str) -> dict:
    pairs = (part.split("=") for part in text.split(",") if part)
    return {name: int(value) for name, value in pairs}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space")
    parser.add_argument("task")
    parser.add_argument("--archs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument(
        "--network", type=_settings, default={}, help="fields of the kind's own settings, name=number,.."
    )
    options = parser.parse_args()
    given = {
        "num_epochs": options.epochs,
        "learning_rate": options.learning_rate,
        "batch_size": options.batch_size,
        "test": "last",
    }
    given = {name: value for name, value in given.items() if value is not None}
    main(options.space, options.task, options.archs, options.seeds, given, options.network)
