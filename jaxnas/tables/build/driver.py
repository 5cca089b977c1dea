"""Building a table: workers train the chunks of a plan, and their shards become a table."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.tables.build.card import table_card
from jaxnas.tables.build.executors.processes import train_chunks
from jaxnas.tables.build.plan import BuildPlan, make_plan, missing_chunks, read_shard
from jaxnas.tables.build.provenance import git_commit, machine, versions
from jaxnas.tables.curves import table_of_curves
from jaxnas.tables.files import remove_leftovers, replace_file
from jaxnas.tables.manifest import base_manifest, keys_of
from jaxnas.tables.table import Table, write
from jaxnas.tasks.base import SPLITS
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Size
from jaxnas.training.trainer import Trainer

_RESUMES = "run the same command again to resume"


def build(
    space_name: str,
    task_name: str,
    folder: str | os.PathLike,
    *,
    config: TrainConfig | None = None,
    num_epochs: int | None = None,
    num_seeds: int = 1,
    limit: int | None = None,
    num_processes: int | None = None,
    shard: tuple[int, int] = (1, 1),
    table_id: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table | None:
    """Returns the table of a space on a task, after training every class; a call after an interruption resumes.

    The folder holds the plan and a shard for each finished chunk of trainings, and at the end the table. Nothing is
    locked: whatever is killed, the next call resumes, and several may run at once.

    Args:
        space_name, task_name: as `jaxnas.catalog` knows them; workers find them by name.
        config, num_epochs: as of `Trainer`.
        num_seeds: trainings of each class.
        limit: train only a sample of that many classes; the table is then a partial one.
        num_processes: worker processes; by default one for each available core, and one on an accelerator.
        shard: (i, N): train only the i-th of N parts of the chunks, on one of N machines; None is returned. Once the
            shards of all parts lie in one folder, a call without `shard` makes the table.
        progress: called with the numbers of finished and of all classes.

    Raises:
        ValueError: on wrong arguments.
        RuntimeError: where a worker failed, or the folder cannot be written to.
    """
    trainer = Trainer(catalog.space(space_name), catalog.task(task_name), config, num_epochs=num_epochs)
    folder = Path(folder)
    plan = make_plan(trainer, space_name, task_name, num_seeds, limit)
    part = replace(plan, chunks=plan.chunks[shard[0] - 1 :: shard[1]])
    plan_path = folder / ("plan.json" if shard[1] == 1 else f"plan-{shard[0]}-of-{shard[1]}.json")
    with _writing(folder):
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        replace_file(plan_path, part.to_json().encode())
    _train_missing(plan_path, part, num_processes, progress)
    table = _collect(folder, plan, trainer, table_id) if shard[1] == 1 else None
    with _writing(folder):
        if table:
            table = write(table, folder, table_card(table, trainer.task, space_name, task_name, limit))
        for written in (folder, folder / "shards"):
            remove_leftovers(written)
    return table


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns what prevents writing into a RuntimeError of one line."""
    try:
        yield
    except OSError as error:
        raise RuntimeError(f"Expected to write into {folder}, got: {error.strerror or error}; {_RESUMES}.") from error


def _train_missing(
    plan_path: Path, plan: BuildPlan, num_processes: int | None, progress: Callable[[int, int], None] | None
) -> None:
    """Trains the chunks that are missing. Raises RuntimeError where some are missing then."""
    total = sum(len(chunk.rows) for chunk in plan.chunks)
    missing = plan.chunks

    def look() -> None:
        nonlocal missing
        missing = missing_chunks(plan_path.parent, missing)
        if progress:
            progress(total - sum(len(chunk.rows) for chunk in missing), total)

    look()
    if not missing:
        return
    reason = train_chunks(plan_path, len(missing), num_processes, look)
    look()
    if missing:
        raise RuntimeError(f"Expected every worker to finish, got {len(missing)} chunks missing: {reason}; {_RESUMES}.")


def _collect(folder: Path, plan: BuildPlan, trainer: Trainer, table_id: str | None) -> Table:
    """Returns the table of the shards of a plan."""
    space = trainer.space
    representatives, class_of = np.unique(space.classes(), return_inverse=True)
    trained = np.zeros(len(representatives), bool)
    curves: dict[str, np.ndarray] = {}
    for chunk in plan.chunks:
        arrays = read_shard(folder, chunk)
        if arrays is None:
            raise RuntimeError(f"Expected the shard {chunk.name} in {folder}, got none or a damaged one; {_RESUMES}.")
        classes = np.searchsorted(representatives, chunk.rows)
        trained[classes] = True
        for name, values in arrays.items():
            if name not in curves:
                curves[name] = np.zeros((len(representatives), *values.shape[1:]), values.dtype)
            curves[name][classes] = values
    sizes = [trainer.size(space.arch_at(row)) for row in representatives]
    steps = trainer.task.train.inputs.shape[1] // trainer.config.batch_size
    num_examples = {split: getattr(trainer.task, split).num_examples for split in SPLITS}
    return table_of_curves(
        manifest_of(plan, trainer, table_id),
        class_of,
        representatives,
        {name: [getattr(size, name) for size in sizes] for name in Size._fields},
        curves,
        trained,
        num_examples | {"train": steps * trainer.config.batch_size},
        keys_of(space),
    )


def manifest_of(plan: BuildPlan, trainer: Trainer, table_id: str | None) -> dict:
    """Returns the manifest of the table that a plan makes, before its hashes are known."""
    space, task = trainer.space, trainer.task
    return {
        **base_manifest(space, task, range(1, trainer.config.num_epochs + 1), plan.seeds),
        "id": table_id or f"{space.name}-{task.name}-v0",
        "training": asdict(trainer.config),
        "plan": trainer.plan(plan.training_plan).name,
        "versions": versions(),
        "machine": machine(),
        "git_commit": git_commit(),
        "licence": task.licence,
    }
