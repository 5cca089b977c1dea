"""Fresh tables: a space, a task and a recipe by a seed, so that nobody can have seen the scores before."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

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
from jaxnas.training.config import TrainConfig

SECONDS = {"mlp-small": 0.1, "recurrent-3": 0.5, "recurrent-4": 0.5, "joint-small": 0.5}
"""Seconds of one core for a training in each space, at most, on the machine of docs/sessions.md."""
_OF_SEQUENCES = ("recurrent-3", "recurrent-4")
NUM_CORES, SHARE = 2, 0.7
"""How many cores are counted on, and the share of their time that is planned; the rest is compilation and reserve."""
FEWEST_SEEDS, MOST_SEEDS = 3, 6
LEAST_RELIABILITY = 0.8
SEAL_FILE = "seal.json"


class FreshPlan(NamedTuple):
    """The trainings of a fresh table: names of its space and its task, the recipe, and the seeds of each class."""

    space: str
    task: str
    training: TrainConfig
    num_seeds: int


def fresh_plan(seed: int, minutes: float) -> FreshPlan:
    """Returns the plan that a seed chooses for two cores and this time; equal ones for equal arguments.

    Raises ValueError if the time is too short for every space.
    """
    checked_number("minutes", minutes, above=0)
    budget = 60 * minutes * NUM_CORES * SHARE
    fitting = {name: _num_seeds(name, budget) for name in SECONDS}
    names = [name for name, number in fitting.items() if number >= FEWEST_SEEDS]
    if not names:
        raise ValueError(f"Expected more minutes: {minutes:g} are too few for {FEWEST_SEEDS} trainings of each class.")
    random = np.random.default_rng(checked_seed(seed))
    space = names[random.integers(len(names))]
    task = f"{PREFIX}{seed}{ROWS if space in _OF_SEQUENCES else ''}"
    default = default_training(space_named(space), task_named(task))
    rate = float(f"{default.learning_rate * 2 ** random.uniform(-0.7, 0.7):.3g}")
    epochs = default.num_epochs + int(random.integers(-1, 2))
    training = replace(default, learning_rate=rate, num_epochs=max(epochs, 2))
    return FreshPlan(space, task, training, min(fitting[space], MOST_SEEDS))


def _num_seeds(space: str, budget: float) -> int:
    num_classes = len(np.unique(space_named(space).classes()))
    return int(budget / (num_classes * SECONDS[space]))


def fresh(
    folder: str | os.PathLike,
    seed: int,
    *,
    minutes: float = 30,
    num_processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Returns a table that was never published, after building it; a call after an interruption resumes.

    The seed chooses the space, changes the task (see `jaxnas.tasks.fresh`) and chooses the recipe. The folder then has
    a seal, `seal.json`: the content hash of the table with its reliability. Publish its SHA-256 before searchers see
    the table, and the folder afterwards.

    Args:
        seed: a secret one, until the searches are done.
        minutes: of two cores, about; a plan for another time may be of another space.
        num_processes: as of `jn.build`.

    Raises RuntimeError if the means over seeds have a reliability below 0.8; no table is left then.
    """
    plan, folder = fresh_plan(seed, minutes), writable(Path(folder))
    config = BuildConfig(plan.training, num_seeds=plan.num_seeds, table_id=f"{plan.space}-fresh-v1")
    table = build(plan.space, plan.task, folder, config, num_processes=num_processes, progress=progress)
    assert table is not None
    found = reliability_of(table)
    if found < LEAST_RELIABILITY:
        for name in (TABLE_FILE, MANIFEST_FILE, CARD_FILE):
            (folder / name).unlink(missing_ok=True)
        raise RuntimeError(
            f"The table of seed {seed} does not tell its architectures apart: its means have a reliability of "
            f"{found:.2f}, less than {LEAST_RELIABILITY}; take another seed."
        )
    seal = {"table": table.id, "content_hash": table.manifest["content_hash"], "seed": seed, "minutes": minutes}
    text = json.dumps(seal | {"reliability": round(found, 4), "versions": versions()}, indent=1) + "\n"
    replace_file(folder / SEAL_FILE, text.encode())
    return table


def reliability_of(table: Table) -> float:
    """Returns the reliability of the means over seeds of the validation scores at the last fidelity."""
    scores = table.scores("validation")[..., -1].astype(np.float64)
    return reliability(scores[np.isfinite(scores).all(axis=1)], scores.shape[1])


def seal_of(folder: str | os.PathLike) -> str:
    """Returns the SHA-256 of the seal of a fresh table."""
    return hashlib.sha256((Path(folder) / SEAL_FILE).read_bytes()).hexdigest()
