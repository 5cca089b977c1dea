"""Every kind of network meets the contract of kinds: strategies, proxies, saved models, killed builds.

Claim: each strategy runs on each space of the catalog whose networks can be trained, and asks for architectures only;
each proxy scores them; a saved model predicts, from raw data, the same numbers bit by bit; and a build that is killed
repeatedly makes the table of an undisturbed one, whose trainings are repeated bit by bit. Spaces without rows (`darts`,
and others too many to list) are not built: a small space of the same networks stands for them, if any.
Command: python experiments/validity/contracts_of_kinds.py [--parts strategies,proxies,models,builds] [--spaces a,b]
[--kills 4]
Run time: half an hour of one core, mostly compilation.
Output: a line a space and part; last, one JSON object with the counts.
Page: docs/proxies.md
"""

import argparse
import functools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnas as jn
from jaxnas import catalog
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.darts.network import Stack
from jaxnas.spaces.graph_networks.space import GraphNetworkSpace
from jaxnas.spaces.layers.fused import FUSED
from jaxnas.spaces.macro.network import Chain
from jaxnas.spaces.macro.space import BlockSpace
from jaxnas.spaces.named import space_named
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.space import RecurrentSpace
from jaxnas.spaces.sizes.network import Widths
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.spaces.transformers.space import TransformerSpace
from jaxnas.strategies.base import asks_for
from jaxnas.strategies.named import strategy_named
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.building.verification import retrain
from jaxnas.tables.table import Table
from jaxnas.training import networks
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.config import TrainConfig

NUM_TRIALS, NUM_RUNS = 14, 2
NUM_CLASSES, NUM_SEEDS = 8, 2
QUICK = {"num_startup": 6, "population_size": 5, "sample_size": 2, "batch_size": 5, "num_initial": 5}
QUICK |= {"refit_every": 6, "num_candidates": 12, "num_networks": 2, "num_steps": 5}
"""Hyperparameters with which a strategy is past its random trials early; each takes those that it has."""

TINY_NETWORKS: dict[str, Any] = {
    "cells": Skeleton(2, 1, 1),
    "darts": Stack(1, 1),
    "macro": Chain(2, 5, 1),
    "sizes": Widths(8),
}
"""The smallest networks of a kind, which compile quickly; those of others are small by default."""

FUSED_CELLS = CellSpace(3, FUSED[:13], name="fused")
PLAIN_CELLS = CellSpace(3, ("none", "skip_connect", "nor_conv_3x3"), name="plain")
BLOCKS = BlockSpace("blocks", (1,))
SIZES = SizeSpace(2, (2, 4), "widths")
TRANSFORMERS = TransformerSpace(1, (4,), (1, 2), (3, 6), name="layers")
UNGATED = RecurrentSpace(3, "ungated")
GATED = RecurrentSpace(3, "gated")
GRAPH_NETWORKS = GraphNetworkSpace(("gat", "gcn", "skip"), "graph-layers")
PERCEPTRONS = MLPSpace(1, 16, activations=("relu", "tanh"), name="perceptrons")
JOINT = jn.spaces.JointSpace(PERCEPTRONS, (jn.Decision("learning_rate", (0.05, 0.2)),), name="both")
BUILT = ("FUSED_CELLS", "PLAIN_CELLS", "BLOCKS", "SIZES", "TRANSFORMERS", "UNGATED", "GATED")
BUILT += ("GRAPH_NETWORKS", "PERCEPTRONS", "JOINT")
"""Small spaces, one or more of each kind that can be listed, as workers find them in this file.

The cells of `GATED` have gates as those of five nodes have, whose classes take minutes to list.
"""


