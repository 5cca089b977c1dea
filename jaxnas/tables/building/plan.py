"""The plan of a build: the classes of a space in chunks, each named by the hash of all that its numbers depend on."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas.array_files import SUFFIX, Like, array_bytes, read_arrays
from jaxnas.tasks.base import SPLITS
from jaxnas.training.curves import Curves
from jaxnas.training.networks import default_plan
from jaxnas.training.trainer import Trainer

_ORDER_SEED = 0


@dataclass(frozen=True)
class Chunk:
    """Some classes of a build: the rows of their representatives, and the name of their shard."""

    name: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class BuildPlan:
    """The trainings of a build.

    Attributes:
        seeds: of each architecture.
        chunks: the classes, each in one.
        training_plan: the name of the plan of the trainings.
        shape: of the curves of a class, (seeds, epochs, epochs of the test split).
    """

    seeds: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    training_plan: str
    shape: tuple[int, int, int]


def make_plan(
    trainer: Trainer, num_seeds: int, limit: int | None = None, training_plan: str | None = None
) -> BuildPlan:
    """Returns the plan of a build: a representative of each class, in an order that is random but always the same.

    A chunk is the work of one call of a worker: in the plan `"packed"` one batch, of as many classes as fit into its
    slots.

    Args:
        limit: train only that many classes, a random sample of the space; None for all.
        training_plan: of the kind of network; None for the one of this back end.
    """
    space, config = trainer.space, trainer.config
    training_plan = training_plan or default_plan(type(trainer.networks))
    rows = np.random.RandomState(_ORDER_SEED).permutation(np.unique(space.classes()))[:limit]
    seeds = tuple(range(num_seeds))
    recipe = {**trainer.description(training_plan), "seeds": seeds}
    chunks = []
    for part in trainer.plan(training_plan).chunks(space, rows, num_seeds):
        text = json.dumps({**recipe, "rows": part}, sort_keys=True)
        chunks.append(Chunk(hashlib.sha256(text.encode()).hexdigest()[:32], part))
    shape = num_seeds, config.num_epochs, 1 if config.test == "last" else config.num_epochs
    return BuildPlan(seeds, tuple(chunks), training_plan, shape)


def trained_shard(trainer: Trainer, chunk: Chunk, seeds: Sequence[int], training_plan: str) -> bytes:
    """Returns the shard of a chunk, trained in this process."""
    archs = [trainer.space.arch_at(np.int32(row)) for row in chunk.rows]
    return shard_bytes(chunk, trainer.curves(archs, seeds, plan=training_plan))


def missing_chunks(folder: Path, chunks: Sequence[Chunk], shape: tuple[int, int, int]) -> tuple[Chunk, ...]:
    """Returns the chunks whose shards are missing or damaged; `shape` as in `BuildPlan`."""
    try:
        present = {entry.name for entry in os.scandir(folder / "shards")}  # one look, not one for each missing shard
    except OSError:
        present = set()
    return tuple(
        chunk
        for chunk in chunks
        if shard_path(folder, chunk).name not in present or read_shard(folder, chunk, shape) is None
    )


def shard_path(folder: Path, chunk: Chunk) -> Path:
    """Returns the path of a chunk's shard in the folder of a build."""
    return folder / "shards" / f"{chunk.name}{SUFFIX}"


def shard_bytes(chunk: Chunk, curves: Curves) -> bytes:
    """Returns the shard of a chunk: a file of its curves, whose header names the chunk."""
    return array_bytes({"chunk": chunk.name}, curves._asdict())


def read_shard(folder: Path, chunk: Chunk, shape: tuple[int, int, int]) -> dict[str, np.ndarray] | None:
    """Returns the arrays of a chunk's shard, None if it is missing or damaged."""
    num_seeds, num_epochs, num_tested = shape
    epochs = {name: [num_epochs] for name in ("train", "validation", "loss")}
    epochs |= {"test": [num_tested], "first_loss": [], "first_gradient_norm": []}
    expected = {
        name: Like((len(chunk.rows), num_seeds, *epochs[name]), "if" if name in SPLITS else "f", finite=False)
        for name in Curves._fields
    }
    arrays = read_arrays(shard_path(folder, chunk), {"chunk": chunk.name}, expected)
    # counts, or values of a metric
    return arrays if arrays and len({arrays[name].dtype.kind for name in SPLITS}) == 1 else None
