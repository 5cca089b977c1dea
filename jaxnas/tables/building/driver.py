"""Building a table: workers train the chunks of a plan, and their shards become a table."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas import catalog
from jaxnas.array_files import set_aside
from jaxnas.checks import checked_size
from jaxnas.execution.base import Executor
from jaxnas.execution.executors import executor
from jaxnas.files import remove_leftovers, replace_file
from jaxnas.provenance import git_commit, versions
from jaxnas.spaces.base import Space
from jaxnas.spaces.enumerated import MAX_ENUMERABLE
from jaxnas.spaces.named import space_named
from jaxnas.tables.building.baselines import baseline_trainer, scores_by_name
from jaxnas.tables.building.card import table_card
from jaxnas.tables.building.fidelities import declared, default_training, from_the_cheapest, protocols_of
from jaxnas.tables.building.plan import (
    BuildPlan,
    Chunk,
    make_plan,
    missing_chunks,
    read_shard,
    shard_path,
    trained_shard,
)
from jaxnas.tables.curves import table_of_curves
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, Fidelity, base_manifest, keys_of
from jaxnas.tables.overwriting import check_replaceable
from jaxnas.tables.table import Table, write
from jaxnas.tables.trainings import joined_trainings
from jaxnas.tasks.base import SPLITS, Task
from jaxnas.tasks.named import task_named
from jaxnas.training.config import TrainConfig, config_to_dict
from jaxnas.training.curves import Curves
from jaxnas.training.networks import Size, default_plan
from jaxnas.training.trainer import Trainer

MAX_CURVE_BYTES = 2**34
BYTES_AN_EPOCH = 32  # of a training: four numbers of four bytes, twice while they become a table
MAX_SEEDS = 65_535
LOG_FILE = "worker.log"
_REPLACES = "give another one, or replace what is there by --replace (replace_table=True)"
_RESUMES = "run the same command again to resume"


@dataclass(frozen=True)
class BuildConfig:
    """The trainings of a build, and the name of its table.

    Attributes:
        training: how networks are trained, by default as of `default_training`; or several by name, for fidelities of
            several kinds: networks of other widths, images of other resolutions, schedules of other lengths, as of
            `training_grid`. Reports read the scores of the most expensive one. `TrainConfig.test` sets after which
            epochs the test split is evaluated.
        order: of the fidelities of several trainings, the lowest first; see `fidelities.declared`.
        num_seeds: of each training of each class.
        limit: train only a sample of that many classes; the table is then a partial one.
        table_id: the table's identifier; by default `<space>-<task>-v0`, a preview.
    """

    training: TrainConfig | Mapping[str, TrainConfig] | None = None
    order: Sequence[str] | None = None
    num_seeds: int = 1
    limit: int | None = None
    table_id: str | None = None

    def trainers(self, space: Space, task: Task) -> dict[str, Trainer]:
        """Returns the trainers by name, empty for the only one. Raises ValueError on an order of one training."""
        training = self.training or default_training(space, task)
        if isinstance(training, Mapping):
            return {name: Trainer(space, task, each) for name, each in training.items()}
        if self.order is not None:
            raise ValueError("Expected an order where there are several trainings, got one without trainings.")
        return {"": Trainer(space, task, training)}


def build(
    space_name: str,
    task_name: str,
    folder: str | os.PathLike,
    config: BuildConfig = BuildConfig(),
    *,
    num_processes: int | None = None,
    ray: str | None = None,
    shard: tuple[int, int] = (1, 1),
    replace_table: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Table | None:
    """Returns the table of a space on a task, after training every class; a call after an interruption resumes.

    The folder holds a shard for each finished chunk of trainings, and at the end the table. Nothing is locked: if it
    is killed, the next call resumes, and several may run at once. A damaged shard is set aside, with a warning, and
    trained again.

    Args:
        space_name, task_name: names of the catalog, or `file.py:NAME`.
        num_processes: worker processes; by default one for each available core, or for each GPU.
        ray: the address of a Ray cluster that trains, as of `jaxnas.execution.ray.RayCluster`; None: this machine.
        shard: (i, N): train only the i-th of N parts of the chunks, on one of N machines; None is returned. Once the
            shards of all parts are in one folder, a call without `shard` makes the table.
        replace_table: write over another or a larger table in the folder, or over files that no build wrote.
        progress: called with the numbers of finished and of all classes.

    Raises:
        ValueError: on wrong arguments, or a folder that holds something else.
        RuntimeError: if a worker failed, the cluster cannot be reached, or the folder cannot be written to.
    """
    if not isinstance(config, BuildConfig):
        raise ValueError(f"Expected a jn.benchmarks.BuildConfig, got {type(config).__name__}.")
    space, task = space_named(space_name), task_named(task_name)
    trainers, folder = config.trainers(space, task), Path(folder)
    priced = from_the_cheapest(trainers) if "" not in trainers else {"": (trainers[""], 1.0)}
    several = declared(priced, config.order) if "" not in trainers else None
    _check_memory([trainer for trainer, _ in priced.values()], config.num_seeds)
    with contextlib.closing(executor(ray, num_processes, shard[0] - 1)) as where:
        machine = where.machine()
        parts = []
        for name, (trainer, _) in priced.items():
            training_plan = default_plan(type(trainer.networks), machine["platform"])
            plan = make_plan(trainer, config.num_seeds, config.limit, training_plan)
            parts.append(Part(name, trainer, plan, manifest_of(plan, trainer, config.table_id, machine)))
        num_classes = sum(len(chunk.rows) for chunk in parts[-1].plan.chunks)
        manifest = _manifest_of_several(parts, *several) if several else parts[0].manifest
        if not replace_table:
            check_replaceable(folder, manifest, num_classes, _REPLACES)
        for number, part in enumerate(parts):
            _train_part(where, part, folder, shard, _counted(progress, number, len(parts)))
        table = None
        if shard[1] == 1:
            table = _collect_parts(folder, parts, _with_baselines(where, manifest, folder, parts[-1]))
    with _writing(folder):
        if table:
            if not replace_table:  # another build may have written its table since
                check_replaceable(folder, table.manifest, num_classes, _REPLACES)
            table = write(table, folder, table_card(table, task, space_name, task_name, config.limit))
        for written in (folder, folder / "shards"):
            remove_leftovers(written)
    return table


class Part(NamedTuple):
    """One of the trainings of a build: its name, empty for the only one, and the plan and manifest of it alone."""

    name: str
    trainer: Trainer
    plan: BuildPlan
    manifest: dict


def _counted(progress: Callable[[int, int], None] | None, number: int, count: int) -> Callable[[int, int], None]:
    """Returns a function of the finished and all classes of training `number` that reports them over all trainings."""

    def counted(done: int, total: int) -> None:
        if progress:
            progress(number * total + done, count * total)

    return counted


def _train_part(
    where: Executor,
    part: Part,
    folder: Path,
    shard: tuple[int, int] = (1, 1),
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Trains the missing chunks of a training, or a part of them on one of several machines."""
    plan = replace(part.plan, chunks=part.plan.chunks[shard[0] - 1 :: shard[1]])
    with _writing(folder):
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        missing = missing_chunks(folder, plan.chunks, plan.shape)
        for chunk in missing:
            set_aside(shard_path(folder, chunk), f"its {len(chunk.rows)} classes are trained again")
    total, left = _num_classes(plan.chunks), dict.fromkeys(missing)

    def look() -> None:
        if progress:
            progress(total - _num_classes(left), total)

    look()
    if missing:
        _train_chunks(where, part, folder, left, look)
        look()


