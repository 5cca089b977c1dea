"""Measures how well recipes for tables tell architectures apart.

Claim: with these recipes architectures differ by more than the noise of their seeds, and early epochs rank them about
as well as the last one does.
Command: python experiments/recipe.py (goes on when run again; `--only NAME` for one recipe)
Run time: about 10 minutes a recipe on two cores.
Output: for each recipe the figures on the half of the sample that choices are made on and on the other half; the
trained sample under results/recipe. Last line: a JSON object with the figures.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas import catalog, graph
from jaxnas.analysis import reliability
from jaxnas.build.driver import build
from jaxnas.train import TrainConfig

RECIPES = {
    "shifted-digits, 10 epochs": ("shifted-digits", TrainConfig(num_epochs=10, learning_rate=0.2)),
    "mnist5k, 6 epochs": ("mnist5k", TrainConfig(num_epochs=6, learning_rate=0.2)),
}


@dataclass(frozen=True)
class Config:
    """The sample: a random one of all classes, the same for each recipe."""

    space: str = "nb201"
    num_classes: int = 200
    num_seeds: int = 3
    out: Path = Path("results/recipe")


CONFIG = Config()


def figures(table, half: np.ndarray) -> dict:
    """Returns the figures of a recipe on some of its classes, connected ones only."""
    space = catalog.space(CONFIG.space)
    archs = [space.arch_at(row) for row in table.representatives[half]]
    half = half[[bool(graph.prune(space.graph(arch)).edges) for arch in archs]]
    scores = table.scores("validation")[half]
    final = scores[:, :, -1]
    mean = final.mean(axis=1)
    test = table.scores("test")[half][:, :, -1].mean(axis=1)
    between, within = reliability.variance_components(final)
    sizes = {"parameters": table.num_parameters[half], "flops": table.num_flops[half]}
    found = {
        "num_classes": len(final),
        "percentiles_5_50_95_100": [float(100 * np.percentile(mean, point)) for point in (5, 50, 95, 100)],
        "sd_architectures": 100 * between**0.5,
        "sd_seeds": 100 * within**0.5,
        "intraclass_correlation": reliability.reliability(final),
        "validation_with_test": reliability.rank_correlation(mean, test),
    }
    for name, share in (("all", 1.0), ("top_half", 0.5)):
        top = np.argsort(-mean)[: round(share * len(mean))]
        found |= {
            f"seed_correlation_{name}": reliability.seed_correlation(final, share),
            f"epoch_correlations_{name}": reliability.epoch_correlations(scores, share).round(3).tolist(),
        }
        for size, values in sizes.items():
            found[f"with_{size}_{name}"] = reliability.rank_correlation(mean[top], values[top])
    return found | {
        "reliability_5_seeds": reliability.reliability(final, 5),
        "reliability_top_half": _top_reliability(final),
    }


def _top_reliability(final: np.ndarray, num_seeds: int = 5) -> float:
    """Returns the reliability of a mean over seeds in the top half, chosen by one seed and measured on the others."""
    values = []
    for seed in range(final.shape[1]):
        top = np.argsort(-final[:, seed], kind="stable")[: len(final) // 2]
        values.append(reliability.reliability(np.delete(final, seed, axis=1)[top], num_seeds))
    return float(np.mean(values))


def main(config: Config = CONFIG, only: str | None = None) -> None:
    """Trains the sample with each recipe and prints its figures."""
    results = {}
    for name, (task, training) in RECIPES.items():
        if only and only not in name:
            continue
        folder = config.out / name.replace(", ", "-").replace(" ", "-")
        limits = {"num_seeds": config.num_seeds, "limit": config.num_classes}
        table = build(config.space, task, folder, config=training, progress=_print_progress(name), **limits)
        trained = np.flatnonzero(table.trained)
        results[name] = {"choose": figures(table, trained[0::2]), "report": figures(table, trained[1::2])}
        for half, values in results[name].items():
            print(f"{name}, {half}:")
            for figure, value in values.items():
                print(f"  {figure:28} {value if not isinstance(value, float) else round(value, 3)}")
    print(json.dumps(results))


def _print_progress(name: str):
    last = [-1]

    def progress(done: int, total: int) -> None:
        if done // 50 != last[0]:
            last[0] = done // 50
            print(f"{name}: {done} of {total} classes", flush=True)

    return progress


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="recipes whose name contains this")
    main(only=parser.parse_args().only)
