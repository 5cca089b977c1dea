"""Scores of supernets as a column pack: a column that strategies, predictors and objectives can read."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxnas.provenance import git_commit, machine, versions
from jaxnas.search.one_shot.supernet import Supernet
from jaxnas.spaces.enumerated import check_enumerable
from jaxnas.tables.columns import INITIALIZATIONS, Column
from jaxnas.tables.manifest import SCHEMA_VERSION, keys_of
from jaxnas.tables.overwriting import check_table_replaceable
from jaxnas.tables.table import Table, write
from jaxnas.tasks.base import Task

COLUMN = "supernet"


def supernet_pack(
    supernets: Sequence[Supernet],
    task: Task,
    folder: str | os.PathLike | None = None,
    *,
    num_examples: int | None = None,
    pack_id: str | None = None,
) -> Table:
    """Returns the column pack of supernets: for every class of the space its score by each of them.

    The column is `supernet`, [classes, supernets]; a benchmark that joins it (`jn.load(table, columns=[folder])`) has
    its mean as the size `supernet`. Larger is better, for any metric.

    Args:
        supernets: of one method, space and task; `OneShotResult.supernets`.
        task: that they were trained on.
        folder: the pack is written there; None: nowhere.
        num_examples: of validation, as of `Supernet.scores`.
        pack_id: by default `<space>-<task>-<method>-v1`.

    Raises ValueError without supernets, or on a space that is too large to enumerate.
    """
    if not supernets:
        raise ValueError("Expected one supernet or more, got none.")
    setting = supernets[0].setting
    space, method = setting.space, setting.method
    check_enumerable(space)
    rows, class_of = np.unique(space.classes(), return_inverse=True)
    archs = np.asarray(space.arch_at(rows))
    values = np.stack([net.scores(archs, num_examples) for net in supernets], axis=1).astype(np.float32)
    unit = "proportion" if task.metric.unit == "proportion" else "score"
    column = Column(values, ("class", "run"), unit, 1, runs=INITIALIZATIONS)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "columns",
        "id": pack_id or f"{space.name}-{task.name}-{method.name}-v1",
        "space": space.description(),
        "task": {"name": task.name, "sha256": task.sha256},
        "fidelities": [],
        "licence": task.license,
        "supernet": {
            "method": method.name,
            "hyperparameters": [[name, repr(value)] for name, value in method.hyperparameters],
            "num_examples": supernets[0].num_examples if num_examples is None else num_examples,
        },
        "versions": versions(),
        "machine": machine(),
        "git_commit": git_commit(),
    }
    table = Table(manifest, keys_of(space), class_of.astype(np.int32), {COLUMN: column}, rows.astype(np.int32))
    if folder is None:
        return table
    check_table_replaceable(Path(folder), table)
    return write(table, folder, _card(table, task, method.name, len(supernets)))


def _card(table: Table, task: Task, method: str, count: int) -> str:
    lines = [
        f"# {table.id}: scores of supernets",
        f"The {len(table.representatives):,} classes of {table.num_architectures:,} architectures of the space "
        f"`{table.manifest['space']['name']}` on the task `{task.name}`, scored by {count} supernet(s) trained by "
        f"`{method}`: the validation score of each architecture with the shared arrays.",
        "## Limits",
        "A score by shared arrays is not that of a trained network. How well it ranks them is in docs/one_shot.md.",
        "## License",
        f"{task.license}, that of the task's data.",
    ]
    return "\n\n".join(lines) + "\n"
