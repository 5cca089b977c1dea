"""Fidelities of several kinds: what networks of half the width and images of half the size say, and what that saves.

A table of 729 cells of four nodes on shifted digits is built with networks of 2 and 4 channels on images of 4 and 8
pixels, 10 epochs each. For each training: its price by multiply-accumulates beside its measured time, and the rank
correlation of its validation scores with those of the largest one. Then regret of searches at equal cost: successive
halving over epochs of the largest training alone, and over a declared order that begins with cheaper ones.

Claim: docs/tables.md: a cheaper training says nearly as much about the ranking as the largest one at the same epoch
for its price, and a search that begins with it is told apart from, or not, one over epochs alone.
Command: python experiments/fidelities.py [--folder DIR] [--seeds 3] [--runs 1000]
Run time: about 10 minutes on two cores, most of it the build, which resumes; without it a minute.
Output: two Markdown tables. Last line: a JSON object with the figures.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import numpy as np
from scipy import stats

import jaxnas as jn
from jaxnas import catalog
from jaxnas.analysis.statistics import mean_interval
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.tables.build.driver import build
from jaxnas.tables.build.fidelities import training_grid
from jaxnas.tables.table import Table
from jaxnas.tables.trainings import plain_table
from jaxnas.training.trainer import Trainer

SPACE = CellSpace(4, ("none", "skip_connect", "nor_conv_3x3"), name="cells-4")
TASK = "shifted-digits"
ORDERS = {
    "epochs alone": ("w4-r8-e1", "w4-r8-e3", "w4-r8-e10"),
    "width first": ("w2-r8-e3", "w4-r8-e3", "w4-r8-e10"),
    "resolution first": ("w4-r4-e3", "w4-r8-e3", "w4-r8-e10"),
    "both first": ("w2-r4-e10", "w4-r8-e3", "w4-r8-e10"),
}
BUDGETS = (50, 100, 200)
NUM_TIMED = 20


def trainings() -> dict[str, jn.TrainConfig]:
    """Returns the four trainings."""
    return training_grid(SPACE, catalog.task(TASK), widths=(2, 4), resolutions=(4, 8), epochs=(10,))


def seconds() -> dict[str, float]:
    """Returns the seconds of a training of each kind, of the same architectures, without compilation."""
    archs = np.asarray(jax.vmap(SPACE.sample)(jax.random.split(jax.random.key(1), NUM_TIMED)))
    found = {}
    for name, config in trainings().items():
        trainer = Trainer(SPACE, catalog.task(TASK), config)
        trainer.curves(archs[:1])
        started = time.process_time()
        trainer.curves(archs)
        found[name] = (time.process_time() - started) / NUM_TIMED
    return found


def correlations(table: Table) -> dict[str, dict[str, float]]:
    """Returns for each training the price of an epoch and rank correlations with the largest one's final means.

    `one`: of the score of a single run, with the means of the other runs, after 3 and after 10 epochs.
    """
    last = plain_table(table, "w4-r8").scores("validation")[..., -1]
    found = {}
    for name in table.manifest["trainings"]:
        scores = plain_table(table, name).scores("validation")
        rhos = {}
        for epoch in (3, 10):
            others = [np.delete(last, run, axis=1).mean(1) for run in range(scores.shape[1])]
            each = [stats.spearmanr(scores[:, run, epoch - 1], other)[0] for run, other in enumerate(others)]
            rhos[f"rho@{epoch}"] = float(np.mean(each))
        price = next(each["price"] for each in table.manifest["fidelities"] if each["training"] == name)
        found[name] = {"price": price, **rhos}
    return found


def regrets(table: Table, num_runs: int) -> dict[str, dict[int, list[float]]]:
    """Returns mean, low and high of the regret in points of successive halving on each order, by budgets."""
    found = {}
    for name, order in ORDERS.items():
        protocols = {**table.manifest["protocols"]}
        protocols["default"] = {**protocols["default"], "fidelities": list(order)}
        bench = jn.TableBenchmark(
            Table(
                {**table.manifest, "protocols": protocols},
                table.keys,
                table.class_of,
                table.columns,
                table.representatives,
            ),
            space=SPACE,
        )
        strategy = jn.successive_halving(SPACE, fidelities=bench.fidelities, num_initial=9)
        trials = jn.run(strategy, bench, num_trials=600, num_runs=num_runs)
        values, paid = jn.regret(trials, bench), np.cumsum(trials.observation.cost, axis=1)
        found[name] = {}
        for budget in BUDGETS:
            last = np.maximum((paid <= budget).sum(1) - 1, 0)
            reached = values[np.arange(len(values)), last]
            low, high = mean_interval(reached[:, None])
            found[name][budget] = [100 * float(each) for each in (reached.mean(), low[0], high[0])]
    return found


def main() -> None:
    """Builds the table, and prints both tables and all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("jaxnas-tables/cells-4-shifted-digits"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    space = f"{Path(__file__).resolve()}:SPACE"
    table = build(space, TASK, options.folder, trainings=trainings(), num_seeds=options.seeds)
    found = {"correlations": correlations(table), "seconds": seconds(), "regrets": regrets(table, options.runs)}
    largest = found["seconds"]["w4-r8"]
    for name, each in found["correlations"].items():
        took = found["seconds"][name] / largest
        print(f"| `{name}` | {each['price']:.2f} | {took:.2f} | {each['rho@3']:.2f} | {each['rho@10']:.2f} |")
    for name, by_budget in found["regrets"].items():
        cells = " | ".join(f"{mean:.2f} [{low:.2f}, {high:.2f}]" for mean, low, high in by_budget.values())
        print(f"| {name} | {', '.join(ORDERS[name])} | {cells} |")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
