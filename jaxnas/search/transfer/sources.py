"""Source tables: which may teach a search on a target, and what they say of each architecture."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnas.analysis.reliability import spearman
from jaxnas.benchmarks.base import Benchmark
from jaxnas.spaces.base import Space
from jaxnas.tables.table import Table

Source = Table | str | os.PathLike
"""A table, or its identifier or folder."""


def source_tables(sources: Sequence[Source], space: Space) -> list[Table]:
    """Returns the tables of sources. Raises ValueError where one is of another space, or is incomplete."""
    tables = [source if isinstance(source, Table) else Table.read(source) for source in sources]
    described = space.description()
    for table in tables:
        own = table.manifest["space"]
        if any(own[part] != described[part] for part in ("decisions", "num_architectures")):
            raise ValueError(f"Expected source tables of the space {space.name}, got {table.id}, of {own['name']}.")
        if not table.trained.all():
            raise ValueError(f"Expected complete source tables, got {table.id}, of which classes are missing.")
    return tables


def without_target(tables: Sequence[Table], bench: Benchmark) -> list[Table]:
    """Returns the tables that are not of the target: of another identifier, other arrays, and another task.

    Raises ValueError where none remains.
    """
    target = bench.table
    task = None if target is None else target.manifest.get("task", {})
    kept = [
        table
        for table in tables
        if table.id != bench.id
        and (bench.content_hash is None or table.manifest.get("content_hash") != bench.content_hash)
        and not _same_task(table.manifest.get("task", {}), task)
    ]
    if not kept:
        raise ValueError(f"Expected sources of other tasks than {bench.id}, the target, got none.")
    return kept


def _same_task(one: dict[str, Any], other: dict[str, Any] | None) -> bool:
    if other is None:
        return False
    hashes = one.get("sha256"), other.get("sha256")
    return hashes[0] == hashes[1] if all(hashes) else one.get("name") == other.get("name")


def source_scores(tables: Sequence[Table]) -> np.ndarray:
    """Returns what searches on the tables are told, float64[S, rows]: means over runs at the last fidelity.

    Larger is better; NaN where every run failed. Held-out scores of sources are not read.
    """
    found = []
    for table in tables:
        protocol = table.protocol()
        means = table.means(protocol.told)[:, protocol.fidelities[-1]].astype(np.float64)
        found.append((means if table.metric.better > 0 else -means)[table.class_of])
    return np.stack(found)


def described_sources(tables: Sequence[Table], bench: Benchmark) -> list[dict[str, Any]]:
    """Returns what the sources of a comparison were, as `summary.json` holds it.

    For each: `id`, `content_hash`, and `spearman`, the rank correlation over architectures of what searches on it and
    on the target are told; None where the target has no table. Strategies do not see it.
    """
    correlations: list[float | None] = [None] * len(tables)
    if bench.table is not None:
        rows = np.arange(bench.space.num_architectures)[:, None]
        own = bench.validation_scores(rows)
        correlations = [spearman(scores, own) for scores in source_scores(tables)]
    return [
        {"id": table.id, "content_hash": table.manifest.get("content_hash"), "spearman": correlation}
        for table, correlation in zip(tables, correlations, strict=True)
    ]
