"""Source tables: which may teach a search on a target, their scores, and portfolios that are good on all of them."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxnas.benchmarks.base import Benchmark
from jaxnas.checks import checked_size
from jaxnas.ranks import spearman
from jaxnas.spaces.base import Space, has_rows
from jaxnas.tables.table import Table

PORTFOLIO_SIZE = 20

Source = Table | str | os.PathLike
"""A table, or its identifier or folder."""


def source_tables(sources: Sequence[Source], space: Space) -> list[Table]:
    """Returns the tables of sources. Raises ValueError if one is of another space, or is incomplete."""
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

    Raises ValueError if none remains.
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
    """Returns the validation scores that searches on the tables observe, float64[S, rows]: means at the last fidelity.

    Means are over runs. Larger is better; NaN if every run failed. Held-out scores of sources are not read.
    """
    found = []
    for table in tables:
        protocol = table.protocol()
        means = table.means(protocol.told)[:, protocol.fidelities[-1]].astype(np.float64)
        found.append((means if table.metric.better > 0 else -means)[table.class_of])
    return np.stack(found)


def described_sources(tables: Sequence[Table], bench: Benchmark) -> list[dict[str, Any]]:
    """Returns the description of a comparison's sources, as `summary.json` holds it.

    For each: `id`, `content_hash`, and `spearman`, the rank correlation over architectures of the
    validation scores on it and on the target; None if the target has no table. Strategies do not see it.
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


def greedy_portfolio(sources: Sequence[Source], space: Space, size: int = PORTFOLIO_SIZE) -> np.ndarray:
    """Returns the portfolio of source tables, int32[n, D], n <= size, the first choice first.

    Architectures are added one by one: the next one minimizes the regret of the best of the set, averaged over the
    sources; ties go to the smallest mean regret of a single architecture. When none improves it, another set begins,
    of architectures that are not in the first. With one source it is the source's ranking. A regret is counted in
    standard deviations of the source's better half, so networks that learned nothing do not set the scale. Each class
    of equal networks contributes one. Feurer, Eggensperger, Falkner, Lindauer and Hutter, "Auto-Sklearn 2.0: Hands-free
    AutoML via Meta-Learning", JMLR 2022, build portfolios of pipelines so.

    Args:
        sources: tables of `space`, identifiers or folders; only their validation scores are read.
        space: the search space of the new task.
        size: the most architectures.

    Raises ValueError on tables of another space.
    """
    checked_size("size", size)
    tables = source_tables(sources, space)
    if not tables:
        return np.zeros((0, len(space.decisions)), np.int32)
    rows, regrets = regrets_of_classes(source_scores(tables), space)
    return archs_at(space, rows[_chosen(regrets, min(size, len(rows)))])


def sources_ranking(sources: Sequence[Source], space: Space) -> np.ndarray:
    """Returns one architecture of each class, int32[G, D], by its mean regret over sources, the smallest first.

    Regrets and arguments are as in `greedy_portfolio`.
    """
    rows, regrets = regrets_of_classes(source_scores(source_tables(sources, space)), space)
    return archs_at(space, rows[np.argsort(regrets.mean(0), kind="stable")])


def _chosen(regrets: np.ndarray, size: int) -> list[int]:
    """Returns the numbers of the architectures of a portfolio, of their regrets [S, G]."""
    own, left = regrets.mean(0), np.ones(regrets.shape[1], bool)
    best = nothing = np.full(len(regrets), np.inf)
    chosen: list[int] = []
    while len(chosen) < size:
        together = np.where(left, np.minimum(best[:, None], regrets).mean(0), np.inf)
        if together.min() >= best.mean() < np.inf:
            best = nothing
            continue
        equal = together == together.min()
        number = int(np.argmin(np.where(equal, own, np.inf)))
        chosen.append(number)
        left[number] = False
        best = np.minimum(best, regrets[:, number])
    return chosen


def regrets_of_classes(scores: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Returns the row of each class, int[G], and its regret on each source in standard deviations, float64[S, G].

    Args:
        scores: float64[S, rows]; a class has the mean of its members', and the largest regret if all failed.
    """
    rows, members = np.unique(class_of_rows(space), return_inverse=True)
    means = np.stack([_mean_by(members, each, len(rows)) for each in scores])
    regrets = np.nanmax(means, axis=1, keepdims=True) - means
    regrets = np.where(np.isnan(regrets), np.nanmax(regrets, axis=1, keepdims=True), regrets)
    better = np.where(regrets <= np.median(regrets, axis=1, keepdims=True), regrets, np.nan)
    scale = np.nanstd(better, axis=1, keepdims=True)
    return rows, regrets / np.where(scale > 0, scale, 1)


def class_of_rows(space: Space) -> np.ndarray:
    """Returns for each row of a space the row of its class's representative. Raises ValueError without rows."""
    if not has_rows(space):
        raise ValueError(f"Expected a space whose architectures have rows, got {space.name}.")
    return np.asarray(space.classes())


def archs_at(space: Space, rows: np.ndarray) -> np.ndarray:
    """Returns the architectures at rows [n] of a space, int32[n, D]."""
    return np.asarray(jax.vmap(space.arch_at)(np.asarray(rows, np.int32)), np.int32)


def _mean_by(members: np.ndarray, scores: np.ndarray, number: int) -> np.ndarray:
    """Returns the mean score of each class over its members that have one, NaN if none has, float64[G]."""
    known = np.isfinite(scores)
    counts = np.bincount(members[known], minlength=number)
    sums = np.bincount(members[known], weights=scores[known], minlength=number)
    return np.divide(sums, counts, out=np.full(number, np.nan), where=counts > 0)
