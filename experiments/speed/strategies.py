"""Measures how many queries a second simulated searches make, compared with NumPy, Python and Optuna.

Claim: one definition of a strategy, compiled and run for many repetitions at once on one core, makes more queries a
second than the same strategy in a Python loop, in NumPy over all repetitions at once, and in Optuna.
Command: python experiments/speed/strategies.py (needs `pip install -e '.[optuna]'`)
Run time: about 2 minutes on one core.
Output: rates without compilation, the whole history returned and replayed against the table; compile times; ratios
by round; how many repetitions pay for a compilation; the seconds of one call of `run` in a new process, imports
aside, with an empty folder of compiled programs and with a filled one. Last line: a JSON object with the figures.
Page: docs/speed.md
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from random import Random

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, before JAX and NumPy start their threads

import jax
import jax.numpy as jnp
import numpy as np

import jaxnas as jn
from jaxnas import prng
from jaxnas.simulation.run import simulate
from jaxnas.spaces.enumerated import neighbor_table
from jaxnas.strategies.base import asks_for
from jaxnas.strategies.named import strategy_named
from jaxnas.training.compilation import configure_compilation


@dataclass(frozen=True)
class Config:
    """What is timed: (runs, trials) of each strategy, and of each side it is compared with."""

    benchmark: str = "nb201-mnist5k-v1"
    rounds: int = 3
    rows: tuple = (
        ("random_search", 1000, 300),
        ("regularized_evolution", 1000, 300),
        ("local_search", 1000, 300),
        ("successive_halving", 1000, 300),
        ("hyperband", 1000, 300),
    )
    vectors: tuple = (
        ("regularized_evolution", 1000, 300),
        ("reinforce", 1000, 300),
        ("tree_parzen_estimator", 16, 300),
        ("gaussian_process", 8, 100),
        ("bananas", 4, 150),
    )
    numpy_runs: int = 1000
    python_runs: int = 100
    optuna_runs: int = 2
    num_trials: int = 300
    population_size: int = 100
    sample_size: int = 10


CONFIG = Config()


def replays(bench, rows, seeds, fidelities, scores) -> bool:
    """Returns whether every score of a history is the one that the table holds."""
    table = bench.table.scores("validation")
    return np.array_equal(table[bench.table.class_of[rows], seeds, fidelities], scores)


def jaxnas_side(bench, name: str, num_runs: int, num_trials: int, space):
    """Returns a function that runs a strategy and returns its history (rows, seeds, fidelities, scores)."""
    factory = strategy_named(name)
    asked = {"fidelities": tuple(bench.fidelities)} if asks_for(factory, "fidelities") else {}
    strategy = factory(space, **asked)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(prng.make_key(0, "hash"), jnp.arange(num_runs))

    def run():
        trials = jax.device_get(simulate(strategy, bench, num_trials, keys))
        return trials.query.arch, trials.observation.seed, trials.query.fidelity, trials.observation.score

    return run


def numpy_side(bench, config: Config):
    """Returns a function that runs regularized evolution in NumPy, all repetitions at once."""
    scores = bench.table.scores("validation")[bench.table.class_of, :, -1]
    neighbors = neighbor_table(bench.space)[0]
    size, num_seeds = scores.shape
    runs = np.arange(config.numpy_runs)
    seeder = iter(range(10**6))

    def run():
        random = np.random.Generator(np.random.SFC64(next(seeder)))
        shape = (config.num_trials, config.numpy_runs)
        rows, seeds, told = (np.empty(shape, dtype) for dtype in (np.int32, np.int32, np.float32))
        for t in range(config.num_trials):
            if t < config.population_size:
                rows[t] = random.integers(size, size=config.numpy_runs, dtype=np.int32)
            else:
                oldest = t - config.population_size
                members = random.integers(oldest, t, (config.sample_size, config.numpy_runs), dtype=np.int32)
                best = members[told[members, runs].argmax(0), runs]
                change = random.integers(neighbors.shape[1], size=config.numpy_runs, dtype=np.int32)
                rows[t] = neighbors[rows[best, runs], change]
            seeds[t] = random.integers(num_seeds, size=config.numpy_runs, dtype=np.int32)
            told[t] = scores[rows[t], seeds[t]]
        return rows, seeds, np.full(shape, -1), told

    return run


def as_history(searches: list) -> tuple:
    """Returns the history (rows, seeds, fidelities, scores) of searches of triples (row, seed, score)."""
    values = np.asarray(searches)
    rows, seeds = values[..., 0].astype(int), values[..., 1].astype(int)
    return rows, seeds, np.full(rows.shape, -1), values[..., 2].astype(np.float32)


def python_side(bench, config: Config):
    """Returns a function that runs regularized evolution in plain Python, one repetition after another."""
    scores = bench.table.scores("validation")[bench.table.class_of, :, -1].tolist()
    neighbors = neighbor_table(bench.space)[0].tolist()
    random = Random(0)

    def search() -> list[tuple[int, int, float]]:
        history = []
        for t in range(config.num_trials):
            if t < config.population_size:
                row = random.randrange(len(scores))
            else:
                sample = random.choices(history[-config.population_size :], k=config.sample_size)
                row = random.choice(neighbors[max(sample, key=lambda member: member[2])[0]])
            seed = random.randrange(len(scores[0]))
            history.append((row, seed, scores[row][seed]))
        return history

    return lambda: as_history([search() for _ in range(config.python_runs)])


def optuna_side(bench, config: Config):
    """Returns a function that runs Optuna's multivariate TPE sampler, one repetition after another."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table = bench.table.scores("validation")[bench.table.class_of, :, -1]
    choices = {decision.name: list(range(len(decision.values))) for decision in bench.space.decisions}
    seeder = iter(range(10**6))

    def search(number: int):
        random = np.random.default_rng(number)
        sampler = optuna.samplers.TPESampler(multivariate=True, seed=number)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        history = []
        for _ in range(config.num_trials):
            trial = study.ask()
            arch = np.asarray([trial.suggest_categorical(name, values) for name, values in choices.items()])
            row, seed = int(bench.rows(arch)), int(random.integers(table.shape[1]))
            history.append((row, seed, float(table[row, seed])))
            study.tell(trial, float(table[row, seed]))
        return history

    return lambda: as_history([search(next(seeder)) for _ in range(config.optuna_runs)])


