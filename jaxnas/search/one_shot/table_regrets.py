"""The references for the result of a one-shot search: the architectures of a complete table."""

import math
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.analysis.optima import optimum
from jaxnas.analysis.regret import regret
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.search.one_shot.step import Setting
from jaxnas.simulation.run import run
from jaxnas.spaces.base import Space, has_rows
from jaxnas.strategies.random_search import random_search
from jaxnas.tables.shipped import shipped_ids
from jaxnas.tables.table import Table
from jaxnas.tasks.base import Task
from jaxnas.training.networks import MixedNetworks
from jaxnas.training.trainer import Trainer

NUM_RANDOM_RUNS = 1000
MAX_TRAININGS = 1000
_SAMPLE = 200


class TableRegrets(NamedTuple):
    """How good the results of a search are, by a table. Regrets are of the table's reported score, larger is worse.

    Attributes:
        regrets: of the architecture that each run found, float64[S].
        median_regret: of the median architecture of the space.
        random_regret: the mean of random search at equal cost.
        num_trainings: how many architectures that trains in full.
    """

    table: str
    regrets: np.ndarray
    median_regret: float
    random_regret: float
    num_trainings: int


def shipped_table(space: Space, task: Task) -> Table | None:
    """Returns the table that ships for a space and a task; None if there is none."""
    name = f"{space.name}-{task.name}-v1"
    if name not in shipped_ids():
        return None
    table = Table.read(name)
    return table if table.manifest.get("task", {}).get("sha256") == task.sha256 else None


def regrets_by_table(bench: TableBenchmark, archs: np.ndarray, num_trainings: float) -> TableRegrets:
    """Returns how good architectures, int32[S, D], are by a table.

    Args:
        num_trainings: the cost of one search in full trainings; random search is given that many, rounded up.
    """
    best, rows = optimum(bench).value, np.arange(bench.space.num_architectures)[:, None]
    everything = best - bench.held_out.scores(rows)
    count = min(max(math.ceil(num_trainings), 1), MAX_TRAININGS)
    found = regret(run(random_search, bench, num_trials=count, num_runs=NUM_RANDOM_RUNS), bench)[:, -1]
    return TableRegrets(
        bench.id,
        np.asarray(best - bench.held_out.scores(archs), np.float64),
        float(np.nanmedian(everything)),
        float(np.mean(found)),
        count,
    )


def cost_in_trainings(setting: Setting, trainer: Trainer, num_steps: int, num_scored: int) -> float:
    """Returns the cost of a search in full trainings of a random architecture, by multiply-accumulates.

    A step with its gradient counts three forward passes; so does a step of a training, whose evaluations are not
    counted. The cost of a mixture is the sum of all operations on all edges.

    Args:
        num_scored: forward passes of an example that the selection took.
    """
    path = float(np.mean([trainer.size(arch).num_flops for arch in _sampled(setting.space)]))
    step = path if setting.sample_kind == "arch" else _mixture_flops(setting)
    examples = trainer.task.train.inputs.shape[1] // trainer.config.batch_size * trainer.config.batch_size
    training = 3 * trainer.config.num_epochs * examples * path
    searched = 3 * num_steps * trainer.config.batch_size * setting.method.passes * step
    return (searched + num_scored * path) / training


def _sampled(space: Space) -> np.ndarray:
    """Returns random architectures, int32[n, D]."""
    if not has_rows(space):
        return np.asarray(jax.vmap(space.sample)(jax.random.split(jax.random.key(0), _SAMPLE)))
    rows = np.random.default_rng(0).integers(0, space.num_architectures, _SAMPLE)
    return np.stack([np.asarray(space.arch_at(row)) for row in rows])


def _mixture_flops(setting: Setting) -> float:
    """Returns the multiply-accumulates of a mixture for one example."""
    assert isinstance(setting.networks, MixedNetworks)  # as `setting_of` has made sure
    fixed, choices = setting.networks.flops()
    return fixed + float(choices.sum()) / setting.method.partial**2
