"""The trials of runs as a long frame."""

from typing import TYPE_CHECKING

import numpy as np

from jaxnas.analysis.incumbent import check_trials, incumbents
from jaxnas.analysis.regret import regret
from jaxnas.benchmarks.base import Benchmark, fidelity_names, training_names
from jaxnas.simulation.trials import Trials

if TYPE_CHECKING:
    import pandas as pd


def to_frame(trials: Trials, bench: Benchmark) -> "pd.DataFrame":
    """Returns a pandas frame with a row for each trial of each run.

    Columns: run, trial, architecture (string), epochs, validation (as observed), seed, cost, total_cost, incumbent
    (number of a trial), and on benchmarks with a known optimum test_regret.
    """
    import pandas as pd

    check_trials(trials, bench)
    archs = np.asarray(trials.query.arch)
    num_runs, num_trials = archs.shape[:2]
    distinct, position = np.unique(archs.reshape(-1, archs.shape[-1]), axis=0, return_inverse=True)
    space = bench.space if archs.shape[-1] == len(bench.space.decisions) else bench.space.enumerated()
    strings = np.asarray([space.to_str(arch) for arch in distinct], object)
    cost, fidelity = np.asarray(trials.observation.cost), np.asarray(trials.query.fidelity).reshape(-1)
    several = len(set(training_names(bench))) > 1
    columns = {
        "run": np.repeat(np.arange(num_runs), num_trials),
        "trial": np.tile(np.arange(num_trials), num_runs),
        "architecture": strings[position.reshape(-1)],
        "epochs": np.asarray(bench.fidelities)[fidelity],
        **({"fidelity": np.asarray(fidelity_names(bench), object)[fidelity]} if several else {}),
        "validation": np.asarray(trials.observation.score).reshape(-1),
        "seed": np.asarray(trials.observation.seed).reshape(-1),
        "cost": cost.reshape(-1),
        "total_cost": np.cumsum(cost, axis=1).reshape(-1),
        "incumbent": incumbents(trials).reshape(-1),
    }
    if bench.held_out.optimum is not None:
        columns["test_regret"] = regret(trials, bench).reshape(-1)
    return pd.DataFrame(columns)
