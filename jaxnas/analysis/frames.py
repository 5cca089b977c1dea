"""The results of a comparison as a dictionary (`summary.json`), as a small table, and as a long frame of every
trial.
"""

import numpy as np

from jaxnas.analysis.incumbents import incumbents
from jaxnas.analysis.regret import regret
from jaxnas.analysis.results import summarize
from jaxnas.simulation.trials import Trials


def summary(trials: dict[str, Trials], bench):
    """Returns a pandas frame with a row for each strategy, best first, all in percent but the rank.

    Columns: `regret` after the last trial on test (searches saw validation only), `low` and `high`, its 95 %
    bootstrap interval over runs; `test` and `validation`, the mean scores of the architectures found; `rank`, the mean
    rank.
    """
    import pandas as pd

    results = summarize(trials, bench)["strategies"]
    rows = {}
    for name, result in sorted(results.items(), key=lambda item: item[1]["mean_rank"]):
        ends = {
            column: result[f"regret_{key}"][-1]
            for column, key in (("regret", "mean"), ("low", "ci_low"), ("high", "ci_high"))
        }
        scores = {"test": result["final_test_mean"], "validation": result["final_validation_mean"]}
        rows[name] = {column: round(100 * value, 3) for column, value in (ends | scores).items()}
        rows[name]["rank"] = round(result["mean_rank"], 2)
    return pd.DataFrame.from_dict(rows, orient="index")


def to_frame(trials: Trials, bench):
    """Returns a pandas frame with a row for each trial of each run.

    Columns: run, trial, architecture (string), epochs, validation (the score told), seed, cost, total_cost, incumbent
    (number of a trial), and on benchmarks with a known optimum test_regret.
    """
    import pandas as pd

    archs = np.asarray(trials.query.arch)
    num_runs, num_trials = archs.shape[:2]
    distinct, position = np.unique(archs.reshape(-1, archs.shape[-1]), axis=0, return_inverse=True)
    space = bench.space if archs.shape[-1] == len(bench.space.decisions) else bench.space.enumerated()
    strings = np.asarray([space.to_str(arch) for arch in distinct], object)
    cost = np.asarray(trials.observation.cost)
    columns = {
        "run": np.repeat(np.arange(num_runs), num_trials),
        "trial": np.tile(np.arange(num_trials), num_runs),
        "architecture": strings[position.reshape(-1)],
        "epochs": np.asarray(bench.fidelities)[np.asarray(trials.query.fidelity)].reshape(-1),
        "validation": np.asarray(trials.observation.score).reshape(-1),
        "seed": np.asarray(trials.observation.seed).reshape(-1),
        "cost": cost.reshape(-1),
        "total_cost": np.cumsum(cost, axis=1).reshape(-1),
        "incumbent": incumbents(trials).reshape(-1),
    }
    if bench.held_out.optimum is not None:
        columns["test_regret"] = regret(trials, bench).reshape(-1)
    return pd.DataFrame(columns)
