"""Checks predicted power, and comparisons that stop when they are decided, on runs of real strategies.

Claim: the power that `jn.analysis.power` predicts from pilot runs is the power of fresh runs; its error is the sampling
error of the pilot runs. A comparison that looks repeatedly needs fewer runs, and hardly ever separates equals.
Command: python experiments/validity/predicted_power.py
Run time: about a minute on one core.
Output: differences between predicted and simulated power over all pairs of strategies, with the pilot runs and with
fresh ones; runs that pairs needed; how often a strategy was separated from itself; the seconds of the statistics of a
default comparison. Last line: a JSON object with the figures.
Page: none
"""

import itertools
import json
import time
from dataclasses import dataclass

import numpy as np

import jaxnas as jn
from jaxnas.analysis.pairs import mann_whitney
from jaxnas.analysis.statistics import LEVEL, mean_ranks, probability_best
from jaxnas.report.comparison import SINGLE_OBJECTIVE


@dataclass(frozen=True)
class Config:
    """What is checked: the regrets after the last trial, the first runs as pilot runs, the others as fresh ones."""

    benchmark: str = "nb201-mnist5k-v1"
    strategies: tuple = SINGLE_OBJECTIVE
    num_trials: int = 300
    num_runs: int = 5000
    num_at_hand: int = 1000
    num_runs_compared: tuple = (10, 30, 100)
    num_repetitions: int = 500
    num_nulls: int = 500
    most_runs: int = 1000


CONFIG = Config()


def simulated_power(first: np.ndarray, second: np.ndarray, num_runs: int, random: np.random.Generator) -> float:
    """Returns how often runs drawn from those of two strategies are separated."""
    shape = (CONFIG.num_repetitions, num_runs)
    return float((mann_whitney(random.choice(first, shape), random.choice(second, shape)) <= LEVEL).mean())


def errors_of_power(final: dict, random: np.random.Generator) -> np.ndarray:
    """Returns predicted less simulated power, with the pilot runs and with fresh ones, float[pairs * numbers, 2]."""
    rows = []
    for pair in itertools.combinations(final.values(), 2):
        at_hand, fresh = (tuple(values[part] for values in pair) for part in parts())
        for num_runs in CONFIG.num_runs_compared:
            predicted = jn.analysis.power(*at_hand, num_runs)
            rows.append([predicted - simulated_power(*pool, num_runs, random) for pool in (at_hand, fresh)])
    return np.asarray(rows)


def parts() -> tuple[slice, slice]:
    return slice(0, CONFIG.num_at_hand), slice(CONFIG.num_at_hand, None)


def share_of_false_decisions(values: np.ndarray, random: np.random.Generator) -> float:
    """Returns how often a strategy was separated from itself by looking again and again."""
    wrong = 0
    for _ in range(CONFIG.num_nulls):
        runs = dict(zip(("one", "other"), random.choice(values, (2, 400)), strict=True))
        decided = jn.analysis.until_decided(
            lambda name, start, stop, runs=runs: runs[name][start:stop], runs, num_runs=400
        )
        wrong += decided["one", "other"].p_holm <= LEVEL
    return wrong / CONFIG.num_nulls


def seconds_of_statistics(regrets: dict) -> float:
    """Returns the seconds that ranks over trials, chances and tests of all pairs take."""
    regrets = {name: values[: CONFIG.most_runs] for name, values in regrets.items()}
    start = time.perf_counter()
    mean_ranks(regrets)
    final = {name: values[:, -1] for name, values in regrets.items()}
    probability_best(final)
    jn.analysis.pairwise(final)
    return time.perf_counter() - start


def main() -> None:
    bench, random = jn.load(CONFIG.benchmark), np.random.default_rng(0)
    strategies = {name: jn.strategy(name)(bench.space) for name in CONFIG.strategies}
    trials = jn.compare(strategies, bench, num_trials=CONFIG.num_trials, num_runs=CONFIG.num_runs).trials
    regrets = {name: jn.regret(each, bench) for name, each in trials.items()}
    final = {name: values[:, -1] for name, values in regrets.items()}
    errors = 100 * np.abs(errors_of_power(final, random))
    decided = jn.analysis.until_decided(
        lambda name, start, stop: final[name][start:stop], list(final), num_runs=CONFIG.most_runs
    )
    needed = sorted(decision.num_runs for decision in decided.values())
    for (first, second), decision in sorted(decided.items(), key=lambda item: item[1].num_runs):
        state = "separated" if decision.p_holm <= LEVEL else "not separated"
        predicted = jn.analysis.num_runs_for_power(final[first], final[second])
        print(f"{first} - {second}: {state} after {decision.num_runs} runs; runs for a power of 80 %: {predicted}")
    figures = {
        "power_error_at_hand_mean": errors[:, 0].mean(),
        "power_error_at_hand_max": errors[:, 0].max(),
        "power_error_fresh_mean": errors[:, 1].mean(),
        "power_error_fresh_share_over_10": (errors[:, 1] > 10).mean(),
        "median_runs_needed": float(np.median(needed)),
        "false_decisions": share_of_false_decisions(final["local_search"], random),
        "seconds": min(seconds_of_statistics(regrets) for _ in range(3)),
    }
    print(json.dumps({name: round(float(value), 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
