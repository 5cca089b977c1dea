"""Compares search strategies on a table: the same as `jaxnas compare`, as a script to copy and change.

Claim: on a complete table, a thousand runs of each strategy take seconds, compilation included.
Command: python experiments/compare_strategies.py
Run time: under a minute on two cores.
Output: a table on the terminal; all trials, with incumbent and regret, as Parquet in results/compare_strategies.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import jaxnas as jn


@dataclass(frozen=True)
class Config:
    """What is compared."""

    benchmark: str = "nb201-shifted-digits-v0"
    num_trials: int = 300
    num_runs: int = 1000
    seed: int = 0
    out: Path = Path("results/compare_strategies")


CONFIG = Config()


def main(config: Config = CONFIG) -> None:
    """Runs the comparison and writes its trials."""
    bench = jn.load(config.benchmark)
    strategies = {
        "random_search": jn.random_search(bench.space),
        "local_search": jn.local_search(bench.space),
        "regularized_evolution": jn.regularized_evolution(bench.space),
        "regularized_evolution, population 20": jn.regularized_evolution(
            bench.space, population_size=20, sample_size=5
        ),
    }
    started = time.perf_counter()
    trials = jn.compare(strategies, bench, num_trials=config.num_trials, num_runs=config.num_runs, seed=config.seed)
    seconds = time.perf_counter() - started
    runs = f"{len(strategies)} strategies, {config.num_runs} runs of {config.num_trials} trials each"
    print(f"{runs}: {seconds:.1f} s, compilation included")
    print(jn.summary(trials, bench))
    config.out.mkdir(parents=True, exist_ok=True)
    for name, each in trials.items():
        jn.to_frame(each, bench).to_parquet(config.out / f"{name}.parquet")


if __name__ == "__main__":
    main()
