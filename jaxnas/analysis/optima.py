"""The reference of regrets: the best score of a benchmark, known, estimated or the largest of a table."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.analysis.crossfit import Best, crossfit
from jaxnas.benchmarks.base import Benchmark, checked_size_name, table_of
from jaxnas.checks import unknown_name

OPTIMA = ("crossfit", "maximum")
KNOWN = "known"

Limit = tuple[str | Callable[[jax.Array], jax.Array], float]
"""A size, by name or as a function `arch -> float32`, and the largest that is allowed."""


class Optimum(NamedTuple):
    """The reference score from which regrets are measured.

    Attributes:
        value: the best held-out score.
        standard_error: of the value, if it is estimated; None otherwise.
        method: `"crossfit"`, the largest expected score, estimated from the runs of a table; `"maximum"`,
            the largest mean over the runs of a table; `"known"`, if the benchmark states it.
        note: why it is not estimated although that was asked for; empty otherwise.
    """

    value: float
    standard_error: float | None
    method: str
    note: str = ""


def optimum(bench: Benchmark, *, optimum_from: str = "crossfit", limit: Limit | None = None) -> Optimum:
    """Returns the best held-out score of a benchmark, for reports only.

    The largest of thousands of noisy means is a lucky one. `"crossfit"` estimates the largest
    *expected* score, by choosing and valuing with different runs (see `jaxnas.analysis.crossfit`).
    `"maximum"` is the largest mean, as in most papers on tables. If a table holds no runs to choose
    and value with, or searches observe means, it is always the maximum, and `note` gives the
    reason.

    Args:
        optimum_from: `"crossfit"` or `"maximum"`.
        limit: (size, maximum): among the architectures up to a size, one of the benchmark's `size_names` or a function
            as of `jn.constrained`.

    Raises ValueError if the optimum is unknown, or no architecture is within the limit.
    """
    method = method_of(bench, optimum_from)
    known = bench.held_out.optimum
    if known is None:
        raise ValueError(f"Expected a benchmark with a known optimum, got {bench.id} without one.")
    if method == KNOWN:
        if limit is not None:
            raise ValueError(
                f"Expected a benchmark with a table for an optimum within a limit, got {bench.id} without."
            )
        return Optimum(known, None, KNOWN)
    if method == "maximum":
        value = known if limit is None else float(np.nanmax(bench.held_out.scores(candidates(bench, limit))))
        return Optimum(value, None, method, bench.held_out.note if optimum_from == "crossfit" else "")
    benchmark: Any = bench  # hashed by identity, which the protocol does not promise
    estimate = _estimated(benchmark, limit)
    return Optimum(estimate.value, estimate.standard_error, method)


def method_of(bench: Benchmark, optimum_from: str = "crossfit") -> str:
    """Returns by which method regrets on a benchmark are measured (see `Optimum`) given `optimum_from`."""
    if optimum_from not in OPTIMA:
        raise unknown_name("an optimum", optimum_from, OPTIMA)
    if bench.table is None:
        return KNOWN
    return "maximum" if bench.held_out.runs is None else optimum_from


def limit_name(limit: Limit, bench: Benchmark) -> str:
    """Returns the name of the size that is limited, or of its function if the benchmark does not know it."""
    size, _ = limit
    if isinstance(size, str):
        return size
    known = [name for name in bench.size_names if bench.size(name) is size]
    return known[0] if known else getattr(size, "__name__", "size")


@functools.lru_cache(maxsize=4)
def _estimated(bench: Any, limit: Limit | None) -> Best:
    """Returns the estimate of a benchmark's largest expected score within a limit."""
    return crossfit(bench.held_out.runs(candidates(bench, limit)))


def candidates(bench: Benchmark, limit: Limit | None) -> np.ndarray:
    """Returns the rows of an architecture of each class within a limit, int64[n, 1]. Raises ValueError on none."""
    rows = np.asarray(table_of(bench).representatives, np.int64)[:, None]
    if limit is None:
        return rows
    size, maximum = limit
    if isinstance(size, str):
        sizes = bench.sizes(checked_size_name(size, bench), rows)
    else:
        sizes = np.asarray(jax.vmap(size)(jax.vmap(bench.space.arch_at)(rows[:, 0].astype(np.int32))))
    if not (sizes <= maximum).any():
        raise ValueError(f"Expected a limit that some architecture keeps to, got {maximum:g}, below {sizes.min():g}.")
    return rows[sizes <= maximum]
