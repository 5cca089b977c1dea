"""Compares the tree-structured Parzen estimator with the one of Optuna, in the best score they find.

Claim: after 30, 100 and 300 trials their mean best scores differ by less than a tenth of what random search then lacks
to the best score of the table, with the whole 95 % interval of the difference.
Command: python experiments/validity/quality_tpe.py (`--runs N` for another number of Optuna's runs, `--processes P`
for more
than one at a time). Optuna's runs are kept in the folder `--folder`; when the command is given again, with more runs
or after an interruption, it resumes from there.
Run time: about 12 minutes on a quiet core, nearly all of it in Optuna, 0.4 seconds a run (`--runs 20`: 20 seconds).
Output: a table on the terminal. Last line: a JSON object with, for each number of trials, the mean best scores, the
difference with its interval, the margin, and whether the interval is within it; whether all are (`passed`); and the
queries per second of both, Optuna's for one process.
Page: none
"""

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import jaxnas as jn


@dataclass(frozen=True)
class Config:
    """What is compared: searches on the mean over the seeds, without noise, so that the best score is known."""

    benchmark: str = "nb201-shifted-digits-v1"
    checkpoints: tuple[int, ...] = (30, 100, 300)
    num_runs: int = 4000
    num_optuna_runs: int = 1600
    share: float = 0.1
    seed: int = 0


CONFIG = Config()
BLOCK_SIZE = 20
"""Runs of Optuna in one file."""


def table_of_scores(bench) -> np.ndarray:
    """Returns the score of every architecture, an axis a decision."""
    sizes = [len(decision.values) for decision in bench.space.decisions]
    return bench.validation_scores(np.indices(sizes).reshape(len(sizes), -1).T).reshape(sizes)


def optuna_scores(scores: np.ndarray, num_trials: int, seeds) -> np.ndarray:
    """Returns what Optuna's runs of these seeds were told, float[runs, T], by its own loop, without jaxnas.

    Args:
        scores: of every architecture, an axis a decision.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    categories = {
        f"decision {position}": optuna.distributions.CategoricalDistribution(range(size))
        for position, size in enumerate(scores.shape)
    }
    told = np.empty((len(seeds), num_trials))
    for run, seed in enumerate(seeds):
        sampler = optuna.samplers.TPESampler(multivariate=True, n_startup_trials=10, seed=seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for t in range(num_trials):
            trial = study.ask(categories)
            told[run, t] = scores[tuple(trial.params[name] for name in categories)]
            failed = optuna.trial.TrialState.FAIL if np.isnan(told[run, t]) else None
            study.tell(trial, None if failed else told[run, t], state=failed)
    return told


def write_block(path: Path, scores: np.ndarray, num_trials: int, seeds) -> None:
    """Writes the file of one block of Optuna's runs and how long they took, unless it is there."""
    if path.exists():
        return
    started = time.perf_counter()
    told = optuna_scores(scores, num_trials, seeds)
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, told=told, seconds=time.perf_counter() - started)
    unfinished.replace(path)


def optuna_runs(bench, config: Config, folder: Path, num_processes: int) -> tuple[np.ndarray, float]:
    """Returns the scores of Optuna's runs, float[runs, T], and the seconds they took, from the files of a folder.

    Runs that are not there yet are made, blocks of them in several processes.
    """
    import optuna

    num_trials = max(config.checkpoints)
    made_of = f"{bench.table.id}-{bench.table.manifest['content_hash'][-8:]}-optuna-{optuna.__version__}-{num_trials}"
    folder = folder / made_of
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(config.seed, config.seed + config.num_optuna_runs, BLOCK_SIZE)
    paths, scores = [folder / f"{start:06}.npz" for start in starts], table_of_scores(bench)
    with ProcessPoolExecutor(num_processes, multiprocessing.get_context("spawn")) as pool:
        blocks = [
            pool.submit(write_block, path, scores, num_trials, range(start, start + BLOCK_SIZE))
            for path, start in zip(paths, starts, strict=True)
        ]
        for number, block in enumerate(blocks, 1):
            block.result()
            print(f"{number} of {len(blocks)} blocks of {BLOCK_SIZE} runs of Optuna", end="\r", flush=True)
    print()
    files = [np.load(path) for path in paths]
    return np.concatenate([file["told"] for file in files]), sum(float(file["seconds"]) for file in files)


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


def main(config: Config, folder: Path, num_processes: int) -> None:
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
    scores["optuna"], seconds = optuna_runs(bench, config, folder, num_processes)
    rates["optuna"] = scores["optuna"].size / seconds

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
    runs = {"num_runs": config.num_runs, "num_optuna_runs": len(scores["optuna"])}
    passed = all(row["within"] for row in results.values())
    print(json.dumps({"passed": passed, **runs, "best": best, "trials": results, "queries_per_second": speed}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=CONFIG.num_optuna_runs, help="runs of Optuna")
    parser.add_argument("--processes", type=int, default=1, help="how many of them at a time")
    parser.add_argument("--folder", type=Path, default=Path("jaxnas-quality-tpe"), help="where they are kept")
    options = parser.parse_args()
    main(replace(CONFIG, num_optuna_runs=options.runs), options.folder, options.processes)
