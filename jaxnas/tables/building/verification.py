"""Checking a table by training a sample of it again."""

import os
from typing import Any, NamedTuple

import numpy as np

from jaxnas import catalog
from jaxnas.checks import first_line
from jaxnas.provenance import machine, versions
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import space_named
from jaxnas.tables.building.baselines import baseline_scores
from jaxnas.tables.format import check_files
from jaxnas.tables.shipped import find
from jaxnas.tables.table import Table
from jaxnas.tables.trainings import plain_table
from jaxnas.tasks.base import SPLITS, Task
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import on_one_core
from jaxnas.training.config import BFLOAT16, FLOAT32, TrainConfig, config_from_dict
from jaxnas.training.curves import Curves
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import Trainer

FIRST_STEP_TOLERANCE = {FLOAT32: 1e-4, BFLOAT16: 0.02}
"""Relative: sums in another order change the last places of numbers, and those which are rounded to bfloat16 then."""
MAX_STANDARD_ERRORS = 4.0


class Check(NamedTuple):
    """One check: whether it passed, and the description of the comparison."""

    passed: bool
    text: str


def verify(
    table: str | os.PathLike, *, sample: int = 0, space: Space | str | None = None, task: Task | str | None = None
) -> list[Check]:
    """Returns the checks of a table: of its files against its hashes, and of a sample of classes by training again.

    Args:
        table: an identifier or a folder.
        sample: how many classes to train again, on one core; none if the files fail their check.
        space, task: of the table, or their names, if the catalog has none of the names in the table.

    Raises ValueError if there is no such table, or as `retrain`.
    """
    folder = find(table)
    if problems := check_files(folder):
        return [Check(False, problem) for problem in problems]
    Table.read(folder, verify=True)
    checks = [Check(True, f"{folder.name}: files and arrays are those that the manifest names.")]
    if not sample:
        return checks
    space = space_named(space) if isinstance(space, str) else space
    task = task_named(task) if isinstance(task, str) else task
    with on_one_core():
        return checks + retrain(folder, sample, space=space, task=task)


def retrain(
    source: str | os.PathLike,
    num_classes: int,
    *,
    space: Space | None = None,
    task: Task | None = None,
    seed: int | None = None,
) -> list[Check]:
    """Returns the checks of a table against trainings, done now, of a random sample of its classes.

    On any machine: the task's arrays, parameters and FLOPs exactly, loss and gradient norm of the first step within
    1e-4 relative, of products in bfloat16 within 0.02. With the same jaxlib, processor features and plan also the
    counts, bitwise; otherwise the mean difference of final counts, in standard errors by the table's own spread over
    seeds, of which a changed recipe shows, and a few changed counts do not. The baselines are trained again only
    if they must be the same. `jaxnas verify` calls this on one core; if JAX has computed on several before, the
    last bits of some networks are others (`jaxnas.training.compilation.on_one_core`).

    Args:
        num_classes: how many classes to train again.
        space, task: of the table; by default by their names in the catalog. A table never names code to run.
        seed: of the sample; None: another one each time.

    Raises ValueError if the catalog has no such space or task, the space is another one, or the
    table was not trained here: a published one.
    """
    table = Table.read(source)
    _check_built(table)
    manifest = table.manifest
    space = space or _of_the_catalog("space", manifest["space"]["name"], catalog.SPACES, table.id)
    task = task or _of_the_catalog("task", manifest["task"]["name"], catalog.TASKS, table.id)()
    if space.description() | {"name": manifest["space"]["name"]} != manifest["space"]:
        raise ValueError(f"Expected the space that {table.id} was made of, got {space.name} with other decisions.")
    known = np.flatnonzero(table.trained)
    classes = np.random.default_rng(seed).choice(known, min(num_classes, len(known)), replace=False)
    tables = {name: plain_table(table, name) for name in manifest.get("trainings", {})} or {"": table}
    checks = []
    for name, plain in tables.items():
        trainer = Trainer(space, task, _config_of(plain, networks_class(space).default))
        suffix = f" (of {name})" if name else ""
        checks += [Check(each.passed, each.text + suffix) for each in _retrained(plain, trainer, classes)]
    # the task in the resolution of the last training, which reports read, as are the baselines
    checks += _baselines(manifest, trainer) if _reproducible(manifest, trainer) else []
    return [Check(trainer.task.sha256 == manifest["task"]["sha256"], f"the arrays of the task {task.name}"), *checks]