@functools.cache
def images() -> jn.tasks.Task:
    """Returns a task of images of noise with a bright half."""
    made = np.random.RandomState(0)
    labels = np.arange(150) % 3
    values = made.randn(150, 6, 5, 1) + (np.arange(6)[:, None, None] // 2 == labels[:, None, None, None])
    return jn.task_from_arrays(values, labels, name="halves")


@functools.cache
def sequences() -> jn.tasks.Task:
    """Returns a task of sequences of unequal length whose sum has a sign."""
    made = np.random.RandomState(0)
    labels = np.arange(150) % 2
    steps = [made.randn(made.randint(3, 7), 2) + 2 * label - 1 for label in labels]
    return jn.task_from_arrays(steps, labels, name="signs")


@functools.cache
def graphs() -> jn.tasks.Task:
    """Returns a task of paths and of stars."""
    labels = np.arange(150) % 2
    return jn.task_from_arrays(some_graphs(labels), labels, name="shapes", kind="graphs")


def some_graphs(labels: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns the features and the edges of a path for each 0, and of a star for each 1, of four to seven nodes."""
    made = np.random.RandomState(0)
    features, edges = [], []
    for label in labels:
        count = made.randint(4, 8)
        linked = np.zeros((count, count))
        later = np.arange(1, count)
        linked[later, 0 if label else later - 1] = 1
        features.append(made.randn(count, 2))
        edges.append(linked + linked.T)
    return features, edges


def task_name_of(space: jn.Space) -> str:
    """Returns the name in this file of a task that the space's networks can be trained on."""
    kinds = networks.networks_class(space).inputs
    return next(kind for kind in ("images", "sequences", "graphs") if kind in kinds)


def config_of(space: jn.Space, task: jn.tasks.Task) -> TrainConfig:
    """Returns a training of two epochs of the smallest networks."""
    config = replace(jn.Trainer(space, task).config, num_epochs=2, batch_size=16)
    inner = getattr(space, "space", space)
    kind = str(inner.networks).split(".")[2]
    return replace(config, network=Recurrence(gate=True) if space is GATED else TINY_NETWORKS.get(kind, config.network))


def trainable() -> dict[str, jn.Space]:
    """Returns the spaces of the catalog whose networks can be trained."""
    spaces = {name: space_named(name) for name in catalog.SPACES}
    return {name: space for name, space in spaces.items() if space.networks is not None and _has_tasks(space)}


def _has_tasks(space: jn.Space) -> bool:
    return bool({"images", "vectors", "sequences", "graphs"} & set(networks.networks_class(space).inputs))


def strategies(space: jn.Space) -> dict:
    """Returns how many strategies ran, and what was asked that is no architecture."""
    bench = jn.benchmarks.FunctionBenchmark(space, lambda arch: -jnp.abs(arch - 1).sum().astype(jnp.float32))
    valid, sizes, wrong, ran = jax.jit(jax.vmap(space.valid)), [len(each.values) for each in space.decisions], [], 0
    for name in catalog.STRATEGIES:
        if name == "exhaustive_search" and (space.num_architectures or 2**31) >= 2**31:  # without rows
            continue
        factory = strategy_named(name)
        offered = {**QUICK, "fidelities": bench.fidelities, "size": lambda arch: arch.sum().astype(jnp.float32)}
        given = {argument: value for argument, value in offered.items() if asks_for(factory, argument)}
        trials = jn.run(factory(space, **given), bench, num_trials=NUM_TRIALS, num_runs=NUM_RUNS)
        archs = trials.query.arch.reshape(-1, len(sizes))
        if not ((archs >= 0) & (archs < sizes)).all() or not valid(archs).all():
            wrong.append(name)
        ran += 1
    return {"strategies": ran, "wrong": wrong}


def proxies(space: jn.Space, names: str) -> dict:
    """Returns how many proxies scored two architectures, the seconds of each pass, and those without a finite score."""
    task = globals()[task_name_of(space)]()
    archs, seconds, started = _sampled(space, 2), {}, time.process_time()

    def progress(source: str, done: int, total: int) -> None:
        seconds[source] = round(time.process_time() - started - sum(seconds.values()), 1)

    config = config_of(space, task)
    scores = jn.proxies.proxy_scores(space, archs, task, names, config, num_inits=1, batch_size=16, progress=progress)
    return {
        "proxies": len(scores),
        "seconds": seconds,
        "not_finite": [name for name, values in scores.items() if not np.isfinite(values).any()],
    }


def _sampled(space: jn.Space, number: int) -> np.ndarray:
    return np.asarray(
        jax.vmap(lambda key: space.canonical(space.sample(key)))(jax.random.split(jax.random.key(2), number))
    )


def models(space: jn.Space) -> dict:
    """Returns whether a saved model predicts the same from data as they are."""
    space = JOINT if isinstance(space, jn.spaces.JointSpace) else space  # images here have no views to choose from
    task = globals()[task_name_of(space)]()
    model = jn.Trainer(space, task, config_of(space, task)).fit(_sampled(space, 1)[0])
    made = np.random.RandomState(1)
    raw: Any = [made.randn(length, 2) for length in (1, 3, 6)]
    if task.kind != "sequences":
        raw = made.randn(9, 6, 5, 1) if task.kind == "images" else some_graphs(np.arange(9) % 2)
    with tempfile.TemporaryDirectory() as folder:
        loaded = jn.FittedModel.load(model.save(folder))
    return {"same": bool((loaded.predict_proba(raw) == model.predict_proba(raw)).all())}


def build_one(name: str, folder: str) -> None:
    """Builds a sample of a space of this file by one worker, a shard for two classes."""
    networks.CHUNK_SIZE = 2
    space = globals()[name]
    task = task_name_of(space)
    places = f"{__file__}:{name}", f"{__file__}:{task}"
    training = replace(config_of(space, globals()[task]()), test="last")
    build(*places, folder, BuildConfig(training, None, NUM_SEEDS, NUM_CLASSES, name.lower()), num_processes=1)


def builds(names: Iterable[str], num_kills: int) -> Iterator[dict]:
    """Yields, for each of some spaces of this file, how a build was killed and what came out."""
    from experiments.robustness.processes import Attack  # workers import this file without its folder

    for name in names:
        space = globals()[name]
        with tempfile.TemporaryDirectory() as top:
            attack = Attack(name, Path(__file__), random.Random(0))
            attack.ended(attack.start(Path(top) / "whole"))
            started = time.monotonic()
            attack.ended(attack.start(Path(top) / "again"))  # with programs compiled
            seconds = time.monotonic() - started
            kills, same, commands = 0, 0, 0
            while kills < num_kills:
                kills += attack.killed_and_resumed(Path(top) / str(commands), seconds)
                same += _hash(Path(top) / str(commands)) == _hash(Path(top) / "whole")
                commands += 1
            checks = retrain(Path(top) / "0", 3, space=space, task=globals()[task_name_of(space)](), seed=0)
        yield {
            "space": name,
            "kills": kills,
            "tables": commands,
            "same": same,
            "verified": all(check.passed for check in checks),
            "bitwise": any("bitwise" in check.text for check in checks),
        }


def _hash(folder: Path) -> str:
    return Table.read(folder).manifest["content_hash"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="strategies,proxies,models,builds")
    parser.add_argument("--spaces", help="names of the catalog; by default all that can be trained")
    parser.add_argument("--proxies", default="all", help="their names")
    parser.add_argument("--built", default=",".join(BUILT), help="names in this file, of builds")
    parser.add_argument("--kills", type=int, default=4)
    options = parser.parse_args()
    spaces = trainable()
    chosen = options.spaces.split(",") if options.spaces else list(spaces)
    measured: dict[str, Callable] = {
        "strategies": strategies,
        "proxies": functools.partial(proxies, names=options.proxies),
        "models": models,
    }
    rows = []
    for part in options.parts.split(","):
        found = (
            builds(options.built.split(","), options.kills)
            if part == "builds"
            else ({"space": name, **measured[part](spaces[name])} for name in chosen)
        )
        for row in found:
            rows.append({"part": part, **row})
            print(rows[-1], flush=True)
            jax.clear_caches()  # a process may map only so many pieces of code
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    configure_compilation()
    if sys.argv[1:2] and sys.argv[1] in BUILT:
        build_one(*sys.argv[1:])
    else:
        main()
