"""Motifs: which small subgraphs go with good architectures, how stable that is, and the effect of inserting one."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.benchmarks.base import Benchmark, table_of
from jaxnas.benchmarks.rows import rows_of
from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities

RIDGE = 1.0
NUM_BOOTSTRAPS = 100
FEWEST_MEMBERS = 0.005
"""A motif is counted where at least this share of the classes has it, and lacks it."""
NUM_GROUPS = 100
NUM_CONTEXTS = 2000
LEVEL = 0.95


class Motif(NamedTuple):
    """A small subgraph and its association with the score.

    Attributes:
        name: in words: an operation, or an operation and its inputs.
        label: the operation, a position in the space's `label_names`.
        reads: the operations that it reads, such positions, ascending; None for the operation alone, with any inputs.
        share: the share of the classes that have it.
        effect: the change of the score with it in a regression on all motifs, in the unit of scores.
        low, high: the ends of its 95 % interval by the bootstrap over classes.
        stability: the share of the bootstrap's samples in which it is among as many motifs of largest effect.
    """

    name: str
    label: int
    reads: tuple[int, ...] | None
    share: float
    effect: float
    low: float
    high: float
    stability: float


class Insertion(NamedTuple):
    """The effect of inserting a motif into random architectures.

    Attributes:
        effect: the mean change of the score: with the motif, less without it, all other decisions unchanged.
        low, high: the ends of its 95 % interval over architectures.
        num_contexts: how many architectures it was inserted into.
    """

    effect: float
    low: float
    high: float
    num_contexts: int


def motifs(bench: Benchmark, *, number: int = 8, num_bootstraps: int = NUM_BOOTSTRAPS, seed: int = 0) -> list[Motif]:
    """Returns the motifs of a table that go with the largest change of the score, largest first.

    Motifs are the labels of Weisfeiler and Leman's refinement after no and one round, on the graph
    of an architecture without dead parts: an operation, and an operation with the operations that
    it reads. The score of a class is regressed on whether it has each of them, by ridge regression.
    Scores are mean validation scores, the lowest tenth raised to its upper end, so networks that
    learned nothing do not decide. Ru, Wan, Dong and Osborne, "Interpretable Neural Architecture
    Search via Bayesian Optimization with Weisfeiler-Lehman Kernels", ICLR 2021, read motifs from
    the derivatives of a Gaussian process. An effect is an association: see `insertion`.

    Args:
        num_bootstraps: samples, with replacement, of 100 random groups of classes, for intervals and stability.
        seed: of these samples.

    Raises ValueError if the benchmark has no table.
    """
    checked_size("number", number)
    checked_size("num_bootstraps", num_bootstraps)
    rows = np.asarray(table_of(bench).representatives)
    scores = np.asarray(bench.validation_scores(rows.astype(np.int64)[:, None]), np.float64)
    scores = np.where(np.isnan(scores), np.nanmin(scores), scores)
    scores = np.maximum(scores, np.quantile(scores, 0.1))
    found, has = motif_table(bench.space, rows)
    kept = (has.mean(0) >= FEWEST_MEMBERS) & (has.mean(0) <= 1 - FEWEST_MEMBERS)
    found, has = [each for each, keep in zip(found, kept, strict=True) if keep], has[:, kept]
    if not found:
        return []
    random = np.random.default_rng(seed)
    products = _products(np.column_stack([np.ones(len(has)), has, scores]), random.permutation(len(has)))
    effects = _ridge(products.sum(0))
    drawn = random.integers(0, len(products), (num_bootstraps, len(products)))
    counts = np.stack([np.bincount(each, minlength=len(products)) for each in drawn])
    samples = np.stack([_ridge(np.tensordot(each, products, 1)) for each in counts])
    order = np.argsort(-np.abs(effects), kind="stable")[:number]
    among = np.argsort(-np.abs(samples), axis=1, kind="stable")[:, : len(order)]
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [
        Motif(
            motif_name(bench.space, *found[each]),
            *found[each],
            *map(float, (has[:, each].mean(), effects[each], low[each], high[each], (among == each).any(1).mean())),
        )
        for each in order
    ]


def motif_table(space: Space, rows: np.ndarray) -> tuple[list[tuple[int, tuple[int, ...] | None]], np.ndarray]:
    """Returns the motifs of architectures at rows [n], as (label, reads), and which has which, bool[n, M]."""
    labels, edges = (np.asarray(each) for each in _graphs(space)(np.asarray(rows, np.int32)))
    present = labels >= 0
    base = labels.shape[1] + 1
    # a number for the multiset of labels that a vertex reads: one digit a label, its count
    kind = object if base ** len(space.label_names) >= 2**62 else np.int64
    weights = np.where(present, base ** np.maximum(labels, 0).astype(kind), 0)
    reads = (weights[:, :, None] * (edges & present[:, :, None])).sum(1)
    found: list[tuple[int, tuple[int, ...] | None]] = []
    columns = []
    for label in np.unique(labels[present]).tolist():
        mine = labels == label
        if space.label_names[label] not in ("input", "output"):
            found.append((label, None))
            columns.append(mine.any(1))
        for code in sorted(set(reads[mine].tolist())):
            if code:
                found.append((label, _digits(int(code), base)))
                columns.append((mine & (reads == code)).any(1))
    return found, np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0), bool)


def motif_name(space: Space, label: int, reads: tuple[int, ...] | None) -> str:
    """Returns a motif in words."""
    names = space.label_names
    if reads is None:
        return names[label]
    return f"{names[label]} reads {' + '.join(names[each] for each in reads)}"


def insertion(
    bench: Benchmark, has: np.ndarray, *, num_contexts: int = NUM_CONTEXTS, seed: int = 0
) -> Insertion | None:
    """Returns the effect of inserting a motif into random architectures of a table; None if it never can be.

    An architecture and a decision are drawn until there are `num_contexts` of them in which some
    values of the decision give the motif and others do not. The contrast is the mean score with it
    less the mean score without it, all other decisions left alone, so anything else that goes with
    the motif in good architectures is the same on both sides.

    Args:
        bench: a benchmark with a table, of a space in which every vector of choices is an architecture.
        has: which rows of the space have the motif, bool[rows]; see `rows_with`.

    Raises ValueError if the benchmark has no table, or its space has constraints.
    """
    space = bench.space
    if space.constrained:
        raise ValueError(f"Expected a space in which every vector is an architecture, got {space.name}.")
    scores = np.asarray(bench.validation_scores(np.arange(space.num_architectures)[:, None]), np.float64)
    scores = np.where(np.isnan(scores), np.nanmin(scores), scores)
    random, sizes = np.random.default_rng(seed), cardinalities(space.decisions)
    contrasts: list[np.ndarray] = []
    num_found = 0
    for _ in range(20):
        drawn = random.integers(0, sizes, (num_contexts, len(sizes)))
        varied = random.integers(0, len(sizes), num_contexts)
        found = _contrasts(_varied_rows(space, drawn, varied), sizes[varied], np.asarray(has), scores)
        contrasts.append(found)
        num_found += len(found)
        if num_found >= num_contexts:
            break
    values = np.concatenate(contrasts)[:num_contexts]
    if len(values) < 2:
        return None
    error = 1.959963984540054 * values.std(ddof=1) / np.sqrt(len(values))
    return Insertion(float(values.mean()), float(values.mean() - error), float(values.mean() + error), len(values))


def _varied_rows(space: Space, drawn: np.ndarray, varied: np.ndarray) -> np.ndarray:
    """Returns the rows of architectures [n, D] with every value of the decision that varies, int64[n, V].

    Beyond the values of a decision they repeat the last one.
    """
    sizes = cardinalities(space.decisions)
    values = np.arange(sizes.max())
    archs = np.repeat(drawn[:, None], len(values), axis=1)
    archs[np.arange(len(drawn)), :, varied] = np.minimum(values, sizes[varied][:, None] - 1)
    return rows_of(space, archs)


def _contrasts(rows: np.ndarray, sizes: np.ndarray, has: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns mean scores with the motif less mean scores without it, for decisions that allow both, float64[n].

    Args:
        rows: of the architectures with every value of the decision, int64[N, V].
        sizes: how many values it has, [N].
        has, scores: of the rows of the space.
    """
    counted = np.arange(rows.shape[1]) < sizes[:, None]
    with_it = has[rows] & counted
    without = counted & ~with_it
    decides = with_it.any(1) & without.any(1)
    means = [np.where(each, scores[rows], 0).sum(1) / np.maximum(each.sum(1), 1) for each in (with_it, without)]
    return (means[0] - means[1])[decides]


