"""Columns of a table: values by class, run and fidelity, and the arithmetic on them. Needs NumPy only."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxnas.checks import unknown_name

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]*(@[A-Za-z0-9_.-]+)?")
AXES = (("class",), ("class", "run"), ("class", "fidelity"), ("class", "run", "fidelity"))
RUN_COUNT_UNIT = "runs"
INITIALIZATIONS = "initialisations"
"""The set of runs of a column whose runs are networks of other initial weights, not trained."""
UNITS = {
    "loss": "nats",
    "first_loss": "nats",
    "first_gradient_norm": "norm",
    "num_parameters": "parameters",
    "num_flops": "multiply-accumulates",
}
"""Of the columns that a build has besides counts."""


class Column(NamedTuple):
    """A named array of a table, G classes by S runs by F fidelities, or by some of these.

    A class with fewer than S runs has them first. Missing values are NaN, or the largest value of an unsigned type.

    Attributes:
        values: an array with an axis for each name in `axes`.
        axes: `("class",)`, `("class", "run")`, `("class", "fidelity")` or `("class", "run", "fidelity")`.
        unit: `"count"`, `"proportion"`, `"percent"`, `"seconds"`, `"parameters"`, ...
        better: 1 if larger is better, -1 if smaller is, 0 for neither: a size, a time.
        denominator: the divisor of counts; None if the values are no counts.
        runs: the set of trainings that the run axis numbers, such as `"search"` or `"final"`; columns of one set hold
            the same trainings in the same order. None: the only set.
        fidelities: the names of the fidelities on the last axis; None: all of the table.
    """

    values: np.ndarray
    axes: tuple[str, ...]
    unit: str
    better: int = 0
    denominator: int | None = None
    runs: str | None = None
    fidelities: tuple[str, ...] | None = None

    @property
    def is_size(self) -> bool:
        """Returns whether the column has one value a class that measures how large, slow or costly a network
        is, or scores it without training; if it has one for each initialization, their mean is that value.
        """
        if self.axes == ("class", "run"):
            return self.runs == INITIALIZATIONS
        return self.axes == ("class",) and self.unit != RUN_COUNT_UNIT

    @property
    def by_run(self) -> np.ndarray:
        """Returns the values with all three axes, [G, S, F]; an axis that the column lacks has length 1."""
        shape = iter(self.values.shape)
        return self.values.reshape([next(shape) if axis in self.axes else 1 for axis in AXES[-1]])


def run_count_name(runs: str | None) -> str:
    """Returns the name of the column that holds how many runs of a set each class has."""
    return "num_runs" if runs is None else f"num_runs@{runs}"


def missing_value(dtype: np.dtype) -> float | int | None:
    """Returns the mark of a missing value of a type: NaN, the largest unsigned integer; None for signed integers."""
    if dtype.kind == "f":
        return np.nan
    return int(np.iinfo(dtype).max) if dtype.kind == "u" else None


def is_missing(values: np.ndarray) -> np.ndarray:
    """Returns which values are missing, bool with the shape of `values`."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "u":
        return np.equal(values, np.iinfo(values.dtype).max)
    return np.zeros(values.shape, bool)


def unsigned(counts: np.ndarray) -> np.ndarray:
    """Returns counts as uint16, or uint32 if uint16 is too small to also mark missing values."""
    missing = is_missing(counts)
    largest = counts.max(where=~missing, initial=0)
    kind = np.uint16 if largest < np.iinfo(np.uint16).max else np.uint32
    return np.where(missing, np.iinfo(kind).max, counts).astype(kind)


def check_name(name: str, taken: Container[str] = ()) -> None:
    """Raises ValueError if a key or a column cannot have a name."""
    if not _NAME.fullmatch(name) or name == "class" or name in taken:
        raise ValueError(f"Expected a column's name of letters, digits, _ and ., and @ with more, got {name!r}.")


