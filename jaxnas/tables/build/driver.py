"""Building a table: workers train the chunks of a plan, and their shards become a table."""

import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.tables.build.card import table_card
from jaxnas.tables.build.plan import PLAN_NAMES, Chunk, Plan, make_plan, read_shard
from jaxnas.tables.build.provenance import git_commit, machine, versions
from jaxnas.tables.files import remove_leftovers, replace_file
from jaxnas.tables.table import SPLITS, Table, base_manifest, table_of_curves, write
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.family import network_size
from jaxnas.training.trainer import check_trainable, default_config

POLL_SECONDS = 0.5
LOG_LINES = 1000  # of a worker that failed
_GOES_ON = "run again, the build goes on from there"


def build(
    space_name: str,
    task_name: str,
    folder: str | os.PathLike,
    *,
    config: TrainConfig | None = None,
    num_seeds: int = 1,
    limit: int | None = None,
    num_processes: int | None = None,
    shard: tuple[int, int] = (1, 1),
    table_id: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table | None:
    """Returns the table of a space on a task, after training every class; run again, it goes on where it stopped.

    The folder holds the plan and a shard for each finished chunk of trainings, and at the end the table. Nothing is
    locked: whatever is killed, the next call goes on, and several may run at once.

    Args:
        space_name, task_name: as `jaxnas.catalog` knows them.
        config: by default that of `jaxnas.training.trainer.default_config`.
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
    space, task = catalog.space(space_name), catalog.task(task_name)
    if not hasattr(space, "classes"):
        raise ValueError(f"Expected a space with networks, such as a CellSpace, got {space.name}.")
    config = config or default_config(space, task)
    check_trainable(space, task, config)
    folder = Path(folder)
    plan = make_plan(space_name, task_name, config, num_seeds, limit)
    part = replace(plan, chunks=plan.chunks[shard[0] - 1 :: shard[1]])
    plan_path = folder / ("plan.json" if shard[1] == 1 else f"plan-{shard[0]}-of-{shard[1]}.json")
    with _writing(folder):
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        replace_file(plan_path, part.to_json().encode())
    _train_missing(plan_path, part, num_processes, progress)
    table = _collect(folder, plan, space, task, table_id) if shard[1] == 1 else None
    with _writing(folder):
        if table:
            table = write(table, folder, table_card(table, task, space_name, task_name, limit))
        for written in (folder, folder / "shards"):
            remove_leftovers(written)
    return table


@contextlib.contextmanager
def _writing(folder: Path):
    """Turns what prevents writing into a RuntimeError of one line."""
    try:
        yield
    except OSError as error:
        raise RuntimeError(f"Expected to write into {folder}, got: {error.strerror or error}; {_GOES_ON}.") from error


def _missing(folder: Path, chunks: Sequence[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if read_shard(folder, chunk) is None]


def _train_missing(plan_path: Path, plan: Plan, num_processes: int | None, progress) -> None:
    """Starts workers and waits until all have ended. Raises RuntimeError where chunks are missing then."""
    total = sum(len(chunk.rows) for chunk in plan.chunks)
    missing = plan.chunks

    def look() -> None:
        nonlocal missing
        missing = _missing(plan_path.parent, missing)
        if progress:
            progress(total - sum(len(chunk.rows) for chunk in missing), total)

    look()
    if not missing:
        return
    cores, num_processes = _processes(num_processes, len(missing))
    with contextlib.ExitStack() as stack:
        workers = [
            _start_worker(stack, [str(plan_path), "--worker", f"{number}/{num_processes}"], core)
            for number, core in enumerate(cores)
        ]
        while any(worker.poll() is None for worker, _ in workers):
            time.sleep(POLL_SECONDS)
            look()
    look()
    if missing:
        reason = _failure(plan_path.parent, workers)
        raise RuntimeError(f"Expected every worker to finish, got {len(missing)} chunks missing: {reason}; {_GOES_ON}.")


def _start_worker(stack: contextlib.ExitStack, options: list[str], core: int | None):
    """Returns a worker and its last lines of output, as they come; leaving the stack ends it.

    The output goes through a pipe, since a full disk could not take it.
    """
    command = [sys.executable, "-m", "jaxnas.tables.build.worker", *options]
    command += ["--parent", str(os.getpid())] if os.name == "posix" else []  # elsewhere a launcher is between the two
    command += [] if core is None else ["--core", str(core)]
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    worker = stack.enter_context(subprocess.Popen(command, env=environment, **output))
    lines = collections.deque(maxlen=LOG_LINES)
    reader = threading.Thread(target=lines.extend, args=(worker.stdout,), daemon=True)
    reader.start()
    stack.callback(reader.join)
    stack.callback(worker.terminate)
    return worker, lines


def _failure(folder: Path, workers: list) -> str:
    """Returns what ended the first worker that failed, and writes what such workers printed to worker-<number>.log."""
    reasons = []
    for number, (worker, lines) in enumerate(workers):
        text = "".join(lines).strip()
        if worker.returncode:
            with contextlib.suppress(OSError):
                replace_file(folder / f"worker-{number}.log", text.encode())
        if worker.returncode < 0:
            name = signal.strsignal(-worker.returncode)
            reasons.append(f"a worker was ended by signal {-worker.returncode} ({name})")
        elif worker.returncode:
            reasons.append(text.splitlines()[-1] if text else f"a worker ended with exit code {worker.returncode}")
    return reasons[0] if reasons else "no worker failed, but shards or plan were changed meanwhile"


def _processes(num_processes: int | None, num_chunks: int) -> tuple[list[int | None], int]:
    """Returns the core that each worker keeps to, None for none, and the number of workers."""
    import jax

    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    on_cpu = jax.default_backend() == "cpu"
    if num_processes is None:
        num_processes = max(len(available), 1) if on_cpu else 1
    num_processes = min(num_processes, num_chunks)
    if not (on_cpu and available):
        return [None] * num_processes, num_processes
    return [available[number % len(available)] for number in range(num_processes)], num_processes


def _collect(folder: Path, plan: Plan, space, task, table_id: str | None) -> Table:
    """Returns the table of the shards of a plan."""
    representatives, class_of = np.unique(space.classes(), return_inverse=True)
    trained = np.zeros(len(representatives), bool)
    curves = dict.fromkeys(Curves._fields)
    for chunk in plan.chunks:
        arrays = read_shard(folder, chunk)
        if arrays is None:
            raise RuntimeError(f"Expected the shard {chunk.name} in {folder}, got none or a damaged one; {_GOES_ON}.")
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
    steps = task.train.images.shape[1] // plan.config.batch_size
    num_examples = {split: getattr(task, split).num_images for split in SPLITS}
    return table_of_curves(
        _manifest(plan, space, task, table_id),
        class_of,
        representatives,
        {name: [getattr(size, name) for size in sizes] for name in ("num_parameters", "num_flops")},
        curves,
        trained,
        num_examples | {"train": steps * plan.config.batch_size},
    )


def _manifest(plan: Plan, space, task, table_id: str | None) -> dict:
    manifest = base_manifest(space, task, range(1, plan.config.num_epochs + 1), plan.seeds)
    return {
        **manifest,
        "id": table_id or f"{space.name}-{task.name}-v0",
        "training": asdict(plan.config),
        "plan": PLAN_NAMES[plan.training_plan],
        "versions": versions(),
        "machine": machine(),
        "git_commit": git_commit(),
        "licence": task.licence,
    }
