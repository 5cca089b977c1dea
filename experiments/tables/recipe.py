"""Measures how well recipes for tables, or a finished table, tell architectures apart.

Claim: with these recipes architectures differ by more than the noise of their seeds, and early epochs rank them about
as well as the last one does.
Command: python experiments/tables/recipe.py (resumes when run again; `--only NAME` for one recipe)
         python experiments/tables/recipe.py --table nb201-mnist5k-v1
Run time: about 5 minutes a recipe on two cores; seconds for a table.
Output: for each recipe the figures on the half of the sample that choices are made on and on the other half, of
connected classes; the trained sample under results/recipe. Last line: a JSON object with the figures of the chosen
recipe on the half to report, and under "recipes" those of all; for a table, the figures of all its connected classes.
Page: docs/tables.md
"""

import argparse
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jaxnas.ranks import rank_correlation
from jaxnas.spaces.cells import graph
from jaxnas.spaces.named import space_named
from jaxnas.tables import reliability
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.table import Table
from jaxnas.training.config import TrainConfig

RECIPES = {
    "mnist5k, 6 epochs": ("mnist5k", TrainConfig(num_epochs=6, learning_rate=0.2)),
    "shifted-digits, 10 epochs": ("shifted-digits", TrainConfig(num_epochs=10, learning_rate=0.2)),
}


@dataclass(frozen=True)
class Config:
    """The sample: a random one of all classes, the same for each recipe; and the recipe that was chosen."""

    space: str = "nb201"
    num_classes: int = 200
    num_seeds: int = 3
    num_table_seeds: int = 5
    chosen: str = "mnist5k, 6 epochs"
    out: Path = Path("results/recipe")


CONFIG = Config()


