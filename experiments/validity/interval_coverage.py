"""How often intervals hold the true value: of few runs, after stopping early, and of recommended numbers of runs.

Claim: intervals of few runs have their nominal coverage; intervals of differences hold although runs were added until a
pair was decided; the interval of the recommended number of runs holds the number that many runs give.
Command: python experiments/validity/interval_coverage.py
Run time: about a minute on one core.
Output: shares of simulations in which intervals hold the truth, for skewed regrets. Last line: a JSON object
with the figures.
Page: docs/statistics.md
"""

import json

import numpy as np

import jaxnas as jn
from jaxnas.analysis.pairs import difference_interval, interval_level
from jaxnas.analysis.power_analysis import num_runs_interval
from jaxnas.analysis.statistics import bootstrap_interval, mean_interval

NUM_SIMULATIONS = 1000
MOST_RUNS = 1000


def regrets(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Returns skewed regrets of mean 1.5 and standard deviation 1.22."""
    return random.gamma(1.5, size=shape)


def coverage_of_means(random: np.random.Generator) -> dict[str, float]:
    """Returns how often two intervals of the mean of few runs hold it."""
    found = {}
    for num_runs in (5, 10, 20, 30):
        values = regrets(random, num_runs, 4000)
        for name, interval in (("bootstrap", bootstrap_interval), ("reported", mean_interval)):
            low, high = interval(values)
            found[f"{name}, {num_runs} runs"] = float(((low <= 1.5) & (high >= 1.5)).mean())
    return found


def coverage_after_stopping(random: np.random.Generator, shift: float) -> dict[str, float]:
    """Returns how often intervals of the difference hold it, for a difference in standard deviations of a run."""
    difference = shift * np.sqrt(1.5)
    hits = {"plain": [], "reported": []}
    decided = []
    for _ in range(NUM_SIMULATIONS):
        samples = {"a": difference + regrets(random, MOST_RUNS), "b": regrets(random, MOST_RUNS)}
        found = jn.analysis.until_decided(
            lambda name, start, stop, samples=samples: samples[name][start:stop], ["a", "b"], num_runs=MOST_RUNS
        )["a", "b"]
        decided.append(found.p_holm <= 0.05)
        for name, level in (("plain", 0.95), ("reported", interval_level(MOST_RUNS))):
            low, high = difference_interval(*(each[: found.num_runs] for each in samples.values()), level=level)
            hits[name].append(bool(low <= difference <= high))
    decided = np.asarray(decided)
    result = {"decided": float(decided.mean())}
    for name, each in hits.items():
        result[name] = float(np.mean(each))
        result[f"{name}, of decided"] = float(np.mean(np.asarray(each)[decided])) if decided.any() else None
    return result


def coverage_of_numbers(random: np.random.Generator) -> dict[str, float]:
    """Returns how often the interval of the recommended number of runs holds the one that many runs give."""
    found = {}
    for shift in (0.3, 0.6):
        true = jn.analysis.num_runs_for_power(shift + regrets(random, 10**6), regrets(random, 10**6))
        for num_runs in (30, 100, 1000):
            hits = []
            for _ in range(300):
                low, high = num_runs_interval(shift + regrets(random, num_runs), regrets(random, num_runs))
                hits.append((low or np.inf) <= true <= (high or np.inf))
            found[f"{true} runs needed, from {num_runs}"] = float(np.mean(hits))
    return found


def main() -> None:
    """Measures and prints."""
    random = np.random.default_rng(0)
    result = {"means": coverage_of_means(random)}
    result["after stopping"] = {str(shift): coverage_after_stopping(random, shift) for shift in (0.0, 0.05, 0.15, 0.3)}
    result["numbers of runs"] = coverage_of_numbers(random)
    for part, found in result.items():
        print(part)
        for name, value in found.items():
            print(f"  {name}: {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