def _num_classes(chunks: Iterable[Chunk]) -> int:
    return sum(len(chunk.rows) for chunk in chunks)


def _train_chunks(where: Executor, part: Part, folder: Path, left: dict[Chunk, None], look: Callable[[], None]) -> None:
    """Trains chunks and takes them out of `left`. Raises RuntimeError if one fails."""

    def calls() -> Iterator[tuple[Chunk, tuple]]:
        for chunk in list(left):
            if read_shard(folder, chunk, part.plan.shape) is None:
                yield chunk, (chunk, part.plan.seeds, part.plan.training_plan)
            else:  # another build was faster
                del left[chunk]

    with (
        contextlib.closing(where.map(trained_shard, part.trainer, calls(), len(left), look)) as results,
        _writing(folder),
    ):
        for chunk, ended in results:
            if ended.failure:
                with contextlib.suppress(OSError):
                    replace_file(folder / LOG_FILE, without_paths(ended.log).encode())
                raise RuntimeError(
                    f"Expected every worker to finish, got {len(left)} chunks missing: {ended.failure}; {_RESUMES}."
                )
            replace_file(shard_path(folder, chunk), ended.value)
            del left[chunk]


def without_paths(text: str) -> str:
    """Returns the output of a worker with the files of a traceback below the working directory or their packages."""
    text = text.replace(f"{os.getcwd()}{os.sep}", "")
    return re.sub(r'File "/[^"]*/(?:site-packages/|python3\.\d+/|(?=jaxnas/))([^"]+)"', r'File "\1"', text)


