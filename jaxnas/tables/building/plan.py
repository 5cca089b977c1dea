"""What a build trains: the classes of a space in chunks, each named by the hash of all that its numbers depend on."""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jaxnas.tasks.base import SPLITS
from jaxnas.training.config import TrainConfig, config_from_dict, config_to_dict
from jaxnas.training.curves import Curves
from jaxnas.training.networks import default_plan
from jaxnas.training.trainer import Trainer

_ORDER_SEED = 0
_HASH_DIGITS = 64


@dataclass(frozen=True)
class Chunk:
    """Some classes of a build: the rows of their representatives, and the name that their shard has."""

    name: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class BuildPlan:
    """A build: names of the space and the task, training configuration, seeds, chunks, the plan of their trainings.

    The names are as `jaxnas.catalog` knows them, or `module:NAME` of a space; `config` is as `config_to_dict` makes a
    dict of it.
    """

    space: str
    task: str
    config: dict
    seeds: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    training_plan: str

    def to_json(self) -> str:
        """Returns the plan as text, which `plan_from_json` reads."""
        return json.dumps(asdict(self), indent=1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Returns the shape of the curves of a class, (seeds, epochs, epochs of the test split)."""
        num_epochs = self.config["num_epochs"]
        return len(self.seeds), num_epochs, 1 if self.config.get("test") == "last" else num_epochs

    def config_for(self, default: TrainConfig) -> TrainConfig:
        """Returns the training configuration, given the default one of the kind of space."""
        return config_from_dict(self.config, default)


def plan_from_json(text: str) -> BuildPlan:
    """Returns the plan of a text that `BuildPlan.to_json` made."""
    fields = json.loads(text)
    fields["chunks"] = tuple(Chunk(chunk["name"], tuple(chunk["rows"])) for chunk in fields["chunks"])
    fields["seeds"] = tuple(fields["seeds"])
    return BuildPlan(**fields)


def make_plan(
    trainer: Trainer,
    space_name: str,
    task_name: str,
    num_seeds: int,
    limit: int | None = None,
    training_plan: str | None = None,
) -> BuildPlan:
    """Returns the plan of a build: a representative of each class, in an order that is random but always the same.

    A chunk is what a worker trains with one call: in the plan `"packed"` one batch, of as many classes as fit into its
    slots.

    Args:
        space_name, task_name: under which workers find the space and the task of the trainer.
        limit: train only that many classes, a random sample of the space; None for all.
        training_plan: of the kind of network; None for the one of this back end.
    """
    space = trainer.space
    training_plan = training_plan or default_plan(type(trainer.networks))
    rows = np.random.RandomState(_ORDER_SEED).permutation(np.unique(space.classes()))[:limit]
    seeds = tuple(range(num_seeds))
    recipe = {**trainer.description(training_plan), "seeds": seeds}
    chunks = []
    for part in trainer.plan(training_plan).chunks(space, rows, num_seeds):
        text = json.dumps({**recipe, "rows": part}, sort_keys=True)
        chunks.append(Chunk(hashlib.sha256(text.encode()).hexdigest()[:32], part))
    return BuildPlan(space_name, task_name, config_to_dict(trainer.config), seeds, tuple(chunks), training_plan)


def missing_chunks(folder: Path, chunks: Sequence[Chunk], shape: tuple[int, int, int]) -> tuple[Chunk, ...]:
    """Returns the chunks whose shards are missing or damaged in the folder of a build.

    Args:
        shape: of the curves of a class, see `BuildPlan.shape`.
    """
    try:
        present = {entry.name for entry in os.scandir(folder / "shards")}  # one look, not one for each missing shard
    except OSError:
        present = set()
    return tuple(
        chunk
        for chunk in chunks
        if shard_path(folder, chunk).name not in present or read_shard(folder, chunk, shape) is None
    )


def damaged_chunks(folder: Path, plan: BuildPlan) -> tuple[Chunk, ...]:
    """Returns the chunks of a plan whose shards are there, but are not as a worker wrote them."""
    missing = missing_chunks(folder, plan.chunks, plan.shape)
    return tuple(chunk for chunk in missing if shard_path(folder, chunk).is_file())


def shard_path(folder: Path, chunk: Chunk) -> Path:
    """Returns where the shard of a chunk lies in the folder of a build."""
    return folder / "shards" / f"{chunk.name}.npz"


def shard_bytes(chunk: Chunk, curves: Curves) -> bytes:
    """Returns the shard of a chunk: an `.npz` file, followed by the SHA-256 of the chunk's name and of the file."""
    buffer = io.BytesIO()
    np.savez(buffer, **curves._asdict())
    data = buffer.getvalue()
    return data + _hash(chunk, data)


def read_shard(folder: Path, chunk: Chunk, shape: tuple[int, int, int]) -> dict[str, np.ndarray] | None:
    """Returns the arrays of a chunk's shard, or None where it is missing or damaged, and must be trained (again).

    Args:
        shape: of the curves of a class, see `BuildPlan.shape`.
    """
    try:
        data = shard_path(folder, chunk).read_bytes()
    except OSError:
        return None
    if data[-_HASH_DIGITS:] != _hash(chunk, data[:-_HASH_DIGITS]):  # nothing of a damaged file is parsed
        return None
    with np.load(io.BytesIO(data[:-_HASH_DIGITS])) as file:
        arrays = {name: file[name] for name in file.files}
    num_seeds, num_epochs, num_tested = shape
    epochs = {name: [num_epochs] for name in ("train", "validation", "loss")}
    epochs |= {"test": [num_tested], "first_loss": [], "first_gradient_norm": []}
    expected = {name: (len(chunk.rows), num_seeds, *epochs[name]) for name in Curves._fields}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        return None
    of_splits = {arrays[name].dtype.kind for name in SPLITS}
    others = {arrays[name].dtype.kind for name in Curves._fields if name not in SPLITS}
    return arrays if others == {"f"} and of_splits in ({"i"}, {"f"}) else None  # counts, or values of a metric


def _hash(chunk: Chunk, data: bytes) -> bytes:
    return hashlib.sha256(chunk.name.encode() + data).hexdigest().encode()
