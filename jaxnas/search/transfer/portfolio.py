"""Portfolios: few architectures of which one is good on every source task."""

from collections.abc import Sequence

import numpy as np

from jaxnas.checks import checked_size
from jaxnas.search.transfer.sources import Source, source_scores, source_tables
from jaxnas.spaces.base import Space, has_rows

PORTFOLIO_SIZE = 20


def greedy_portfolio(sources: Sequence[Source], space: Space, size: int = PORTFOLIO_SIZE) -> np.ndarray:
    """Returns the portfolio of source tables, int32[n, D], n <= size, the first choice first.

    Architectures are added one by one: the next one is that for which the regret of the best of the set, on average
    over the sources, becomes smallest; of equal ones that of the smallest mean regret of its own. When none makes it
    smaller, another set begins, of architectures that are not in the first. The portfolio of one source is its ranking
    from the best down. A regret is counted in standard deviations of the source's better half, so that networks which
    learned nothing do not set the scale. Of each class of equal networks one is taken. Feurer, Eggensperger, Falkner,
    Lindauer and Hutter, "Auto-Sklearn 2.0: Hands-free AutoML via Meta-Learning", JMLR 2022, build portfolios of
    pipelines so.

    Args:
        sources: tables of `space`, identifiers or folders; only what searches on them are told is read.
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

    Regrets and arguments are those of `greedy_portfolio`.
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
        scores: float64[S, rows]; a class has the mean of its members', and the largest regret where all failed.
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
    import jax

    return np.asarray(jax.vmap(space.arch_at)(np.asarray(rows, np.int32)), np.int32)


def _mean_by(members: np.ndarray, scores: np.ndarray, number: int) -> np.ndarray:
    """Returns the mean score of each class over its members that have one, NaN where none has, float64[G]."""
    known = np.isfinite(scores)
    counts = np.bincount(members[known], minlength=number)
    sums = np.bincount(members[known], weights=scores[known], minlength=number)
    return np.divide(sums, counts, out=np.full(number, np.nan), where=counts > 0)
