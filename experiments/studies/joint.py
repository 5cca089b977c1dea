"""Architecture and hyperparameters together: results on the complete table of `joint-small` on shifted digits.

Claim: docs/joint.md: how much of the variance is the interaction of architecture and recipe, which architecture is best
at each learning rate, and the gain of a joint search over searches of either alone at equal cost.
Command: python experiments/studies/joint.py [--table ID or FOLDER] [--runs 4000] [--part table|adaptation]
Run time: three seconds for the table, three minutes for the adaptation.
Output: three Markdown tables of the table, one of the adaptation. Last line: a JSON object with the figures.
Page: docs/joint.md

Classes of architectures count once. Shares of variance are from a complete design, each corrected for the noise of
seeds. In a search the validation score of one seed is observed, and the mean test score of the others is reported.
"""

import argparse
import dataclasses
import itertools
import json
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.statistics import mean_interval
from jaxnas.spaces.joint.space import JOINT_SMALL, JointSpace
from jaxnas.tables.table import Table
from jaxnas.tasks.named import task_named
from jaxnas.training.trainer import Trainer

DEFAULT = {"learning_rate": 0.2, "weight_decay": 5e-4, "num_views": 25}
POINTS = (5, 15, 50, 150)
ADAPTATIONS = (0.0, 0.01, 0.03)
NUM_ADAPTED = 20


class Design(NamedTuple):
    """Scores as a complete design.

    Attributes:
        validation, test: of the last epoch, [C, H1, H2, ..., S]: classes of architectures, hyperparameters, seeds.
        archs: the representatives, int32[C, D1].
    """

    validation: np.ndarray
    test: np.ndarray
    archs: np.ndarray


def design_of(table: Table, space: JointSpace) -> Design:
    """Returns the scores of a complete table of a joint space."""
    archs = np.asarray(space.arch_at(table.representatives))
    size = len(space.space.decisions)
    classes, number = np.unique(archs[:, :size], axis=0, return_inverse=True)
    shape = (len(classes), *(len(decision.values) for decision in space.hyperparameters))
    places = (number.reshape(-1), *archs[:, size:].T)

    def placed(name: str) -> np.ndarray:
        scores = table.scores(name)[..., -1]
        found = np.full((*shape, scores.shape[1]), np.nan)
        found[places] = scores
        return found

    return Design(placed("validation"), placed("test"), classes)


def shares(scores: np.ndarray, names: list[str]) -> dict[str, float]:
    """Returns the percentage of the variance of each effect of a design [.., S], and of seeds, without their noise."""
    means, num_seeds = scores.mean(-1), scores.shape[-1]
    noise = scores.var(-1, ddof=1).mean()
    axes, effects, found = range(means.ndim), {}, {}
    for order in range(means.ndim + 1):
        for kept in itertools.combinations(axes, order):
            others = tuple(axis for axis in axes if axis not in kept)
            effect = means.mean(others, keepdims=True)
            effect = effect - sum(effects[part] for part in effects if set(part) < set(kept))
            effects[kept] = effect
            if kept:
                freedom = np.prod([means.shape[axis] - 1 for axis in kept])
                noisy = np.broadcast_to(effect, means.shape).var()
                found[" x ".join(names[axis] for axis in kept)] = noisy - noise / num_seeds * freedom / means.size
    found["seed"] = noise
    total = sum(found.values())
    return {name: 100 * value / total for name, value in found.items()}


def best_by_rate(design: Design, space: JointSpace) -> list[list]:
    """Returns for each learning rate, others at their defaults, the best class, its score and its rank elsewhere."""
    at = _default_choices(space)
    rows = []
    means = design.validation.mean(-1)
    default = means[(slice(None), *at)]
    for choice, rate in enumerate(space.hyperparameters[0].values):
        scores = means[(slice(None), choice, *at[1:])]
        best = int(scores.argmax())
        error = design.validation[(best, choice, *at[1:])].std(ddof=1) / design.validation.shape[-1] ** 0.5
        rank = int((default > default[best]).sum()) + 1
        rows.append([rate, space.space.to_str(design.archs[best]), 100 * scores[best], 100 * error, rank])
    return rows