def _retrained(table: Table, trainer: Trainer, classes: np.ndarray) -> list[Check]:
    """Returns the checks of a table of one training against trainings of some of its classes."""
    manifest = table.manifest
    archs = [np.asarray(trainer.space.arch_at(table.representatives[number])) for number in classes]
    sizes = np.asarray([trainer.size(arch) for arch in archs])
    stored_sizes = np.stack([table.sizes(name)[classes] for name in ("parameters", "flops")], axis=1)
    found = trainer.curves(archs, manifest["seeds"])
    stored = Curves(*(table.columns[name].values[classes] for name in Curves._fields))
    return [
        Check(bool((sizes == stored_sizes).all()), f"parameters and FLOPs of {len(classes)} classes"),
        _first_step("first_loss", found, stored, trainer.config.precision),
        _first_step("first_gradient_norm", found, stored, trainer.config.precision),
        _same_counts(found, stored) if _reproducible(manifest, trainer) else _similar_counts(found, stored),
    ]


def _baselines(manifest: dict, trainer: Trainer) -> list[Check]:
    """Returns the check of the baselines, if a table has any."""
    expected = manifest.get("references")
    if not expected:
        return []
    same = baseline_scores(trainer, manifest["seeds"]) == expected
    return [Check(same, f"scores of the baselines: {', '.join(expected)}")]


def _check_built(table: Table) -> None:
    """Raises ValueError if a table lacks a part that a build writes."""
    parts = [name for name in ("training", "plan", "versions", "machine") if name not in table.manifest]
    columns = [name for name in (*Curves._fields, "num_parameters", "num_flops") if name not in table.columns]
    if missing := [*parts, *columns]:
        raise ValueError(
            f"Expected a table that `jaxnas build` made, to train again, got {table.id} without {missing[0]}."
        )


def _config_of(table: Table, default: TrainConfig) -> TrainConfig:
    try:
        return config_from_dict(table.manifest["training"], default)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"Expected {table.id} with a training configuration, got: {first_line(error)}.") from None


def _of_the_catalog(kind: str, name: str, known: dict[str, str], table_id: str) -> Any:
    found = catalog.in_file(name, known)
    if found is None:
        raise ValueError(
            f"Expected the {kind} of {table_id} to be one of {', '.join(known)}, got {name!r}; give it by --{kind}."
        )
    return found


def _reproducible(manifest: dict, trainer: Trainer) -> bool:
    """Returns whether this jaxlib, processor and plan give the very numbers of a table."""
    same_jaxlib = manifest["versions"].get("jaxlib") == versions()["jaxlib"]
    # the plan whose trainings do not depend on their neighbors, bit by bit
    same_plan = manifest["plan"] == trainer.plan("sequential").name == trainer.plan().name
    return same_plan and manifest["machine"] == machine() and same_jaxlib


def _first_step(name: str, found: Curves, stored: Curves, precision: str) -> Check:
    expected = getattr(stored, name)
    error = float(np.max(np.abs(getattr(found, name) - expected) / np.abs(expected)))
    return Check(
        error < FIRST_STEP_TOLERANCE[precision], f"{name.replace('_', ' ')}, largest relative difference {error:.1e}"
    )


def _same_counts(found: Curves, stored: Curves) -> Check:
    pairs = {split: (getattr(found, split), getattr(stored, split)) for split in SPLITS}
    different = [
        split for split, pair in pairs.items() if not np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f")
    ]
    where = ", ".join(different) or "all splits"
    return Check(not different, f"counts bitwise ({where}; same jaxlib, processor and plan)")


def _similar_counts(found: Curves, stored: Curves) -> Check:
    reason = "another jaxlib, processor or plan than the table's"
    if stored.validation.shape[1] < 2:
        return Check(True, f"counts not compared: {reason}, and a single seed has no spread to compare with")
    errors = {split: _standard_errors(getattr(found, split), getattr(stored, split)) for split in SPLITS}
    largest = max(abs(value) for value in errors.values())
    shown = ", ".join(f"{split} {value:+.1f}" for split, value in errors.items())
    return Check(largest < MAX_STANDARD_ERRORS, f"mean difference in standard errors: {shown} ({reason})")


def _standard_errors(found: np.ndarray, stored: np.ndarray) -> float:
    """Returns the mean difference of final counts, or values, [G, S, E] in standard errors by the stored spread over
    seeds. Classes with a training whose value is not finite, on either side, are omitted.
    """
    whole = (np.isfinite(found[:, :, -1]) & np.isfinite(stored[:, :, -1])).all(1)
    final, again = stored[whole][:, :, -1], found[whole][:, :, -1]
    if not final.size:
        return 0.0
    variance = float(2 * final.var(axis=1, ddof=1).mean() / final.size)
    smallest = 1 / final.size if found.dtype.kind in "iu" else float(np.finfo(np.float32).tiny)
    return float((again - final).mean()) / float(max(variance, smallest) ** 0.5)
