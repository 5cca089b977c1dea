"""Compares one-shot methods on shipped tables: the regret of each result, over seeds, at its cost.

Claim: docs/one_shot.md has the figures. Whether a method beats the median architecture and random search at equal cost
is printed for each.
Command: python experiments/studies/one_shot.py [--tables ID,..] [--methods a,b] [--steps N] [--seeds K] [--out DIR]
[--figure FILE.svg] [--workers N]
Without --steps, 600 steps of methods that run all operations in a step and 1,600 of the others.
Methods run in worker processes, each kept to one core: XLA takes the order of sums from the number of cores, and some
methods are so sensitive that this changes the result of a seed.
Run time: 26 minutes on two cores, half a minute to three minutes for a method on a table of cells.
Output: for each table a Markdown table with a row for each method: mean regret over seeds with a 95 % interval
(Student's t), the median seed, the smallest and the largest, the number of different classes found, their edges without
parameters, the cost in full trainings of a random architecture, the mean regret of random search and of regularized
evolution at that cost, and whether the method's mean is below the median architecture's regret and below random
search's. Then the regret of zero-cost proxies: the best by a column of the shipped pack of 1,000 random architectures.
Last line: a JSON object of it all.
Page: docs/one_shot.md

The figure has a dot for each seed, a diamond for the mean, a stroke for random search at equal cost, and a dashed line
for the median architecture. With --out a method's figures are kept as a file, and are not computed again.
"""

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import jax
import numpy as np
from scipy import stats

import jaxnas as jn
from jaxnas import catalog
from jaxnas.files import replace_file
from jaxnas.search.one_shot.table_regrets import MAX_TRAININGS, NUM_RANDOM_RUNS
from jaxnas.tables.shipped import PACKS, shipped_ids
from jaxnas.training.compilation import configure_compilation

TABLES = ("nb201-shifted-digits-v1", "nb201-mnist5k-v1", "mlp-small-shifted-digits-v1")
OF_SOFTMAX = ("darts", "darts2", "darts_pt", "beta_darts", "sdarts_random", "sdarts_adversarial")
OF_ALL = (*OF_SOFTMAX, "gdas_full", "gdas_reference", "snas", "drnas")
"""Methods whose steps run all operations, or most; a step costs up to twenty times one of a single path."""
NUM_STEPS, NUM_STEPS_OF_ALL = 1600, 600
COLUMNS = ("method", "regret", "median", "least to most", "classes", "free edges", "trainings", "random")
COLUMNS += ("evolution", "beats")
PROXIES = ("zero_params", "synflow", "nwot")
POOL, NUM_POOLS = 1000, 200
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
TICKS = (0, 2, 5, 10, 20, 40, 80)


def row_of(table: str, method: str, num_steps: int, num_seeds: int) -> dict | None:
    """Returns the figures of a method on a table; None where it does not search such a space."""
    space, task = (jn.load(table).table.manifest[part]["name"] for part in ("space", "task"))
    try:
        search = jn.OneShot(space, task, method, table=table, progress=False)
    except ValueError as error:
        print(f"{method} on {table}: {error}", flush=True)
        return None
    begun = time.process_time()
    result = search.search(num_steps, num_seeds=num_seeds)
    seconds = time.process_time() - begun
    by_table, free = result.by_table, result.parameter_free()
    bench, count = search.bench, min(by_table.num_trainings, MAX_TRAININGS)
    trials = jn.run(jn.regularized_evolution, bench, num_trials=count, num_runs=NUM_RANDOM_RUNS)
    return {
        "regrets": by_table.regrets.tolist(),
        "median": by_table.median_regret,
        "random": by_table.random_regret,
        "evolution": float(jn.regret(trials, bench)[:, -1].mean()),
        "trainings": result.num_trainings,
        "distinct": result.num_distinct,
        "free": None if free is None else float(free[:, -1].mean()),
        "free_first": None if free is None else float(free[:, 0].mean()),
        "archs": [result.space.to_str(run.arch) for run in result.runs],
        "losses": [float(run.losses[-1, 0]) for run in result.runs],
        "seconds": seconds,
    }


def kept_row_of(table: str, method: str, num_steps: int, num_seeds: int, folder: Path | None) -> dict | None:
    """Returns the figures of a method on a table from its file in the folder, which is written if it is not there."""
    path = folder and folder / f"{table}-{method}-{num_steps}-{num_seeds}.json"
    if path and path.is_file():
        return json.loads(path.read_text())
    row = row_of(table, method, num_steps, num_seeds)
    if path:
        replace_file(path, json.dumps(row).encode())
    return row


