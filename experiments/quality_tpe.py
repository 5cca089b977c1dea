"""Compares the tree-structured Parzen estimator with the one of Optuna, in the best score they find.

Claim: after 30, 100 and 300 trials their mean best scores differ by less than a tenth of what random search then lacks
to the best score of the table, with the whole 95 % interval of the difference.
Command: python experiments/quality_tpe.py (`--runs N` for another number of Optuna's runs)
Run time: about 3 minutes on a quiet core, nearly all of it in Optuna (`--runs 12`: 20 seconds).
Output: a table on the terminal. Last line: a JSON object with, for each number of trials, the mean best scores, the
difference with its interval, the margin, and whether the interval is within it; and the queries per second of both.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace

import numpy as np

import jaxnas as jn


@dataclass(frozen=True)
class Config:
    """What is compared: searches on the mean over the seeds, without noise, so that the best score is known."""

    benchmark: str = "nb201-shifted-digits-v0"
    checkpoints: tuple[int, ...] = (30, 100, 300)
    num_runs: int = 2000
    num_optuna_runs: int = 400
    share: float = 0.1
    seed: int = 0


CONFIG = Config()


def optuna_scores(bench, num_trials: int, num_runs: int, seed: int) -> np.ndarray:
    """Returns the scores of Optuna's runs, float[runs, T], by its own loop, without the calls of jaxnas."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sizes = [len(decision.values) for decision in bench.space.decisions]
    scores = bench.validation_scores(np.indices(sizes).reshape(len(sizes), -1).T).reshape(sizes)
    categories = {
        decision.name: optuna.distributions.CategoricalDistribution(range(len(decision.values)))
        for decision in bench.space.decisions
    }
    told = np.empty((num_runs, num_trials))
    for run in range(num_runs):
        sampler = optuna.samplers.TPESampler(multivariate=True, n_startup_trials=10, seed=seed + run)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for t in range(num_trials):
            trial = study.ask(categories)
            told[run, t] = scores[tuple(trial.params[name] for name in categories)]
            failed = optuna.trial.TrialState.FAIL if np.isnan(told[run, t]) else None
            study.tell(trial, None if failed else told[run, t], state=failed)
    return told


def compared(own: np.ndarray, other: np.ndarray, random: np.ndarray, best: float, share: float) -> dict:
    """Returns the figures of the best scores [runs] after some trials."""
    difference = own.mean() - other.mean()
    error = np.hypot(own.std(ddof=1) / np.sqrt(len(own)), other.std(ddof=1) / np.sqrt(len(other)))
    low, high, margin = difference - 1.96 * error, difference + 1.96 * error, share * (best - random.mean())
    values = {
        "own": own.mean(),
        "optuna": other.mean(),
        "random": random.mean(),
        "difference": difference,
        "low": low,
        "high": high,
        "margin": margin,
    }
    return {**{name: float(value) for name, value in values.items()}, "within": bool(-margin < low and high < margin)}


def main(config: Config = CONFIG) -> None:
    """Prints the comparison."""
    bench = jn.load(config.benchmark, noise="mean")
    num_trials, scores, rates = max(config.checkpoints), {}, {}
    for factory in (jn.random_search, jn.tree_parzen_estimator):
        strategy = factory(bench.space)
        for _ in range(2):  # the first time compiles
            started = time.perf_counter()
            trials = jn.run(strategy, bench, num_trials=num_trials, num_runs=config.num_runs, seed=config.seed)
        rates[strategy.name] = config.num_runs * num_trials / (time.perf_counter() - started)
        scores[strategy.name] = trials.observation.score
    started = time.perf_counter()
    scores["optuna"] = optuna_scores(bench, num_trials, config.num_optuna_runs, config.seed)
    rates["optuna"] = config.num_optuna_runs * num_trials / (time.perf_counter() - started)

    best = float(np.nanmax(bench.validation_scores(np.arange(bench.space.num_architectures)[:, None])))
    found = {name: np.fmax.accumulate(values, axis=1) for name, values in scores.items()}
    order, results = ("tree_parzen_estimator", "optuna", "random_search"), {}
    print("trials      own   optuna   random  difference  95 % interval         margin  within")
    for number in config.checkpoints:
        row = compared(*(found[name][:, number - 1] for name in order), best, config.share)
        results[number] = row
        print(
            f"{number:6} {row['own']:8.5f} {row['optuna']:8.5f} {row['random']:8.5f} {row['difference']:11.5f} "
            f"{row['low']:9.5f} to {row['high']:8.5f} {row['margin']:8.5f}  {row['within']}"
        )
    speed = {name: round(rate) for name, rate in rates.items()}
    print(", ".join(f"{name}: {rate:,} queries a second" for name, rate in speed.items()))
    runs = {"num_runs": config.num_runs, "num_optuna_runs": config.num_optuna_runs}
    print(json.dumps({**runs, "best": best, "trials": results, "queries_per_second": speed}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=CONFIG.num_optuna_runs, help="runs of Optuna")
    main(replace(CONFIG, num_optuna_runs=parser.parse_args().runs))