def measure(bench, sides: dict, rounds: int) -> tuple[dict, dict]:
    """Returns the queries a second of each side in each round, sides in turn, and the seconds of its first run."""
    rates, first = {name: [] for name in sides}, {}
    for name, run in sides.items():
        started = time.perf_counter()
        rows, *told = run()
        first[name] = time.perf_counter() - started
        assert replays(bench, bench.rows(rows) if rows.ndim == 3 else rows, *told), f"{name} does not replay"
    for _ in range(rounds):
        for name, run in sides.items():
            started = time.perf_counter()
            rows, *told = run()
            seconds = time.perf_counter() - started
            rates[name].append(told[2].size / seconds)
            assert replays(bench, bench.rows(rows) if rows.ndim == 3 else rows, *told), f"{name} does not replay"
    return rates, first


def sides_of(bench, config: Config) -> dict:
    """Returns all sides by name."""
    rows = bench.space.enumerated()
    sides = {f"{name}, rows": jaxnas_side(bench, name, *shape, rows) for name, *shape in config.rows}
    sides |= {f"{name}, vectors": jaxnas_side(bench, name, *shape, bench.space) for name, *shape in config.vectors}
    return sides | {
        "evolution in NumPy": numpy_side(bench, config),
        "evolution in Python": python_side(bench, config),
        "TPE in Optuna": optuna_side(bench, config),
    }


def ratio(rates: dict, one: str, other: str) -> float:
    """Returns the median over rounds of the ratio of two sides' rates, and prints its range."""
    values = [first / second for first, second in zip(rates[one], rates[other], strict=True)]
    print(f"{one} / {other}: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
    return statistics.median(values)


def break_even(rates: dict, first: dict, one: str, other: str, shape: tuple[int, int]) -> float:
    """Returns how many repetitions the other side makes while one side compiles and runs as many."""
    num_runs, num_trials = shape
    rate, rate_other = (statistics.median(rates[name]) for name in (one, other))
    compiling = first[one] - num_runs * num_trials / rate
    saved = num_trials / rate_other - num_trials / rate
    return compiling / saved if saved > 0 else float("inf")


def seconds_of_one_run(config: Config, folder: str) -> float:
    """Returns the seconds from a table on disk to the trials of one experiment, compiled programs kept in a folder."""
    import pyarrow.parquet  # noqa: F401  imports are not counted

    configure_compilation()
    jax.config.update("jax_compilation_cache_dir", folder)
    started = time.perf_counter()
    bench = jn.load(config.benchmark)
    strategy = jn.regularized_evolution(bench.space.enumerated(), population_size=100)
    trials = jn.run(strategy, bench, num_trials=config.num_trials, num_runs=config.numpy_runs)
    seconds = time.perf_counter() - started
    fidelities = np.asarray(trials.query.fidelity)
    rows, told = bench.rows(trials.query.arch), trials.observation
    assert replays(bench, rows, told.seed, fidelities, told.score), "one run does not replay"
    return seconds


def end_to_end(rounds: int) -> tuple[float, float]:
    """Returns the median seconds of one run in a new process, with nothing compiled before, and with all of it."""
    cold, warm = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one-run", folder]
            first, second = (float(subprocess.check_output(command, text=True)) for _ in range(2))
        cold.append(first)
        warm.append(second)
    return statistics.median(cold), statistics.median(warm)


def main(config: Config = CONFIG) -> None:
    """Times all sides in turn and prints their rates and ratios."""
    bench = jn.load(config.benchmark)
    sides = sides_of(bench, config)
    rates, first = measure(bench, sides, config.rounds)
    for name, values in rates.items():
        print(f"{name:36} {statistics.median(values):14,.0f} queries/s   first run {first[name]:6.2f} s")
    evolution, tpe = "regularized_evolution, rows", "tree_parzen_estimator, vectors"
    against_numpy = ratio(rates, evolution, "evolution in NumPy")
    against_python = ratio(rates, evolution, "evolution in Python")
    against_optuna = ratio(rates, tpe, "TPE in Optuna")
    for other in ("evolution in NumPy", "evolution in Python"):
        repetitions = break_even(rates, first, evolution, other, (1000, config.num_trials))
        print(f"repetitions of {config.num_trials} trials that pay for compiling, against {other}: {repetitions:,.0f}")
    cold, warm = end_to_end(config.rounds)
    print(f"one run in a new process, imports aside: {cold:.2f} s, and {warm:.2f} s with compiled programs on disk")
    figures = {
        f"{name.replace(', rows', '').replace(', ', '_')}_per_second": statistics.median(values)
        for name, values in rates.items()
        if name.endswith((", rows", ", vectors"))
    }
    print(
        json.dumps(
            {
                **figures,
                "tpe_per_second": statistics.median(rates[tpe]),
                "tpe_vs_optuna": against_optuna,
                "regularized_evolution_vs_numpy": against_numpy,
                "regularized_evolution_vs_python": against_python,
                "cold_seconds": cold,
                "warm_seconds": warm,
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one-run"]:
        print(seconds_of_one_run(CONFIG, sys.argv[2]))
    else:
        main()
