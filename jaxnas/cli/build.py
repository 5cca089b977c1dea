"""`jaxnas build`: every architecture of a space, trained on a task into a table."""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jaxnas.cli.shared_options import task_name_of
from jaxnas.files import out_path, writable
from jaxnas.progress import COMPILING, progress_bars
from jaxnas.spaces.named import space_named
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.building.fidelities import default_training, training_grid
from jaxnas.tables.table import Table
from jaxnas.tables.trainings import trainings_that_failed
from jaxnas.tasks.named import task_named


def run(options: argparse.Namespace) -> int:
    """Trains a space on a task and writes the table. Returns the exit code."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # this process may not fill a GPU of its workers
    task_name = task_name_of(options.task, options.label)
    space, task = space_named(options.space), task_named(task_name)
    training = replace(default_training(space, task), test=options.test)
    grid = training_grid(
        space, task, training, widths=options.widths, resolutions=options.resolutions, epochs=options.epochs
    )
    table_id = options.id or f"{space.name}-{task.name}-v0"
    folder = writable(out_path(options.out, "build", table_id))
    time_left = make_time_left()
    with progress_bars(remaining="{task.fields[left]}") as bars:
        bar = bars.add_task(COMPILING, total=None, left="")

        def progress(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total, left=time_left(done, total))

        built = build(
            options.space,
            task_name,
            folder,
            BuildConfig(
                training=grid if len(grid) > 1 else next(iter(grid.values())),
                order=options.order,
                num_seeds=options.seeds,
                limit=options.limit,
                table_id=table_id,
            ),
            num_processes=options.processes,
            ray=options.ray,
            shard=options.shard,
            replace_table=options.replace,
            progress=progress,
        )
    if built is None:
        part = "{} of {}".format(*options.shard)
        print(f"Part {part} is trained; when all are in one folder, run again without --shard.")
    else:
        _show(built, folder)
    return 0


def _show(built: Table, folder: Path) -> None:
    failed = trainings_that_failed(built)
    done = f"{built.trained.sum():,} of {len(built.trained):,} classes"
    print(f"{done} trained with {built.num_seeds} seed(s), {failed} trainings failed.")
    print(f"Table: {folder}")


def make_time_left(clock: Callable[[], float] = time.monotonic) -> Callable[[int, int], str]:
    """Returns a function from the numbers of finished and of all classes to text: the time left at this run's rate.

    Rich's own estimate looks at the last seconds only, and classes are finished in whole chunks of minutes.
    """
    started, before, latest, end = clock(), None, None, None

    def left(done: int, total: int) -> str:
        nonlocal before, latest, end
        before = done if before is None else before
        if done != latest and done > before:
            end = clock() + (clock() - started) * (total - done) / (done - before)
        latest = done
        return "" if end is None else f"{timedelta(seconds=max(round(end - clock()), 0))} left"

    return left
