"""One process of a build: `python -m jaxnas.tables.building.worker PLAN --worker i/N [--core C]`.

It trains chunks until none is missing.

Workers share nothing but the folder. Worker i begins with chunks i, i + N, ... and then takes what is still missing,
from the end; two may at worst train the same chunk, to the same numbers. A shard appears by one rename, so that it
is whole or not there; one that was damaged since counts as missing.
"""

import argparse
import ctypes
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded in functions, after the core and the number of threads are set
    from jaxnas.tables.building.plan import Chunk
    from jaxnas.training.curves import Curves


def main(arguments: list[str] | None = None) -> None:
    """Runs a worker; with `--core` it keeps to that core and to one thread.

    What stops it is the last line of its standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m jaxnas.tables.building.worker", description=__doc__)
    parser.add_argument("plan", type=Path, help="plan.json of a build")
    parser.add_argument("--worker", required=True, help="i/N, from 0/N")
    parser.add_argument("--core", type=int, help="the core to keep to")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="the process without which it stops")
    options = parser.parse_args(arguments)
    if options.core is not None:  # before JAX starts its threads
        os.sched_setaffinity(0, {options.core})
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    number, count = (int(part) for part in options.worker.split("/"))
    try:
        work(options.plan, number, count, options.parent)
    except Exception as error:
        traceback.print_exc()  # which may end in lines that say little
        lines = str(error).splitlines() or ["no message"]
        sys.exit(f"{type(error).__name__}: {lines[0]}")


def work(plan_path: Path, number: int, count: int, parent: int) -> None:
    """Trains the missing chunks of a plan as worker `number` of `count`.

    It stops after the training during which the process `parent` has gone, also where that was killed.
    """
    import numpy as np

    from jaxnas import catalog
    from jaxnas.tables.building.plan import plan_from_json, read_shard
    from jaxnas.training.compilation import configure_compilation
    from jaxnas.training.networks import networks_class
    from jaxnas.training.trainer import Trainer

    def after_each() -> None:
        if os.getppid() != parent:
            sys.exit("The process that started this worker has gone.")
        _release_unused_memory()

    configure_compilation()
    plan = plan_from_json(plan_path.read_text(encoding="utf-8"))
    space = catalog.checked_space(catalog.load(plan.space)) if ":" in plan.space else catalog.space(plan.space)
    trainer = Trainer(space, catalog.task(plan.task), plan.config_for(networks_class(space).default))
    folder = plan_path.parent
    own = plan.chunks[number::count]
    others = sorted(set(plan.chunks) - set(own), key=plan.chunks.index, reverse=True)
    for chunk in (*own, *others):
        after_each()
        if read_shard(folder, chunk, plan.shape) is None:
            archs = [space.arch_at(np.int32(row)) for row in chunk.rows]
            curves = trainer.curves(archs, plan.seeds, plan=plan.training_plan, progress=after_each)
            if read_shard(folder, chunk, plan.shape) is None:  # no other worker was faster
                write_shard(folder, chunk, curves)


def _release_unused_memory() -> None:
    """Gives freed memory back to the system where the C library can: compiling needs twice what training does."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim:
        trim(0)


def write_shard(folder: Path, chunk: "Chunk", curves: "Curves") -> None:
    """Writes the curves of a chunk so that the file is whole or not there."""
    from jaxnas.files import replace_file
    from jaxnas.tables.building.plan import shard_bytes, shard_path

    replace_file(shard_path(folder, chunk), shard_bytes(chunk, curves))


if __name__ == "__main__":
    main()
