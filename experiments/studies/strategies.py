"""What a search should use by default: regret of strategies with their defaults after 20, 50, 100 and 300 trials.

Claim: from 20 trials on, `gaussian_process`, the default of a search, is better than random search.
Command: python experiments/studies/strategies.py --benchmarks nb201-mnist5k-v1 --trials 20 50 100 300
Run time: ten minutes a table.
Output: a table for each benchmark, in points, with 95 % intervals of the mean. Last line: a JSON object with the mean,
the interval and the runs for each benchmark, number of trials and strategy.
Page: docs/strategies.md

Each number of trials is a search of its own, since defaults such as the population of evolution follow it.
"""

import argparse
import json
import time

import numpy as np

import jaxnas as jn
from jaxnas.strategies.base import make
from jaxnas.strategies.named import strategy_named

STRATEGIES = (
    "random_search",
    "regularized_evolution",
    "local_search",
    "cross_entropy",
    "tree_parzen_estimator",
    "gaussian_process",
)
SLOW = {"tree_parzen_estimator": 10, "gaussian_process": 2}
"""How many times fewer runs these get."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", nargs="+", required=True)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--trials", nargs="+", type=int, default=(20, 50, 100, 300))
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = {}
    for source in options.benchmarks:
        bench = jn.load(source)
        found[bench.id] = {}
        print(f"| {bench.id} | " + " | ".join(f"{count} trials" for count in options.trials) + " |", flush=True)
        print("|---" * (1 + len(options.trials)) + "|")
        for name in options.strategies:
            started = time.perf_counter()
            cells = [measured(name, bench, count, options) for count in options.trials]
            seconds = time.perf_counter() - started
            found[bench.id][name] = dict(zip(map(str, options.trials), cells, strict=True))
            texts = [f"{each['mean']:.2f} [{each['low']:.2f}, {each['high']:.2f}]" for each in cells]
            print(f"| `{name}` | " + " | ".join(texts) + f" | {seconds:.0f} s", flush=True)
    print(json.dumps(found))


def measured(name: str, bench: jn.TableBenchmark, num_trials: int, options: argparse.Namespace) -> dict:
    """Returns the mean regret of the last incumbents in points, its interval and the number of runs."""
    num_runs = max(2, options.runs // SLOW.get(name, 1))
    strategy = make(strategy_named(name), bench)
    trials = jn.run(strategy, bench, num_trials=num_trials, num_runs=num_runs, seed=options.seed)
    regret = 100 * np.asarray(jn.regret(trials, bench, optimum_from="maximum"))[:, -1]
    half = 1.96 * regret.std(ddof=1) / num_runs**0.5
    low, high = float(regret.mean() - half), float(regret.mean() + half)
    return {"mean": float(regret.mean()), "low": low, "high": high, "num_runs": num_runs}


if __name__ == "__main__":
    main()
