"""Compares the results of predictor-guided search with forests of 30 trees, its default, and of 100.

Claim: after 300 trials the mean best scores differ by less than a tenth of what random search then lacks to the best
score of the table, with the whole 95 % interval of the difference, and searches with 30 trees take less than half of
the time. After 100 trials 100 runs do not decide that. Figures: docs/speed.md.
Command: python experiments/validity/quality_predictor_guided.py (`--runs N`)
Run time: about eight minutes on a quiet core, nearly all of it in the forests.
Output: the mean best scores, the difference with its interval and the margin; the processor seconds of a run of each.
Last line: a JSON object with these figures.
Page: docs/speed.md
"""

import argparse
import json
import time

import numpy as np
from sklearn.ensemble import RandomForestRegressor

import jaxnas as jn

BENCHMARK = "nb201-shifted-digits-v1"
CHECKPOINTS = (100, 300)
SHARE = 0.1


def best_scores(
    strategy: jn.Strategy, bench: jn.benchmarks.Benchmark, num_runs: int, seed: int
) -> tuple[np.ndarray, float]:
    """Returns the best score so far of each run and trial, float[runs, T], and the processor seconds of a run."""
    begun = time.process_time()
    trials = jn.run(strategy, bench, num_trials=max(CHECKPOINTS), num_runs=num_runs, seed=seed)
    seconds = time.process_time() - begun
    return np.fmax.accumulate(np.asarray(trials.observation.score), axis=1), seconds / num_runs


def main(num_runs: int) -> None:
    """Prints the comparison."""
    bench = jn.load(BENCHMARK, noise="mean")
    best = float(np.nanmax(bench.validation_scores(np.arange(bench.space.num_architectures)[:, None])))
    own, own_seconds = best_scores(jn.predictor_guided(bench.space), bench, num_runs, seed=0)
    forest = jn.predictor_guided(bench.space, regressor_factory=RandomForestRegressor)
    large, large_seconds = best_scores(forest, bench, num_runs, seed=1)
    random, _ = best_scores(jn.random_search(bench.space), bench, 20 * num_runs, seed=0)
    rows = {}
    for number in CHECKPOINTS:
        few, many = own[:, number - 1], large[:, number - 1]
        difference = few.mean() - many.mean()
        error = 1.96 * np.sqrt((few.var(ddof=1) + many.var(ddof=1)) / num_runs)
        margin = SHARE * (best - random[:, number - 1].mean())
        rows[number] = {
            "own": float(few.mean()),
            "large": float(many.mean()),
            "low": float(difference - error),
            "high": float(difference + error),
            "margin": float(margin),
            "within": bool(-margin < difference - error and difference + error < margin),
        }
        print(
            f"{number} trials: 30 trees {few.mean():.5f}, 100 trees {many.mean():.5f}, "
            f"difference {difference:+.5f} ± {error:.5f}, margin {margin:.5f}"
        )
    print(f"processor seconds a run: {own_seconds:.2f} and {large_seconds:.2f}")
    print(json.dumps({"num_runs": num_runs, "trials": rows, "seconds": [own_seconds, large_seconds]}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    main(parser.parse_args().runs)
