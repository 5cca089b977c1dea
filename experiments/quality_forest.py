"""Compares forests of 30 and of 100 trees as the predictor of `predictor_guided`, in the best score they find.

Claim: after 50, 100 and 300 trials their mean best scores differ by less than a tenth of what random search then lacks
to the best score of the table, with the whole 95 % interval of the difference.
Command: python experiments/quality_forest.py (`--runs N` for another number of runs)
Run time: about 8 minutes on one core of an Intel Xeon, three quarters of it in forests of 100 trees.
Output: a table on the terminal. Last line: a JSON object with, for each number of trials, the mean best scores, the
difference with its interval, the margin, and whether the interval is within it; whether all are (`passed`); and the
processor seconds of a run with each.
"""

import argparse
import functools
import json
import time

import numpy as np

import jaxnas as jn

BENCHMARK = "nb201-shifted-digits-v1"
CHECKPOINTS = (50, 100, 300)
NUM_RUNS = 120
NUM_RANDOM_RUNS = 4000
SHARE = 0.1
TREES = (30, 100)


def forest(num_trees: int) -> object:
    """Returns a forest of that many trees, otherwise as scikit-learn makes it by default."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(num_trees)


def best_scores(strategy: jn.Strategy, bench: jn.Benchmark, num_runs: int) -> tuple[np.ndarray, float]:
    """Returns the best score of each run after each trial, float[runs, T], and the processor seconds of a run."""
    started = time.process_time()
    trials = jn.run(strategy, bench, num_trials=max(CHECKPOINTS), num_runs=num_runs)
    seconds = (time.process_time() - started) / num_runs
    return np.fmax.accumulate(trials.observation.score, axis=1), seconds


def compared(few: np.ndarray, many: np.ndarray, random: np.ndarray, best: float) -> dict[str, float | bool]:
    """Returns the figures of the best scores [runs] after some trials."""
    difference = few.mean() - many.mean()
    error = np.sqrt(few.var(ddof=1) / len(few) + many.var(ddof=1) / len(many))
    low, high, margin = difference - 1.96 * error, difference + 1.96 * error, SHARE * (best - random.mean())
    values = {"few": few.mean(), "many": many.mean(), "random": random.mean(), "difference": difference}
    values |= {"low": low, "high": high, "margin": margin}
    return {**{name: float(value) for name, value in values.items()}, "within": bool(-margin < low and high < margin)}


def main(num_runs: int) -> None:
    """Prints the comparison."""
    bench = jn.load(BENCHMARK, noise="mean")
    found, seconds = {}, {}
    for number in TREES:
        strategy = jn.predictor_guided(bench.space, regressor_factory=functools.partial(forest, number))
        found[number], seconds[number] = best_scores(strategy, bench, num_runs)
    random, _ = best_scores(jn.random_search(bench.space), bench, NUM_RANDOM_RUNS)
    best = float(np.nanmax(bench.validation_scores(np.arange(bench.space.num_architectures)[:, None])))
    rows = {}
    print("trials  30 trees 100 trees   random  difference  95 % interval         margin  within")
    for number in CHECKPOINTS:
        few, many, drawn = (values[:, number - 1] for values in (*found.values(), random))
        rows[number] = row = compared(few, many, drawn, best)
        print(
            f"{number:6} {row['few']:9.5f} {row['many']:9.5f} {row['random']:8.5f} {row['difference']:11.5f} "
            f"{row['low']:9.5f} to {row['high']:8.5f} {row['margin']:8.5f}  {row['within']}"
        )
    passed = all(row["within"] for row in rows.values())
    print(json.dumps({"passed": passed, "runs": num_runs, "best": best, "trials": rows, "seconds_of_a_run": seconds}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=NUM_RUNS, help=f"runs with each forest (default {NUM_RUNS})")
    main(parser.parse_args().runs)