def figures(table: Table, classes: np.ndarray, num_seeds: int) -> dict:
    """Returns the figures of some classes of a table, connected ones only.

    Accuracies are proportions. `reliability_seed_mean` and `reliability_top_half` are those of a mean over
    `num_seeds` seeds. `within_one_se_of_best`: share of classes whose mean is within a standard error of the best.
    """
    classes = _connected(table, classes)
    scores = table.scores("validation")[classes]
    final = scores[:, :, -1]
    mean = final.mean(axis=1)
    test = table.scores("test")[classes][:, :, -1].mean(axis=1)
    between, within = reliability.variance_components(final)
    half = scores[:, :, scores.shape[2] // 2 - 1].mean(axis=1)
    standard_error = (within / final.shape[1]) ** 0.5
    top = np.argsort(-mean)[: len(mean) // 2]
    return {
        "num_classes": len(final),
        **{f"validation_p{point}": float(np.percentile(mean, point)) for point in (5, 50, 95, 100)},
        "sd_architectures": between**0.5,
        "sd_seeds": within**0.5,
        "intraclass_correlation": reliability.reliability(final),
        "reliability_seed_mean": reliability.reliability(final, num_seeds),
        "reliability_top_half": _top_reliability(final, num_seeds),
        "reliability_top_5_percent": reliability.top_reliability(final),
        "seed_spearman": seed_correlation(final),
        "seed_spearman_top_half": seed_correlation(final, 0.5),
        "half_training_spearman": rank_correlation(half, mean),
        "epochs_of_a_seed_spearman": epoch_correlations(scores).round(3).tolist(),
        "test_spearman": rank_correlation(mean, test),
        "parameters_spearman": rank_correlation(mean, table.columns["num_parameters"].values[classes]),
        "parameters_spearman_top_half": rank_correlation(
            mean[top], table.columns["num_parameters"].values[classes][top]
        ),
        "flops_spearman": rank_correlation(mean, table.columns["num_flops"].values[classes]),
        "within_one_se_of_best": float((mean >= mean.max() - standard_error).mean()),
    }


def seed_correlation(scores: np.ndarray, top_share: float = 1.0) -> float:
    """Returns the mean Spearman correlation between two seeds, over all pairs of seeds, of scores [G, S].

    Args:
        top_share: keep only this share of the architectures, those with the best mean over the *other* seeds, so that
            the choice does not depend on the scores that are correlated. Needs three seeds where it is below 1.
    """
    seeds = range(scores.shape[1])
    values = []
    for first, second in itertools.combinations(seeds, 2):
        others = [seed for seed in seeds if seed not in (first, second)]
        kept = _top(scores[:, others].mean(1), top_share) if top_share < 1 else slice(None)
        values.append(rank_correlation(scores[kept, first], scores[kept, second]))
    return float(np.mean(values))


def epoch_correlations(scores: np.ndarray, top_share: float = 1.0) -> np.ndarray:
    """Returns for each epoch the mean Spearman correlation of one seed with the others' final mean, float[F].

    Args:
        scores: [G, S, F], two seeds or more.
        top_share: keep only this share of the architectures, those with the best final mean over the other seeds.
    """
    num_seeds = scores.shape[1]
    values = np.empty((num_seeds, scores.shape[2]))
    for seed in range(num_seeds):
        final = np.delete(scores[:, :, -1], seed, axis=1).mean(1)
        kept = _top(final, top_share) if top_share < 1 else slice(None)
        values[seed] = [rank_correlation(column[kept], final[kept]) for column in scores[:, seed].T]
    return values.mean(0)


def _top(values: np.ndarray, share: float) -> np.ndarray:
    return np.argsort(-values, kind="stable")[: max(round(share * len(values)), 2)]


def _connected(table: Table, classes: np.ndarray) -> np.ndarray:
    space = space_named(table.manifest["space"]["name"])
    if not hasattr(space, "graph"):  # every network of it is connected
        return classes
    archs = [space.arch_at(row) for row in table.representatives[classes]]
    return classes[[bool(graph.prune(space.graph(arch)).edges) for arch in archs]]


def _top_reliability(final: np.ndarray, num_seeds: int) -> float:
    """Returns the reliability of a mean over seeds in the top half, chosen by one seed and measured on the others."""
    values = []
    for seed in range(final.shape[1]):
        top = np.argsort(-final[:, seed], kind="stable")[: len(final) // 2]
        values.append(reliability.reliability(np.delete(final, seed, axis=1)[top], num_seeds))
    return float(np.mean(values))


def study_recipes(config: Config, only: str | None) -> dict:
    """Returns the figures of each recipe on both halves of the sample, after training it."""
    results = {}
    for name, (task, training) in RECIPES.items():
        if only and only not in name:
            continue
        folder = config.out / name.replace(", ", "-").replace(" ", "-")
        trainings = BuildConfig(replace(training, test="last"), num_seeds=config.num_seeds, limit=config.num_classes)
        table = build(config.space, task, folder, trainings, progress=_print_progress(name))
        trained = np.flatnonzero(table.trained)
        halves = {"choose": trained[0::2], "report": trained[1::2]}
        results[name] = {half: figures(table, rows, config.num_table_seeds) for half, rows in halves.items()}
        for half, values in results[name].items():
            _print(f"{name}, {half}", values)
    return results


def _print(title: str, values: dict) -> None:
    print(f"{title}:")
    for figure, value in values.items():
        print(f"  {figure:28} {value if not isinstance(value, float) else round(value, 3)}")


def _print_progress(name: str):
    last = [-1]

    def progress(done: int, total: int) -> None:
        if done // 50 != last[0]:
            last[0] = done // 50
            print(f"{name}: {done} of {total} classes", flush=True)

    return progress


def main(config: Config = CONFIG, only: str | None = None, table: str | None = None) -> None:
    """Prints the figures of the recipes, or of a table."""
    if table:
        shipped = Table.read(table)
        values = figures(shipped, np.flatnonzero(shipped.trained), shipped.num_seeds)
        _print(table, values)
        print(json.dumps(values))
        return
    results = study_recipes(config, only)
    chosen = results.get(config.chosen) or next(iter(results.values()))
    print(json.dumps({**chosen["report"], "recipes": results}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="recipes whose name contains this")
    parser.add_argument("--table", metavar="ID", help="the figures of a table instead")
    options = parser.parse_args()
    main(only=options.only, table=options.table)