def rows_with(bench: Benchmark, motif: Motif) -> np.ndarray:
    """Returns which rows of a benchmark's space have a motif, bool[rows]."""
    table = table_of(bench)
    found, has = motif_table(bench.space, np.asarray(table.representatives))
    return has[:, found.index((motif.label, motif.reads))][table.class_of]


def _products(columns: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Returns the sums of products of columns [n, M] over random groups of their rows, float64[NUM_GROUPS, M, M]."""
    groups = np.array_split(columns[order], min(NUM_GROUPS, len(columns)))
    return np.stack([each.T @ each for each in groups])


def _ridge(products: np.ndarray) -> np.ndarray:
    """Returns the coefficients of a ridge regression with an intercept, float64[M].

    Args:
        products: sums of products of a column of ones, M columns, and the regressed scores, [M + 2, M + 2].
    """
    total, means = products[0, 0], products[0] / products[0, 0]
    centered = (products - total * np.outer(means, means))[1:, 1:]
    return np.linalg.solve(centered[:-1, :-1] + RIDGE * np.eye(len(centered) - 1), centered[:-1, -1])


@functools.lru_cache(maxsize=8)
def _graphs(space: Space) -> Callable[[np.ndarray], tuple[jax.Array, jax.Array]]:
    return jax.jit(jax.vmap(lambda row: space.labeled(space.arch_at(row))))


def _digits(code: int, base: int) -> tuple[int, ...]:
    """Returns the labels of a multiset's number, ascending, each as often as it occurs."""
    labels: list[int] = []
    position = 0
    while code:
        code, count = divmod(code, base)
        labels += [position] * count
        position += 1
    return tuple(labels)
