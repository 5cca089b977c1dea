"""One process of a build: `python -m jaxnas.build.worker PLAN --worker i/N [--core C]` trains chunks until none is
missing.

Workers share nothing but the folder. Worker i begins with chunks i, i + N, ... and then takes what is still missing,
from the end; two may at worst train the same chunk, to the same numbers. A shard appears by one rename, so that it
is whole or not there.
"""

import argparse
import io
import os
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Runs a worker; with `--core` it keeps to that core and to one thread."""
    parser = argparse.ArgumentParser(prog="python -m jaxnas.build.worker", description=__doc__)
    parser.add_argument("plan", type=Path, help="plan.json of a build")
    parser.add_argument("--worker", required=True, help="i/N, from 0/N")
    parser.add_argument("--core", type=int, help="the core to keep to")
    options = parser.parse_args(arguments)
    if options.core is not None:  # before JAX starts its threads
        os.sched_setaffinity(0, {options.core})
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    number, count = (int(part) for part in options.worker.split("/"))
    work(options.plan, number, count)


def work(plan_path: Path, number: int, count: int) -> None:
    """Trains the missing chunks of a plan as worker `number` of `count`; stops when its parent process has gone."""
    from jaxnas.build.plan import plan_from_json, shard_path
    from jaxnas.train import use_compilation_cache

    use_compilation_cache()
    parent = os.getppid()
    plan = plan_from_json(plan_path.read_text())
    folder = plan_path.parent
    own = plan.chunks[number::count]
    others = sorted(set(plan.chunks) - set(own), key=plan.chunks.index, reverse=True)
    for chunk in (*own, *others):
        path = shard_path(folder, chunk)
        if os.getppid() != parent:
            return
        if not path.exists():
            _write_shard(path, _train_chunk(plan, chunk))


def _train_chunk(plan, chunk) -> dict:
    from jaxnas import catalog
    from jaxnas.train import evaluate

    space = catalog.space(plan.space)
    archs = [space.arch_at(row) for row in chunk.rows]
    return evaluate(space, archs, catalog.task(plan.task), plan.config, plan.seeds)._asdict()


def _write_shard(path: Path, arrays: dict) -> None:
    import numpy as np

    from jaxnas.table import replace_file

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    replace_file(path, buffer.getvalue())


if __name__ == "__main__":
    main()
