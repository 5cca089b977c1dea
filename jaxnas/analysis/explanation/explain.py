"""Why an architecture is good, as JSON values: the contributions of its decisions, and alternatives to it."""

import contextlib
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxnas.analysis.confirmation import told_runs
from jaxnas.analysis.explanation.attribution import Attribution, Step, ablation_path, importance, shapley
from jaxnas.analysis.explanation.counterfactuals import (
    Counterfactual,
    best_within,
    chance_better,
    half_the_size,
    smallest_loss,
)
from jaxnas.analysis.explanation.motifs import Motif, insertion, motifs, rows_with
from jaxnas.analysis.explanation.score_models import Scored, scored_by_table
from jaxnas.analysis.statistics import finite
from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.spaces.decisions import cardinalities
from jaxnas.tasks.metrics import Metric

SIZE = "parameters"
MOST_CLASSES = 50_000
"""Classes of a table of which reports explain an architecture."""
NUM_MOTIFS = 6


def explained(
    scored: Scored,
    arch: ArrayLike,
    reference: ArrayLike,
    others: np.ndarray,
    sizes: np.ndarray | None = None,
    size: float | None = None,
    point: float | None = 0.01,
) -> dict[str, Any]:
    """Returns the explanation of an architecture, the key `explanation` of `summary.json`.

    `exact` is true for scores of a table and false for scores of a model; `reference` is the
    architecture that it is compared with; `path` and `values` are the contributions of its
    decisions (see `ablation_path` and `shapley`); `importance` is the share of the variance of all
    scores that a decision takes part in; `half`, `within_half` and `loss` are counterfactuals (see
    `half_the_size`, `best_within` and `smallest_loss`), None if there are none. Differences are by
    scores, larger is better; errors are None if unknown.

    Args:
        others: the architectures that counterfactuals are chosen from, int[n, D].
        sizes: of these, [n], and `size` is the size of the architecture; None if unknown.
        point: the loss that `loss` is of, such as a percentage point; None for none.
    """
    space = scored.space
    names = [decision.name for decision in space.decisions]
    found: dict[str, Any] = {
        "exact": scored.exact,
        "architecture": _named(scored, arch),
        "reference": _named(scored, reference),
        "path": _path(scored, ablation_path(scored, arch, reference), reference),
        "values": None,
        "importance": [
            {"decision": str(name), "share": float(share), "standard_error": float(error)}
            for name, share, error in zip(names, *importance(scored), strict=True)
        ],
        "half": None,
        "within_half": None,
        "loss": None,
    }
    if point is not None and (loss := _described(scored, arch, smallest_loss(scored, arch, others, loss=point))):
        found["loss"] = loss | {"at_least": point}
    with contextlib.suppress(ValueError):  # undefined if mixtures are no architectures
        found["values"] = _values(scored, shapley(scored, arch, reference), arch, reference)
    if sizes is not None and size:
        found["half"] = _described(scored, arch, half_the_size(scored, arch, others, sizes, size))
        found["within_half"] = _described(scored, arch, best_within(scored, arch, others, sizes, size))
    return found


def explained_by_table(bench: Benchmark, row: int, *, with_motifs: bool = False) -> dict[str, Any]:
    """Returns the explanation of the architecture at a row of a benchmark's table, as `explained` does.

    Scores are validation scores, as searches observe them. The reference is the architecture of the median score.
    `runner_up` is the best of another class, with the chance that it is truly better; `motifs`, on request, are
    subgraphs with the effect of inserting them (see `jaxnas.analysis.explanation.motifs`), which takes seconds.

    Raises ValueError if the benchmark has no table, or its table no such row.
    """
    table, scored = table_of(bench), scored_by_table(bench)
    if not 0 <= row < len(table.class_of):
        raise ValueError(f"Expected a row from 0 to {len(table.class_of) - 1:,}, got {row}.")
    rows = np.asarray(table.representatives, np.int64)
    scores = np.asarray(bench.validation_scores(rows[:, None]), np.float64)
    ranked = np.argsort(np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    others = _archs_at(bench, rows)
    sizes = bench.sizes(SIZE, rows[:, None]) if SIZE in bench.size_names else None
    own = np.asarray([row])
    size = None if sizes is None else float(bench.sizes(SIZE, own))
    arch = _archs_at(bench, own)[0]
    point = point_of(bench.metric)
    found = explained(scored, arch, others[ranked[len(ranked) // 2]], others, sizes, size, point)
    second = next((number for number in ranked[::-1] if number != table.class_of[row]), None)
    runs = told_runs(bench)
    found["runner_up"] = None
    if second is not None:
        chance = chance_better(runs[table.class_of[row]], runs[second])
        found["runner_up"] = _named(scored, others[second]) | {"chance": finite(chance)}
    if with_motifs:
        found["motifs"] = [_motif(bench, each) for each in motifs(bench, number=NUM_MOTIFS)]
    return found


def point_of(metric: Metric) -> float | None:
    """Returns a percentage point in the unit of a metric; None if it is no percentage."""
    return {"proportion": 0.01, "percent": 1.0}.get(metric.unit)


def _archs_at(bench: Benchmark, rows: np.ndarray) -> np.ndarray:
    if not bench.space.constrained:  # as `arch_at` does, without compiling anything
        sizes = cardinalities(bench.space.decisions)
        return np.stack(np.unravel_index(rows, sizes), axis=1).astype(np.int32)
    return np.asarray(jax.vmap(bench.space.arch_at)(rows.astype(np.int32)))


def _named(scored: Scored, arch: ArrayLike) -> dict[str, Any]:
    found = np.asarray(arch)
    return {"architecture": scored.space.to_str(found), "score": float(scored.means(found[None])[0])}


def _changes(scored: Scored, decisions: tuple[int, ...], before: ArrayLike, after: ArrayLike) -> list[dict[str, str]]:
    """Returns the decisions that change, with the values before and after, in words."""
    known = scored.space.decisions
    first, second = np.asarray(before), np.asarray(after)
    return [
        {
            "decision": str(known[each].name),
            "before": str(known[each].values[first[each]]),
            "after": str(known[each].values[second[each]]),
        }
        for each in decisions
    ]


def _path(scored: Scored, steps: list[Step], reference: ArrayLike) -> list[dict[str, Any]]:
    found, before = [], np.asarray(reference)
    for step in steps:
        changes = _changes(scored, step.decisions, before, step.arch)
        error = finite(step.standard_error)
        found.append({"changes": changes, "gain": step.gain, "standard_error": error, "score": step.score})
        before = step.arch
    return found


def _values(scored: Scored, found: Attribution, arch: ArrayLike, reference: ArrayLike) -> list[dict[str, Any]]:
    return [
        _changes(scored, (number,), reference, arch)[0] | {"value": float(value), "standard_error": finite(error)}
        for number, (value, error) in enumerate(zip(found.values, found.standard_errors, strict=True))
    ]


def _described(scored: Scored, arch: ArrayLike, found: Counterfactual | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "architecture": scored.space.to_str(found.arch),
        "changes": _changes(scored, found.decisions, arch, found.arch),
        "difference": found.difference,
        "standard_error": finite(found.standard_error),
        "size_ratio": found.size_ratio,
    }


def _motif(bench: Benchmark, motif: Motif) -> dict[str, Any]:
    inserted = None if bench.space.constrained else insertion(bench, rows_with(bench, motif))
    numbers = {name: getattr(motif, name) for name in ("name", "share", "effect", "low", "high", "stability")}
    return numbers | {"insertion": None if inserted is None else inserted._asdict()}
