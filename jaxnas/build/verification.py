"""Checking a table by training a sample of it again."""

import os
from typing import NamedTuple

import numpy as np

from jaxnas import catalog
from jaxnas.build.plan import PLAN_NAME
from jaxnas.build.provenance import machine, versions
from jaxnas.network.model import Skeleton
from jaxnas.network.size import network_size
from jaxnas.table import SPLITS, Table
from jaxnas.train import TrainConfig, evaluate

FIRST_STEP_TOLERANCE = 1e-4


class Check(NamedTuple):
    """One check: whether it passed, and what it compared."""

    passed: bool
    text: str


def retrain(source: str | os.PathLike, num_classes: int, *, seed: int | None = None) -> list[Check]:
    """Returns the checks of a table against trainings, done now, of a random sample of its classes.

    On any machine: the task's arrays, parameters and FLOPs exactly, loss and gradient norm of the first step within
    1e-4 relative. With the same jaxlib, processor features and plan also the counts, bitwise.

    Args:
        num_classes: how many classes to train again.
        seed: of the sample; None: another one each time.
    """
    table = Table.read(source)
    manifest = table.manifest
    space, task = catalog.space(manifest["space"]["name"]), catalog.task(manifest["task"]["name"])
    training = manifest["training"]
    config = TrainConfig(**{**training, "skeleton": Skeleton(**training["skeleton"])})
    known = np.flatnonzero(table.trained)
    classes = np.random.default_rng(seed).choice(known, min(num_classes, len(known)), replace=False)
    archs = [np.asarray(space.arch_at(table.representatives[number])) for number in classes]
    sizes = np.asarray(
        [network_size(space, config.skeleton, task.image_shape, task.num_classes, arch) for arch in archs]
    )
    stored_sizes = np.stack([table.num_parameters[classes], table.num_flops[classes]], axis=1)
    curves = evaluate(space, archs, task, config, manifest["seeds"])
    checks = [
        Check(task.sha256 == manifest["task"]["sha256"], f"the arrays of the task {task.name}"),
        Check(bool((sizes == stored_sizes).all()), f"parameters and FLOPs of {len(classes)} classes"),
        *(
            _first_step(name, getattr(curves, name), getattr(table, name)[classes])
            for name in ("first_loss", "first_gradient_norm")
        ),
    ]
    same = (
        manifest["plan"] == PLAN_NAME
        and manifest["machine"] == machine()
        and manifest["versions"]["jaxlib"] == versions()["jaxlib"]
    )
    if not same:
        return [
            *checks,
            Check(True, "counts not compared: this jaxlib, processor or plan is another one than the table's"),
        ]
    different = [split for split in SPLITS if (getattr(curves, split) != getattr(table, split)[classes]).any()]
    return [
        *checks,
        Check(
            not different, f"counts bitwise ({', '.join(different) or 'all splits'}; same jaxlib, processor and plan)"
        ),
    ]


def _first_step(name: str, found: np.ndarray, stored: np.ndarray) -> Check:
    error = float(np.max(np.abs(found - stored) / np.abs(stored)))
    return Check(error < FIRST_STEP_TOLERANCE, f"{name.replace('_', ' ')}, largest relative difference {error:.1e}")
