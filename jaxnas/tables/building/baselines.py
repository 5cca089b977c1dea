"""Baselines: networks of the literature, trained as the architectures of a table are."""

from collections.abc import Sequence

import numpy as np

from jaxnas import catalog
from jaxnas.training.compilation import on_one_core
from jaxnas.training.curves import Curves
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import Trainer

DIGITS = 6


def baseline_trainer(trainer: Trainer) -> Trainer | None:
    """Returns the trainer of the baselines of a kind of network, alike; None for kinds and for tasks without."""
    if trainer.networks.baselines is None:
        return None
    space = catalog.load(trainer.networks.baselines)
    return Trainer(space, trainer.task, trainer.config) if trainer.task.kind in networks_class(space).inputs else None


def baseline_scores(trainer: Trainer, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
    """Returns the scores of the baselines of a kind of network, as `scores_by_name`, after training them here.

    A build has its workers train them. Empty for kinds and for tasks without.
    """
    of_baselines = baseline_trainer(trainer)
    if of_baselines is None:
        return {}
    space = of_baselines.space
    with on_one_core():
        curves = of_baselines.curves([space.arch_at(row) for row in np.unique(space.classes())], seeds)
    return scores_by_name(of_baselines, curves)


def scores_by_name(trainer: Trainer, curves: Curves) -> dict[str, dict[str, float]]:
    """Returns the scores of baselines, by name, of the curves of each class of their space, by ascending row.

    Of each: `validation` and `test`, the metric after the last epoch, the mean over the seeds whose training did not
    fail; and `num_parameters`. A baseline whose trainings all failed is omitted.
    """
    space, task, splits = trainer.space, trainer.task, ("validation", "test")
    scores = [curves.scores(split, getattr(task, split).num_examples, task.metric)[..., -1] for split in splits]
    found = {}
    for row, *each in zip(np.unique(space.classes()), *scores, strict=True):
        if np.isfinite(each).any(1).all():
            arch = space.arch_at(row)
            means = (task.metric.better * float(np.nanmean(values, dtype=np.float64)) for values in each)
            numbers = {split: round(mean, DIGITS) for split, mean in zip(splits, means, strict=True)}
            name = ", ".join(str(value) for value in space.decode(arch).values())
            found[name] = numbers | {"num_parameters": trainer.size(arch).num_parameters}
    return found