def _check_memory(trainers: Sequence[Trainer], num_seeds: int) -> None:
    """Raises ValueError if the space cannot be enumerated, or the curves of a build would not fit into memory."""
    space = trainers[0].space
    if space.num_architectures > MAX_ENUMERABLE:
        alike = {name: each for name in catalog.SPACES if type(each := space_named(name)) is type(space)}
        smaller = [name for name, each in alike.items() if each.num_architectures <= MAX_ENUMERABLE]
        hint = f"; {' and '.join(smaller)} can be built" if smaller else ""
        raise ValueError(
            f"Expected a space of at most {MAX_ENUMERABLE:,} architectures to build, got {space.name} of "
            f"{space.num_architectures:,}{hint}."
        )
    num_epochs = sum(trainer.config.num_epochs for trainer in trainers)
    largest = MAX_CURVE_BYTES // (len(np.unique(space.classes())) * num_epochs * BYTES_AN_EPOCH)
    why = f"whose curves of {num_epochs:,} epochs take {MAX_CURVE_BYTES >> 30} GiB of memory"
    checked_size("num_seeds", num_seeds, 1, min(largest, MAX_SEEDS), why)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns errors of writing into a RuntimeError of one line."""
    try:
        yield
    except OSError as error:
        raise RuntimeError(f"Expected to write into {folder}, got: {error.strerror or error}; {_RESUMES}.") from error


def _with_baselines(where: Executor, manifest: dict, folder: Path, part: Part) -> dict:
    """Returns the manifest with the baselines of the training that reports read, if any."""
    trainer = baseline_trainer(part.trainer)
    if trainer is None:
        return manifest
    training_plan = default_plan(type(trainer.networks), manifest["machine"]["platform"])
    plan = make_plan(trainer, len(part.plan.seeds), training_plan=training_plan)
    _train_part(where, Part("baselines", trainer, plan, {}), folder)
    curves = _curves_of(folder, plan, np.unique(trainer.space.classes()))
    found = scores_by_name(trainer, Curves(**curves))
    return manifest | ({"references": found} if found else {})


def _collect_parts(folder: Path, parts: Sequence[Part], manifest: dict) -> Table:
    """Returns the table of the shards of a build."""
    tables = {part.name: _collect(folder, part.plan, part.trainer, part.manifest) for part in parts}
    return joined_trainings(manifest, tables) if len(tables) > 1 else replace(tables[parts[0].name], manifest=manifest)


def _collect(folder: Path, plan: BuildPlan, trainer: Trainer, manifest: dict) -> Table:
    """Returns the table of the shards of a plan."""
    space = trainer.space
    representatives, class_of = np.unique(space.classes(), return_inverse=True)
    curves = _curves_of(folder, plan, representatives)
    trained = np.isin(representatives, [row for chunk in plan.chunks for row in chunk.rows])
    sizes = [trainer.size(space.arch_at(row)) for row in representatives]
    steps = trainer.task.train.inputs.shape[1] // trainer.config.batch_size
    num_examples = {split: getattr(trainer.task, split).num_examples for split in SPLITS}
    return table_of_curves(
        dict(manifest),
        class_of,
        representatives,
        {name: [getattr(size, name) for size in sizes] for name in Size._fields},
        curves,
        trained,
        num_examples | {"train": steps * trainer.config.batch_size},
        keys_of(space),
    )


def _curves_of(folder: Path, plan: BuildPlan, representatives: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the curves of each class, as `Curves` names them, from the shards of a plan; 0 for omitted classes."""
    curves: dict[str, np.ndarray] = {}
    for chunk in plan.chunks:
        arrays = read_shard(folder, chunk, plan.shape)
        if arrays is None:
            raise RuntimeError(f"Expected the shard {chunk.name} in {folder}, got none or a damaged one; {_RESUMES}.")
        classes = np.searchsorted(representatives, chunk.rows)
        for name, values in arrays.items():
            if name not in curves:
                curves[name] = np.zeros((len(representatives), *values.shape[1:]), values.dtype)
            curves[name][classes] = values
    return curves


def _manifest_of_several(parts: Sequence[Part], fidelities: Sequence[Fidelity], order: Sequence[str]) -> dict:
    """Returns the manifest of a table of several trainings."""
    last = parts[-1].manifest
    return {
        **last,
        "fidelities": [each.fields() for each in fidelities],
        "protocols": protocols_of(fidelities, order, last["protocols"][DEFAULT_PROTOCOL]),
        "trainings": {part.name: part.manifest["training"] for part in parts},
    }


def manifest_of(plan: BuildPlan, trainer: Trainer, table_id: str | None, machine: dict) -> dict:
    """Returns the manifest of the table that a plan makes on a kind of machine, before its hashes are known."""
    space, task = trainer.space, trainer.task
    return {
        **base_manifest(space, task, range(1, trainer.config.num_epochs + 1), plan.seeds),
        "id": table_id or f"{space.name}-{task.name}-v0",
        "training": config_to_dict(trainer.config),
        "plan": trainer.plan(plan.training_plan).name,
        **({"code": trainer.definition.code} if trainer.definition.code else {}),
        "versions": versions(),
        "machine": machine,
        "git_commit": git_commit(),
        "licence": task.license,
    }