def searched(design: Design, space: JointSpace, num_runs: int, seed: int) -> dict[str, list]:
    """Returns by kind of random search the mean test score after each number of trainings, with its interval."""
    random = np.random.default_rng(seed)
    shape, num_seeds = design.validation.shape[:-1], design.validation.shape[-1]
    size = max(POINTS)
    at = _default_choices(space)

    def drawn(axis: int) -> np.ndarray:
        return random.integers(0, shape[axis], (num_runs, size))

    everything = [drawn(axis) for axis in range(len(shape))]
    one_class = np.broadcast_to(random.integers(0, shape[0], (num_runs, 1)), (num_runs, size))
    kinds = {
        "joint": everything,
        "architecture only": [everything[0], *(np.full((num_runs, size), choice) for choice in at)],
        "hyperparameters only": [one_class, *everything[1:]],
    }
    found = {}
    for name, choices in kinds.items():
        told_by = random.integers(0, num_seeds, (num_runs, size))
        told = design.validation[(*choices, told_by)]
        others = design.test[tuple(choices)].sum(-1) - design.test[(*choices, told_by)]
        reported = others / (num_seeds - 1)
        found[name] = []
        for point in POINTS:
            incumbents = told[:, :point].argmax(1)
            values = 100 * reported[np.arange(num_runs), incumbents]
            found[name].append([float(values.mean()), *map(float, mean_interval(values))])
    return found


def adapted(design: Design, space: JointSpace, num_seeds: int) -> list[list]:
    """Returns for each learning rate the mean validation score of classes with each adaptation, and its interval."""
    task = task_named("shifted-digits")
    random = np.random.default_rng(0)
    archs = design.archs[np.sort(random.permutation(len(design.archs))[:NUM_ADAPTED])]
    rates = [dataclasses.replace(space.hyperparameters[0])]
    plain = JointSpace(space.space, tuple(rates))
    rows = [[rate] for rate in rates[0].values]
    for step in ADAPTATIONS:
        trainer = Trainer(plain, task)
        trainer = Trainer(plain, task, dataclasses.replace(trainer.config, adaptation=step))
        vectors = [[*arch, choice] for choice in range(len(rows)) for arch in archs]
        curves = trainer.curves(vectors, list(range(num_seeds)))
        scores = 100 * curves.validation[..., -1].mean(1) / task.validation.num_examples
        for row, values in zip(rows, scores.reshape(len(rows), -1), strict=True):
            row.append([float(values.mean()), *map(float, mean_interval(values))])
    return rows


def _default_choices(space: JointSpace) -> list[int]:
    return [decision.values.index(DEFAULT[decision.name]) for decision in space.hyperparameters]


def _cell(value: object) -> str:
    if isinstance(value, list):
        return f"{value[0]:.1f} [{value[1]:.1f}, {value[2]:.1f}]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _print(header: list[str], rows: list[list]) -> None:
    print("| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(map(_cell, row)) + " |")
    print(flush=True)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default="joint-small-shifted-digits-v1")
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=("table", "adaptation"))
    options = parser.parse_args()
    space, figures = JOINT_SMALL, {}
    design = design_of(Table.read(options.table), space)
    if options.part != "adaptation":
        names = ["architecture", *(decision.name for decision in space.hyperparameters)]
        best = np.argsort(-design.validation.mean(-1).reshape(len(design.archs), -1).max(1))[:15]
        kinds = {"all classes": design.validation, "the 15 best": design.validation[best]}
        found = {name: shares(scores, names) for name, scores in kinds.items()}
        _print(
            ["effect", *found],
            [[effect, *(each[effect] for each in found.values())] for effect in found["all classes"]],
        )
        rows = best_by_rate(design, space)
        _print(["learning rate", "best architecture", "validation, %", "standard error", "rank at the default"], rows)
        results = searched(design, space, options.runs, options.seed)
        _print(
            ["random search", *(f"{point} trainings" for point in POINTS)],
            [[name, *row] for name, row in results.items()],
        )
        figures |= {"shares": found, "best": rows, "searches": results}
    if options.part != "table":
        rows = adapted(design, space, 2)
        _print(["learning rate", *(f"adaptation {step}" for step in ADAPTATIONS)], rows)
        figures["adaptation"] = rows
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
