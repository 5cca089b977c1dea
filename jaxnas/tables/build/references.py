"""Lines to beat: networks of the literature, trained as the architectures of a table are."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.tables.format import read_manifest
from jaxnas.training.compilation import on_one_core
from jaxnas.training.family import family_of
from jaxnas.training.trainer import Trainer

_SAME = ("space", "task", "training", "plan", "code", "seeds")
DIGITS = 6


def reference_scores(trainer: Trainer, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
    """Returns what the references of a kind of network reach, by name; empty for kinds and for tasks without.

    Of each: `validation` and `test`, the metric after the last epoch, the mean over the seeds whose training did not
    fail; and `num_parameters`. A reference whose trainings all failed is left out.
    """
    if trainer.family.references is None:
        return {}
    space, task = catalog.load(trainer.family.references), trainer.task
    if task.kind not in family_of(space).inputs:
        return {}
    other = Trainer(space, task, trainer.config)
    archs = np.asarray([space.arch_at(row) for row in range(space.num_architectures)])
    with on_one_core():
        curves = other.curves(archs, seeds)
    splits = ("validation", "test")
    scores = [curves.scores(split, getattr(task, split).num_examples, task.metric)[..., -1] for split in splits]
    found = {}
    for arch, *each in zip(archs, *scores, strict=True):
        if np.isfinite(each).any(1).all():
            means = (task.metric.better * float(np.nanmean(values, dtype=np.float64)) for values in each)
            numbers = {split: round(mean, DIGITS) for split, mean in zip(splits, means, strict=True)}
            name = ", ".join(str(value) for value in space.decode(arch).values())
            found[name] = numbers | {"num_parameters": other.size(arch).num_parameters}
    return found


def known_references(folder: Path, manifest: dict) -> dict[str, dict[str, float]] | None:
    """Returns the references of a table that a build of the same trainings has left in a folder; None without one."""
    try:
        found, expected = read_manifest(folder), json.loads(json.dumps(manifest))
    except ValueError:
        return None
    return found.get("references") if all(found.get(name) == expected.get(name) for name in _SAME) else None
