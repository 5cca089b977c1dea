"""The trajectories that no refactoring may change. `python tests/golden/record.py` (from the repository's root, two
minutes) writes `trajectories.json` again: only after a change of arithmetic that is meant, and says so in CHANGELOG.

Output: for every strategy the rows it asks for in RUNS runs of TRIALS trials on TABLE, a digest of all that the runs
hold, and the same of strategies on the table's rows; digests of the curves of two small trainings; the content hashes
of the tables that ship; and the machine and jaxlib that computed them.
"""

# ruff: noqa: E402

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from helpers.samples import SMALL, SMALL_MLP, TWO_STAGES, make_strategy, make_task

import jaxnas as jn
from jaxnas import catalog
from jaxnas.provenance import machine, versions
from jaxnas.tables.shipped import shipped_ids
from jaxnas.training.trainer import Trainer

TABLES = shipped_ids()
TABLE = "mlp-small-shifted-digits-v1"
FILE = HERE / "trajectories.json"
RUNS, TRIALS = 2, 60
ROWS = ("random_search", "regularized_evolution", "hyperband", "tree_parzen_estimator")
FLOATING = {
    "tree_parzen_estimator": 10,
    "gaussian_process": 10,
    "bananas": 10,
    "predictor_guided": 20,
    "reinforce": 2,
    "bohb": 9,
}
"""Strategies that choose by sums of floating-point numbers, whose order the compiler chooses, and how many trials they
make before: these are the same on every machine.
"""


def digest(arrays) -> str:
    """Returns a hash of dtypes, shapes and bytes of a tree of arrays."""
    found = hashlib.sha256()
    for array in map(np.ascontiguousarray, jax.tree.leaves(arrays)):
        found.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()


def trajectory(name: str, rows: bool = False) -> dict:
    """Returns rows int[RUNS][TRIALS] and the digest of the trials of a strategy with seed 0."""
    bench = jn.load(TABLE)
    space = bench.space.enumerated() if rows else bench.space
    strategy = make_strategy(name, space, fidelities=bench.fidelities, size=bench.size("parameters"))
    trials = jn.run(strategy, bench, num_trials=TRIALS, num_runs=RUNS)
    return {
        "rows": np.asarray(bench.rows(trials.query.arch)).tolist(),
        "digest": digest((trials.query[:2], trials.observation)),
    }


def trainings() -> dict[str, str]:
    """Returns digests of the curves of small trainings of both kinds of network."""
    task, seeds = make_task(), (0, 1)
    spaces = {
        "cells": (SMALL, [[2, 3, 4], [1, 2, 2]], TWO_STAGES),
        "perceptrons": (SMALL_MLP, SMALL_MLP.arch_at(np.array([7, 200])), replace(TWO_STAGES, network=None)),
    }
    return {
        name: digest(Trainer(space, task, config).curves(archs, seeds))
        for name, (space, archs, config) in spaces.items()
    }


def identity() -> dict[str, str]:
    """Returns what floating-point numbers depend on."""
    return {"jaxlib": versions()["jaxlib"], "machine": machine()}


def trajectories(names: Iterable[str]) -> dict[str, dict]:
    """Returns the trajectories of strategies, also on rows where these are recorded."""
    cases = {name: trajectory(name) for name in names}
    return cases | {f"{name} on rows": trajectory(name, rows=True) for name in ROWS if name in cases}


def floating() -> dict[str, dict]:
    """Returns what depends on floating-point numbers: `trajectories` and `trainings`."""
    return {"trajectories": trajectories(FLOATING), "trainings": trainings()}


def main() -> None:
    cases = trajectories(catalog.STRATEGIES)
    tables = {name: jn.load(name).table.manifest["content_hash"] for name in TABLES}
    recorded = {"identity": identity(), "tables": tables, "trainings": trainings(), "trajectories": cases}
    text = json.dumps(recorded, indent=1)
    FILE.write_text(re.sub(r"\[[^][]*\]", lambda each: " ".join(each[0].split()), text) + "\n")  # a list is one line


if __name__ == "__main__":
    main()