def rows_of(options: argparse.Namespace) -> dict[str, dict[str, dict]]:
    """Returns the figures of each method on each table that it searches, made by worker processes."""
    methods = sorted(options.methods.split(","), key=lambda name: name not in OF_ALL)  # the long ones first
    context = multiprocessing.get_context("spawn")
    cores = context.SimpleQueue()
    for worker in range(options.workers):
        cores.put(CORES[worker % len(CORES)])
    jobs, found = {}, {table: {} for table in options.tables.split(",")}
    with ProcessPoolExecutor(options.workers, context, initializer=begin_worker, initargs=(cores,)) as pool:
        for method in methods:
            steps = options.steps or (NUM_STEPS_OF_ALL if method in OF_ALL else NUM_STEPS)
            for table in found:
                jobs[pool.submit(kept_row_of, table, method, steps, options.seeds, options.out)] = table, method
        for job in as_completed(jobs):
            (table, method), row = jobs[job], job.result()
            if row is not None:
                found[table][method] = row
                print(f"{method} on {table}: {100 * np.mean(row['regrets']):.2f} in {row['seconds']:.0f} s", flush=True)
    return found


def begin_worker(cores: multiprocessing.SimpleQueue) -> None:
    """Keeps this process to a core of the queue, before JAX starts."""
    core = cores.get()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    configure_compilation()


def proxies_of(table: str) -> dict[str, float]:
    """Returns the mean regret of the best of 1,000 random architectures by each proxy of the shipped pack."""
    name = table.removesuffix("-v1") + "-proxies-v2"
    if name not in shipped_ids(PACKS):
        return {}
    bench, generator = jn.load(table, columns=[name]), np.random.default_rng(0)
    rows = generator.integers(0, bench.space.num_architectures, (NUM_POOLS, POOL))
    archs = np.asarray(jax.vmap(jax.vmap(bench.space.arch_at))(rows))
    best, found = jn.analysis.optimum(bench).value, {}
    for proxy in PROXIES:
        values = np.nan_to_num(bench.sizes(proxy, archs), nan=-np.inf)
        chosen = rows[np.arange(NUM_POOLS), values.argmax(1)]
        found[proxy] = float((best - bench.held_out.scores(chosen[:, None])).mean())
    return found


def show(table: str, rows: dict[str, dict], proxies: dict[str, float]) -> None:
    """Prints the figures of a table of scores as Markdown, regrets in percentage points, the best method first."""
    print(f"\n## {table}\n")
    if rows:
        print(f"Median architecture: {100 * next(iter(rows.values()))['median']:.2f}.")
    print("\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for name, row in sorted(rows.items(), key=lambda item: np.mean(item[1]["regrets"])):
        values = 100 * np.asarray(row["regrets"])
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else float("nan")
        beats = [what for what in ("median", "random") if values.mean() < 100 * row[what]]
        free = "" if row["free"] is None else f"{row['free_first']:.1f} to {row['free']:.1f}"
        print(
            f"| `{name}` | {values.mean():.2f} ± {half:.2f} | {np.median(values):.2f} | "
            f"{values.min():.2f} to {values.max():.2f} | "
            f"{row['distinct']} | {free} | {row['trainings']:.0f} | {100 * row['random']:.2f} | "
            f"{100 * row['evolution']:.2f} | {', '.join(beats) or 'neither'} |"
        )
    if proxies:
        texts = ", ".join(f"`{name}` {100 * value:.2f}" for name, value in proxies.items())
        print(f"\nBest of {POOL:,} random architectures by a proxy: {texts}.")


def draw(result: dict[str, dict], path: Path) -> None:
    """Writes a figure: for each table the regret of every seed of each method, its mean, and that of random search."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    all_axes = figure.subplots(1, len(result), squeeze=False)[0]
    for axes, (table, found) in zip(all_axes, result.items(), strict=True):
        rows = sorted(found["methods"].items(), key=lambda item: -np.mean(item[1]["regrets"]))
        for place, (_, row) in enumerate(rows):
            axes.plot(
                100 * np.asarray(row["regrets"]), [place] * len(row["regrets"]), "o", ms=3, color="#4477aa", alpha=0.5
            )
            axes.plot(100 * np.mean(row["regrets"]), place, "D", ms=5, color="#4477aa")
            axes.plot(100 * row["random"], place, "|", ms=12, mew=2, color="#bbbbbb")
        axes.axvline(100 * rows[0][1]["median"], color="#bbbbbb", lw=1, ls="--")
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_xscale("symlog", linthresh=5)
        axes.set_xticks(TICKS, [str(tick) for tick in TICKS])
        axes.set_xlim(right=1.2 * TICKS[-1])
        axes.set_title(table, fontsize=9)
        axes.set_xlabel("test regret in points")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Prints a table for each table of scores, and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--methods", default=",".join(catalog.ONE_SHOT))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--workers", type=int, default=len(CORES))
    options = parser.parse_args()
    configure_compilation()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    result = {}
    for table, rows in rows_of(options).items():
        proxies = proxies_of(table)
        show(table, rows, proxies)
        result[table] = {"methods": rows, "proxies": proxies}
    if options.figure:
        draw(result, options.figure)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
