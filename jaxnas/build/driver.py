"""Building a table: workers train the chunks of a plan, and their shards become a table."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.build.card import table_card
from jaxnas.build.plan import PLAN_NAME, Plan, make_plan, read_shard, shard_path
from jaxnas.build.provenance import git_commit, machine, versions
from jaxnas.network.size import network_size
from jaxnas.table import SPLITS, Table, base_manifest, replace_file, write
from jaxnas.train import Curves, TrainConfig, check_fit

POLL_SECONDS = 0.5


def build(
    space_name: str,
    task_name: str,
    folder: str | os.PathLike,
    *,
    config: TrainConfig = TrainConfig(),
    num_seeds: int = 1,
    limit: int | None = None,
    num_processes: int | None = None,
    shard: tuple[int, int] = (1, 1),
    table_id: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table | None:
    """Returns the table of a space on a task, after training every class; run again, it goes on where it stopped.

    The folder holds the plan and a shard for each finished chunk of trainings, and at the end the table.

    Args:
        space_name, task_name: as `jaxnas.catalog` knows them.
        num_seeds: trainings of each class.
        limit: train only a sample of that many classes; the table is then a partial one.
        num_processes: worker processes; by default one for each available core, and one on an accelerator.
        shard: (i, N): train only the i-th of N parts of the chunks, on one of N machines; None is returned. Once the
            shards of all parts lie in one folder, a call without `shard` makes the table.
        progress: called with the numbers of finished and of all classes.

    Raises:
        ValueError: on wrong arguments.
        RuntimeError: where a worker failed.
    """
    space, task = catalog.space(space_name), catalog.task(task_name)
    if not hasattr(space, "classes"):
        raise ValueError(f"Expected a space with networks, such as a CellSpace, got {space.name}.")
    check_fit(task, config)
    folder = Path(folder)
    plan = make_plan(space_name, task_name, config, num_seeds, limit)
    part = replace(plan, chunks=plan.chunks[shard[0] - 1 :: shard[1]])
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    plan_path = folder / ("plan.json" if shard[1] == 1 else f"plan-{shard[0]}-of-{shard[1]}.json")
    replace_file(plan_path, part.to_json().encode())
    _discard_unreadable(folder, part)
    if _missing(folder, part):
        _run_workers(plan_path, part, num_processes, progress)
    if shard[1] > 1:
        return None
    table = _collect(folder, plan, space, task, table_id)
    return write(table, folder, table_card(table, task, space_name, task_name, limit))


def _missing(folder: Path, plan: Plan) -> list:
    return [chunk for chunk in plan.chunks if not shard_path(folder, chunk).exists()]


def _discard_unreadable(folder: Path, plan: Plan) -> None:
    for chunk in plan.chunks:
        path = shard_path(folder, chunk)
        if path.exists() and read_shard(path, len(chunk.rows)) is None:
            path.unlink()


def _run_workers(plan_path: Path, plan: Plan, num_processes: int | None, progress) -> None:
    """Starts the workers and waits until all have ended. Raises RuntimeError where chunks are missing then."""
    folder = plan_path.parent
    cores, num_processes = _processes(num_processes, len(_missing(folder, plan)))
    logs = [folder / f"worker-{number}.log" for number in range(num_processes)]
    with contextlib.ExitStack() as stack:
        workers = []
        for number, core in enumerate(cores):
            command = [sys.executable, "-m", "jaxnas.build.worker", str(plan_path)]
            command += ["--worker", f"{number}/{num_processes}"]
            command += [] if core is None else ["--core", str(core)]
            log = stack.enter_context(open(logs[number], "w"))
            environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
            workers.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment))
            stack.callback(workers[-1].terminate)
        while any(worker.poll() is None for worker in workers):
            _report(folder, plan, progress)
            time.sleep(POLL_SECONDS)
    _report(folder, plan, progress)
    if _missing(folder, plan):
        lines = [log.read_text().strip().splitlines() for log in logs]
        last = next((text[-1] for text in lines if text), "no output")
        raise RuntimeError(f"Expected every worker to finish, got {len(_missing(folder, plan))} chunks missing: {last}")


def _report(folder: Path, plan: Plan, progress) -> None:
    if progress:
        missing = sum(len(chunk.rows) for chunk in _missing(folder, plan))
        total = sum(len(chunk.rows) for chunk in plan.chunks)
        progress(total - missing, total)


def _processes(num_processes: int | None, num_chunks: int) -> tuple[list[int | None], int]:
    """Returns the core that each worker keeps to, None for none, and the number of workers."""
    import jax

    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    on_cpu = jax.default_backend() == "cpu"
    if num_processes is None:
        num_processes = min(max(len(available), 1), num_chunks) if on_cpu else 1
    if not (on_cpu and available):
        return [None] * num_processes, num_processes
    return [available[number % len(available)] for number in range(num_processes)], num_processes


def _collect(folder: Path, plan: Plan, space, task, table_id: str | None) -> Table:
    """Returns the table of the shards of a plan."""
    representatives, class_of = np.unique(space.classes(), return_inverse=True)
    trained = np.zeros(len(representatives), bool)
    curves = dict.fromkeys(Curves._fields)
    for chunk in plan.chunks:
        arrays = read_shard(shard_path(folder, chunk), len(chunk.rows))
        classes = np.searchsorted(representatives, chunk.rows)
        trained[classes] = True
        for name, values in arrays.items():
            if curves[name] is None:
                curves[name] = np.zeros((len(representatives), *values.shape[1:]), values.dtype)
            curves[name][classes] = values
    sizes = [
        network_size(space, plan.config.skeleton, task.image_shape, task.num_classes, space.arch_at(row))
        for row in representatives
    ]
    return Table(
        _manifest(plan, space, task, table_id),
        class_of.astype(np.int32),
        representatives.astype(np.int32),
        np.asarray([size.num_parameters for size in sizes], np.int64),
        np.asarray([size.num_flops for size in sizes], np.int64),
        **curves,
        trained=trained,
    )


def _manifest(plan: Plan, space, task, table_id: str | None) -> dict:
    steps = task.train.images.shape[1] // plan.config.batch_size
    num_images = {split: getattr(task, split).num_images for split in SPLITS}
    num_images["train"] = steps * plan.config.batch_size
    manifest = base_manifest(space, task, range(1, plan.config.num_epochs + 1), plan.seeds, num_images)
    return {
        **manifest,
        "id": table_id or f"{space.name}-{task.name}-v0",
        "training": asdict(plan.config),
        "plan": PLAN_NAME,
        "versions": versions(),
        "machine": machine(),
        "git_commit": git_commit(),
        "licence": task.licence,
    }