def check_column(name: str, column: Column, num_classes: int, fidelities: Sequence[str]) -> None:
    """Raises ValueError on a wrong name, shape, type or fidelity of a column."""
    check_name(name)
    values = column.values
    if tuple(column.axes) not in AXES:
        shown = " or ".join(str(axes) for axes in AXES)
        raise ValueError(f"Expected column {name} with axes {shown}, got {column.axes!r}.")
    if values.ndim != len(column.axes) or len(values) != num_classes:
        shape = ", ".join([str(num_classes), *(axis[0].upper() + "s" for axis in column.axes[1:])])
        raise ValueError(f"Expected column {name} of shape [{shape}], got {list(values.shape)}.")
    if values.dtype.kind not in "iuf" or values.dtype.itemsize not in (1, 2, 4, 8) or values.dtype == np.float16:
        raise ValueError(f"Expected column {name} of integers, float32 or float64, got {values.dtype}.")
    if column.denominator is not None and not (isinstance(column.denominator, int) and column.denominator > 0):
        raise ValueError(f"Expected column {name} with a denominator of at least 1, got {column.denominator!r}.")
    if column.better not in (-1, 0, 1):
        raise ValueError(f"Expected column {name} with better 1, -1 or 0, got {column.better!r}.")
    if unknown := [fidelity for fidelity in column.fidelities or () if fidelity not in fidelities]:
        raise unknown_name(f"a fidelity of column {name}", unknown[0], fidelities)
    expected = len(fidelities if column.fidelities is None else column.fidelities)
    found = values.shape[-1] if "fidelity" in column.axes else 1
    if found != expected and (column.fidelities or "fidelity" in column.axes):
        raise ValueError(f"Expected column {name} with {expected} fidelities, got {found}.")


def at_fidelities(column: Column, positions: Sequence[int]) -> Column:
    """Returns a column at some of its fidelities, with all three axes."""
    if list(positions) == list(range(column.by_run.shape[2])):
        return column
    return column._replace(values=column.by_run[..., list(positions)], axes=AXES[-1])


def scores_of(column: Column, num_runs: np.ndarray, loss: Column | None) -> np.ndarray:
    """Returns the values of a column as float32[G, S, F]: counts divided, NaN if there is none or it failed.

    Args:
        column: one of the columns of a table.
        num_runs: how many runs each class has, int[G].
        loss: the training loss of the same runs, not finite once a training failed; None if unknown.
    """
    values = column.by_run
    there = ~is_missing(values)
    if "run" in column.axes:
        there &= np.less(np.arange(values.shape[1]), num_runs[:, None])[..., None]
    if loss is not None and loss.runs == column.runs and loss.by_run.shape == values.shape:
        there &= np.isfinite(loss.by_run)
    if column.denominator is not None:
        values = values / np.float32(column.denominator)
    values = values.astype(np.float32)
    return np.where(there & np.isfinite(values), values, np.float32(np.nan))


def means_of(column: Column, num_runs: np.ndarray, loss: Column | None) -> np.ndarray:
    """Returns the means of `scores_of` over the runs with a score, float32[G, F]; NaN without.

    Counts are summed before they are divided, so means that are equal are equal numbers.
    """
    scores = scores_of(column, num_runs, loss)
    present = np.isfinite(scores)
    values = scores if column.denominator is None else column.by_run
    sums = np.where(present, values, 0).sum(1, dtype=np.float64)
    numbers = present.sum(1) * (column.denominator or 1)
    means = np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=present.any(1))
    return means.astype(np.float32)


def packed(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Returns columns of one set of runs with the runs that each class has first, and a column of their numbers.

    Raises ValueError if a run has a value in one column or at one fidelity, and none in another.
    """
    there: dict[str, np.ndarray] = {name: ~is_missing(column.by_run) for name, column in columns.items()}
    present = np.any(next(iter(there.values())), axis=2)
    for name, found in there.items():
        if found.shape[1] != present.shape[1] or (found != present[..., None]).any():
            raise ValueError(
                f"Expected runs with every value of {' and '.join(columns)}, or with none, got a part in {name}; "
                "give what has other runs as a Column with another name of `runs`."
            )
    order = np.argsort(~present, axis=1, kind="stable")
    moved = {
        name: column._replace(
            values=np.take_along_axis(column.values, order if column.values.ndim == 2 else order[..., None], axis=1)
        )
        for name, column in columns.items()
    }
    runs = next(iter(columns.values())).runs
    return moved | ({} if present.all() else {run_count_name(runs): run_counts(present.sum(1), runs)})


def run_counts(num_runs: np.ndarray, runs: str | None) -> Column:
    """Returns the column of how many runs of a set each class has."""
    kind = np.uint8 if num_runs.max(initial=0) <= np.iinfo(np.uint8).max else np.uint16
    return Column(num_runs.astype(kind), ("class",), RUN_COUNT_UNIT, runs=runs)
