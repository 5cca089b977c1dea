"""What a build trains: the classes of a space in chunks, each named by the hash of all that its numbers depend on."""

import hashlib
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.spaces.cells import packed
from jaxnas.tables.table import describe_space
from jaxnas.training.config import TrainConfig, config_from_dict
from jaxnas.training.curves import Curves
from jaxnas.training.trainer import default_plan

CHUNK_SIZE = 16
PLAN_NAMES = {"sequential": "switch-sequential-3", "packed": "packed-1"}
"""What a manifest calls each plan of `evaluate`; a name changes when how trainings are compiled and batched changes
their numbers."""
PLAN_NAME = PLAN_NAMES["sequential"]  # the one whose trainings do not depend on their neighbours, bit by bit
_ORDER_SEED = 0
# What NumPy and zipfile raise on missing files and changed bits; the last two are "encrypted" and "not supported".
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Chunk:
    """Some classes of a build: the rows of their representatives, and the name that their shard has."""

    name: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A build: names of the space and the task, training configuration, seeds, chunks, plan of `evaluate`.

    The names are as `jaxnas.catalog` knows them.
    """

    space: str
    task: str
    config: TrainConfig
    seeds: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    training_plan: str

    def to_json(self) -> str:
        """Returns the plan as text, which `plan_from_json` reads."""
        return json.dumps(asdict(self), indent=1)


def plan_from_json(text: str) -> Plan:
    """Returns the plan of a text that `Plan.to_json` made."""
    fields = json.loads(text)
    chunks = tuple(Chunk(chunk["name"], tuple(chunk["rows"])) for chunk in fields.pop("chunks"))
    config = config_from_dict(fields.pop("config"))
    return Plan(fields["space"], fields["task"], config, tuple(fields["seeds"]), chunks, fields["training_plan"])


def make_plan(
    space_name: str,
    task_name: str,
    config: TrainConfig,
    num_seeds: int,
    limit: int | None = None,
    training_plan: str | None = None,
) -> Plan:
    """Returns the plan of a build: a representative of each class, in an order that is random but always the same.

    A chunk is what a worker trains with one call of `evaluate`: in the plan `"packed"` one batch, of as many classes
    as fit into its slots.

    Args:
        limit: train only that many classes, a random sample of the space; None for all.
        training_plan: of `evaluate`; None for the one of this back end.
    """
    space = catalog.space(space_name)
    training_plan = training_plan or default_plan(space)
    task = catalog.task(task_name)
    rows = np.random.RandomState(_ORDER_SEED).permutation(np.unique(space.classes()))[:limit]
    seeds = tuple(range(num_seeds))
    recipe = {
        "space": describe_space(space),
        "task": task.sha256,
        "config": asdict(config),
        "seeds": seeds,
        "plan": PLAN_NAMES[training_plan],
    }
    chunks = []
    for part in _parts(space, rows, num_seeds, training_plan):
        text = json.dumps({**recipe, "rows": part}, sort_keys=True)
        chunks.append(Chunk(hashlib.sha256(text.encode()).hexdigest()[:32], part))
    return Plan(space_name, task_name, config, seeds, tuple(chunks), training_plan)


def _parts(space, rows: np.ndarray, num_seeds: int, training_plan: str) -> list[tuple[int, ...]]:
    """Returns the rows of each chunk."""
    if training_plan == "packed":
        archs = packed.pruned(space, space.arch_at(rows))
        numbers = packed.batches(space, archs, packed.num_places(len(rows), num_seeds))
    else:
        numbers = [range(start, min(start + CHUNK_SIZE, len(rows))) for start in range(0, len(rows), CHUNK_SIZE)]
    return [tuple(int(rows[number]) for number in part) for part in numbers]


def shard_path(folder: Path, chunk: Chunk) -> Path:
    """Returns where the shard of a chunk lies in the folder of a build."""
    return folder / "shards" / f"{chunk.name}.npz"


def read_shard(folder: Path, chunk: Chunk) -> dict[str, np.ndarray] | None:
    """Returns the arrays of a chunk's shard, or None where it is missing or damaged, and must be trained (again)."""
    try:
        with np.load(shard_path(folder, chunk)) as file:
            arrays = {name: file[name] for name in file.files}
    except _UNREADABLE:
        return None
    whole = set(arrays) == set(Curves._fields) and all(len(array) == len(chunk.rows) for array in arrays.values())
    return arrays if whole else None
