"""What a build trains: the classes of a space in chunks, each named by the hash of all that its numbers depend on."""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.network.model import Skeleton
from jaxnas.table import describe_space
from jaxnas.train import TrainConfig

CHUNK_SIZE = 16
PLAN_NAME = "switch-sequential-3"  # how trainings are compiled and batched; it changes when that changes their numbers
_ORDER_SEED = 0


@dataclass(frozen=True)
class Chunk:
    """Some classes of a build: the rows of their representatives, and the name that their shard has."""

    name: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A build: names of the space and the task, training configuration, seeds, chunks.

    The names are as `jaxnas.catalog` knows them.
    """

    space: str
    task: str
    config: TrainConfig
    seeds: tuple[int, ...]
    chunks: tuple[Chunk, ...]

    def to_json(self) -> str:
        """Returns the plan as text, which `plan_from_json` reads."""
        return json.dumps(asdict(self), indent=1)


def plan_from_json(text: str) -> Plan:
    """Returns the plan of a text that `Plan.to_json` made."""
    fields = json.loads(text)
    chunks = tuple(Chunk(chunk["name"], tuple(chunk["rows"])) for chunk in fields.pop("chunks"))
    config = fields.pop("config")
    config = TrainConfig(**{**config, "skeleton": Skeleton(**config["skeleton"])})
    return Plan(fields["space"], fields["task"], config, tuple(fields["seeds"]), chunks)


def make_plan(space_name: str, task_name: str, config: TrainConfig, num_seeds: int, limit: int | None = None) -> Plan:
    """Returns the plan of a build: a representative of each class, in an order that is random but always the same.

    Args:
        limit: train only that many classes, a random sample of the space; None for all.
    """
    space = catalog.space(space_name)
    task = catalog.task(task_name)
    rows = np.random.RandomState(_ORDER_SEED).permutation(np.unique(space.classes()))[:limit]
    seeds = tuple(range(num_seeds))
    recipe = {
        "space": describe_space(space),
        "task": task.sha256,
        "config": asdict(config),
        "seeds": seeds,
        "plan": PLAN_NAME,
    }
    chunks = []
    for start in range(0, len(rows), CHUNK_SIZE):
        part = tuple(int(row) for row in rows[start : start + CHUNK_SIZE])
        text = json.dumps({**recipe, "rows": part}, sort_keys=True)
        chunks.append(Chunk(hashlib.sha256(text.encode()).hexdigest()[:32], part))
    return Plan(space_name, task_name, config, seeds, tuple(chunks))


def shard_path(folder: Path, chunk: Chunk) -> Path:
    """Returns where the shard of a chunk lies in the folder of a build."""
    return folder / "shards" / f"{chunk.name}.npz"


def read_shard(path: Path, num_rows: int) -> dict[str, np.ndarray] | None:
    """Returns the arrays of a shard, or None where it is missing or unreadable, and must be trained (again)."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return arrays if all(len(array) == num_rows for array in arrays.values()) else None
