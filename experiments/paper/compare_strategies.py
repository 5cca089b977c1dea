"""Compares search strategies on a table: the runs of `jaxnas compare` without its page, a script to copy and change.

Claim: on a complete table, a thousand runs of each strategy take seconds, compilation included.
Command: python experiments/paper/compare_strategies.py
Run time: under a minute on two cores.
Output: a table on the terminal; all trials, with incumbent and regret, as results/compare_strategies/trials.parquet.
Page: none
"""

import time
from dataclasses import dataclass
from pathlib import Path

import jaxnas as jn


@dataclass(frozen=True)
class Config:
    """What is compared."""

    benchmark: str = "nb201-mnist5k-v1"
    num_trials: int = 300
    num_runs: int = 1000
    seed: int = 0
    out: Path = Path("results/compare_strategies")


CONFIG = Config()


def main(config: Config = CONFIG) -> None:
    """Runs the comparison and writes its trials."""
    bench = jn.load(config.benchmark)
    space = bench.space
    strategies = {
        "random_search": jn.random_search(space),
        "local_search": jn.local_search(space),
        "regularized_evolution": jn.regularized_evolution(space, population_size=100, sample_size=10),
        "genetic_algorithm": jn.genetic_algorithm(space, population_size=30),
        "simulated_annealing": jn.simulated_annealing(space, initial_temperature=0.1, final_temperature=0.01),
        "cross_entropy": jn.cross_entropy(space, batch_size=50, elite_share=0.1),
        "reinforce": jn.reinforce(space, learning_rate=0.01),
        "reward_weighted_sampling": jn.reward_weighted_sampling(space, num_initial=10),
    }
    started = time.perf_counter()
    comparison = jn.compare(strategies, bench, num_trials=config.num_trials, num_runs=config.num_runs, seed=config.seed)
    seconds = time.perf_counter() - started
    runs = f"{len(strategies)} strategies, {config.num_runs} runs of {config.num_trials} trials each"
    print(f"{runs}: {seconds:.1f} s, compilation included")
    print(comparison.summary())
    config.out.mkdir(parents=True, exist_ok=True)
    comparison.to_frame().to_parquet(config.out / "trials.parquet")


if __name__ == "__main__":
    main()
