"""`jaxnas proxies`: every architecture of a space scored without training, into a column pack."""

import argparse
from pathlib import Path

import numpy as np

from jaxnas.cli.shared_options import task_name_of
from jaxnas.files import out_path, writable
from jaxnas.predictors.zero_cost.pack import build_pack, check_enumerable, default_id
from jaxnas.predictors.zero_cost.scores import proxies_of, setting_of
from jaxnas.progress import COMPILING, progress_bars
from jaxnas.spaces.named import space_named
from jaxnas.tables.table import Table
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.networks import networks_class


def run(options: argparse.Namespace) -> int:
    """Scores a space by zero-cost proxies and writes the column pack. Returns the exit code."""
    configure_compilation()
    space, task = space_named(options.space), task_named(task_name_of(options.task, options.label))
    choices = {"num_inits": options.inits, "batch_size": options.batch_size, "seed": options.seed}
    proxies_of(options.names, networks_class(space))  # errors come before anything is made
    check_enumerable(space)
    setting_of(space, task, **choices)
    pack_id = options.id or default_id(space, task)
    folder = writable(out_path(options.out, "proxies", pack_id))
    with progress_bars(COMPILING) as bars:
        bar = bars.add_task(COMPILING, total=None)

        def progress(done: int, total: int, name: str) -> None:
            bars.update(bar, description=name, completed=done, total=total)

        pack = build_pack(
            space,
            task,
            folder,
            options.names,
            **choices,
            pack_id=pack_id,
            progress=progress,
            ray=options.ray,
        )
    _show(pack, folder)
    return 0


def _show(pack: Table, folder: Path) -> None:
    print(f"{len(pack.representatives):,} classes, {len(pack.columns)} columns.")
    bad = {name: int((~np.isfinite(column.values)).sum()) for name, column in pack.columns.items()}
    if shown := ", ".join(f"{name} {count}" for name, count in bad.items() if count):
        print(f"Not finite: {shown}.")
    print(f"Column pack: {folder}")
