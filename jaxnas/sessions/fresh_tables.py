"""Fresh tables, whose scores nobody can have seen before: a space, a task and a recipe by a seed."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxnas.checks import checked_number, checked_seed
from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE, replace_file, writable
from jaxnas.provenance import versions
from jaxnas.spaces.named import space_named
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.building.fidelities import default_training
from jaxnas.tables.reliability import reliability
from jaxnas.tables.table import Table
from jaxnas.tasks.fresh import PREFIX, ROWS
from jaxnas.tasks.named import task_named

SECONDS = {"mlp-small": 0.1, "recurrent-3": 0.2, "joint-small": 0.7}
"""Seconds of one core for a training in each space that a fresh table can be of, at most; see docs/sessions.md."""
_OF_SEQUENCES = ("recurrent-3",)
NUM_CORES, SHARE = 2, 0.7  # the share of their time that is planned; the rest is compilation and reserve
FEWEST_SEEDS, MOST_SEEDS = 3, 6
LEAST_RELIABILITY = 0.8
SEAL_FILE = "seal.json"


def fresh_plan(seed: int, minutes: float) -> tuple[str, str, BuildConfig]:
    """Returns the names of the space and of the task, and the trainings, that a seed chooses for a time on two cores.

    Raises ValueError if the time is too short for every space.
    """
    budget, random = 60 * NUM_CORES * SHARE * checked_number("minutes", minutes, above=0), np.random.default_rng(seed)
    classes = {name: len(np.unique(space_named(name).classes())) for name in SECONDS}
    fitting = {name: int(budget / (classes[name] * SECONDS[name])) for name in SECONDS}
    names = [name for name, number in fitting.items() if number >= FEWEST_SEEDS]
    if not names:
        raise ValueError(f"Expected more minutes: {minutes:g} are too few for {FEWEST_SEEDS} trainings of each class.")
    space = names[random.integers(len(names))]
    task = f"{PREFIX}{checked_seed(seed)}{ROWS if space in _OF_SEQUENCES else ''}"
    default = default_training(space_named(space), task_named(task))
    rate = float(f"{default.learning_rate * 2 ** random.uniform(-0.7, 0.7):.3g}")
    training = replace(default, learning_rate=rate, num_epochs=default.num_epochs + int(random.integers(-2, 3)))
    number = min(fitting[space], MOST_SEEDS)
    return space, task, BuildConfig(training, num_seeds=number, table_id=f"{space}-fresh-v1")


def fresh(
    folder: str | os.PathLike,
    seed: int,
    *,
    minutes: float = 30,
    num_processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Returns a table that was never published, after building and sealing it; an interrupted call resumes.

    The seed chooses the space, changes the task (see `jaxnas.tasks.fresh`) and chooses the recipe; keep it secret until
    searches are done. `minutes` are of two cores, about: another number can choose another space. `seal.json` in the
    folder has the content hash of the table and its reliability. Other arguments as of `jn.build`.

    Raises RuntimeError if the means over seeds have a reliability below 0.8; no table is left then.
    """
    folder, (space, task, config) = writable(Path(folder)), fresh_plan(seed, minutes)
    table = build(space, task, folder, config, num_processes=num_processes, progress=progress)
    assert table is not None
    found = reliability_of(table)
    if found < LEAST_RELIABILITY:
        for name in (TABLE_FILE, MANIFEST_FILE, CARD_FILE):
            (folder / name).unlink(missing_ok=True)
        raise RuntimeError(
            f"The table of seed {seed} does not distinguish its architectures: its means have a reliability of "
            f"{found:.2f}, less than {LEAST_RELIABILITY}; take another seed."
        )
    seal = {"table": table.id, "content_hash": table.manifest["content_hash"], "seed": seed, "minutes": minutes}
    seal |= {"reliability": round(found, 4), "versions": versions()}
    replace_file(folder / SEAL_FILE, (json.dumps(seal, indent=1) + "\n").encode())
    return table


def reliability_of(table: Table) -> float:
    """Returns the reliability of the means over seeds of the validation scores at the last fidelity."""
    scores = table.scores("validation")[..., -1].astype(np.float64)
    return reliability(scores[np.isfinite(scores).all(axis=1)], scores.shape[1])
