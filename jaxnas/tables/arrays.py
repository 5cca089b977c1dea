"""Columns from user arrays: checks, counts, missing runs. Needs NumPy only."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.tables.columns import Column, is_missing, packed, unsigned

MARGIN = 1.0
"""How far scores of functions that are called accuracies may lie outside 0 to 1; percent do not stay within it."""
NAN_MEANINGS = ("failed", "missing")


def column_of(name: str, given: Column | tuple[ArrayLike, str], num_rows: int) -> Column:
    """Returns the column for a given Column, or for values [A] or [A, F] with their unit."""
    if isinstance(given, Column):
        return given._replace(values=np.asanyarray(given.values), axes=tuple(given.axes))
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], str)):
        raise ValueError(f"Expected {name} as (values, unit) or a Column, got {type(given).__name__}.")
    values = np.asarray(given[0])
    if values.ndim not in (1, 2) or len(values) != num_rows:
        raise ValueError(f"Expected {name} of shape [{num_rows}] or [{num_rows}, F], got {list(values.shape)}.")
    return Column(values, ("class",) if values.ndim == 1 else ("class", "fidelity"), given[1])


def score_columns(
    given: Mapping[str, ArrayLike | Column],
    shape: tuple[int, int],
    num_examples: int | Mapping[str, int] | None,
    metric: Mapping,
) -> dict[str, Column]:
    """Returns the columns of scores: counts as small unsigned integers, others as float32.

    Args:
        given: a Column, or values of shape [A, S, F].
        shape: (A, F).
        num_examples: the denominator of counts, for all or by name.
        metric: `unit` and `better` of the scores.

    Raises ValueError if shapes do not fit together, or counts are not between 0 and their denominator.
    """
    arrays = {name: np.asanyarray(values) for name, values in given.items() if not isinstance(values, Column)}
    for name, array in arrays.items():
        if array.ndim != 3 or (array.shape[0], array.shape[2]) != shape:
            raise ValueError(f"Expected {name} of shape [{shape[0]}, S, {shape[1]}], got {list(array.shape)}.")
    if len({array.shape for array in arrays.values()}) > 1:
        shapes = " and ".join(str(list(array.shape)) for array in arrays.values())
        raise ValueError(
            f"Expected {' and '.join(arrays)} of one shape, got {shapes}; give what has other runs as a Column with "
            "another name of `runs`."
        )
    examples = num_examples if isinstance(num_examples, Mapping) else dict.fromkeys(given, num_examples)
    columns = {}
    for name, each in given.items():
        if isinstance(each, Column):
            column = column_of(name, each, shape[0])
        else:
            column = Column(arrays[name], ("class", "run", "fidelity"), metric["unit"], metric["better"])
        columns[name] = _stored(name, column, column.denominator or examples.get(name))
    return columns


def _stored(name: str, column: Column, num_examples: int | None) -> Column:
    """Returns a column of scores in the type and the unit in which a table stores them."""
    values = column.values
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            f"Expected {name} without a mask, got a masked array; fill it with NaN, and say what NaN means."
        )
    if values.dtype.kind == "f":
        _check_proportions(name, column)
        return column._replace(values=values.astype(np.float32))
    if values.dtype.kind not in "iu":
        raise ValueError(f"Expected {name} of numbers, got {values.dtype}.")
    if num_examples is None:
        raise ValueError("Expected num_examples with counts (integers); pass floats for metric values.")
    known = values[~is_missing(values)]
    if known.size and (known.min() < 0 or known.max() > num_examples):
        wrong = known.min() if known.min() < 0 else known.max()
        raise ValueError(f"Expected counts of {name} from 0 to {num_examples:,}, got {wrong:,}.")
    return column._replace(values=unsigned(values), unit="count", denominator=int(num_examples))


def _check_proportions(name: str, column: Column) -> None:
    """Raises ValueError if scores declared as proportions are percent, or counts."""
    if column.unit != "proportion" or column.denominator is not None:
        return
    known = column.values[np.isfinite(column.values)]
    if known.size and (known.min() < -MARGIN or known.max() > 1 + MARGIN):
        wrong = known.min() if known.min() < -MARGIN else known.max()
        raise ValueError(
            f"Expected {name} as proportions from 0 to 1, got {wrong:g}; divide percent by 100, give counts as "
            "integers with num_examples, or say by metric=jn.tasks.Metric(name, unit) what the scores are."
        )


def runs_first(columns: Mapping[str, Column], nan: str) -> dict[str, Column]:
    """Returns columns with the runs that there are first, and the numbers of runs if NaN means a missing run.

    Raises ValueError on another meaning of NaN, or if a run has only a part of its values.
    """
    if nan not in NAN_MEANINGS:
        raise ValueError(f"Expected nan of {' or '.join(NAN_MEANINGS)}, got {nan!r}.")
    found = dict(columns)
    if nan == "missing":
        sets = dict.fromkeys(column.runs for column in columns.values() if "run" in column.axes)
        for runs in sets:
            found |= packed({name: each for name, each in columns.items() if "run" in each.axes and each.runs == runs})
    return found
