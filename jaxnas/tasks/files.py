"""Tasks from files: `.npz` files of arrays, and tables of features with a column of labels, as CSV or Parquet."""

import math
import os
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxnas.checks import first_line, unknown_name
from jaxnas.tasks.arrays import task_from_arrays
from jaxnas.tasks.base import Task

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = re.compile(r"(?P<path>.+\.(?:npz|csv|parquet))(?::(?P<label>.+))?", re.IGNORECASE | re.DOTALL)
ALWAYS_READ = 2**28
BYTES_A_BYTE = 100
"""An array file is read if its arrays take at most `ALWAYS_READ` bytes, or so many for each byte of the file."""
_ARRAYS = ("X", "y", "split", "kind", "goal")


def is_file(name: str) -> bool:
    """Returns whether a task's name refers to a file: `X.npz`, `X.csv` or `X.parquet`, or `X.csv:LABEL`."""
    return _FILE.fullmatch(name) is not None


def task_from_file(name: str | os.PathLike) -> Task:
    """Returns the task of a file.

    Args:
        name: the path of an `.npz` file with arrays `X`, `y` and optionally `split`, see `task_from_npz`; or of a
            `.csv` or `.parquet` file of numbers with a line of names. The label is the last column, or the column
            `NAME` in `file.csv:NAME`.

    Raises ValueError if the file cannot be read, or does not hold a task.
    """
    found = _FILE.fullmatch(os.fspath(name))
    if found is None:
        raise ValueError(f"Expected a file X.npz, X.csv or X.parquet, got {os.fspath(name)!r}.")
    path, label = Path(found["path"]), found["label"]
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    if path.suffix.lower() == ".npz":
        if label is not None:
            raise ValueError(f"Expected an .npz file with arrays X and y, which has no column {label!r}.")
        return task_from_npz(path)
    return task_from_table(path, label)


def task_from_npz(path: str | os.PathLike) -> Task:
    """Returns the task of an `.npz` file with arrays `X`, `y` and optionally `split` and the strings `kind` and `goal`.

    The arrays have the form that `task_from_arrays` takes; sequences are padded, with a `kind`. To predict the next
    token, omit `y`. Raises ValueError if the file cannot be read or its arrays do not form a task.
    """
    path = Path(path)
    arrays = {}
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.removesuffix(".npy") for name in file.namelist()]
        if "X" in names and {"y", "goal"} & set(names):
            kept: list[str] = [name for name in _ARRAYS if name in names]
            _check_size(path, kept)
            _check_sums(path, kept)
            with np.load(path, allow_pickle=False) as loaded:
                arrays = {name: loaded[name] for name in kept}
    except Exception as error:  # NumPy and zipfile do not document which ones
        raise ValueError(f"Expected {path} to be an .npz file of arrays, got: {first_line(error)}.") from None
    if not arrays:
        raise ValueError(f"Expected arrays X and y in {path}, got {', '.join(names) or 'none'}.")
    texts = {name: str(arrays[name]) for name in ("kind", "goal") if name in arrays}
    return task_from_arrays(
        arrays["X"],
        arrays.get("y"),
        arrays.get("split"),
        name=path.stem,
        kind=texts.get("kind"),
        goal=texts.get("goal", "class"),
    )


def _check_size(path: Path, names: Sequence[str]) -> None:
    """Raises ValueError if arrays are larger than the size of their file can explain, before any is read."""
    total = 0
    with zipfile.ZipFile(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers written by Python 2
        for name in names:
            with file.open(f"{name}.npy") as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
                header = member.tell()
            if dtype.hasobject:
                raise ValueError(f"{name} of Python objects, where numbers or text should be")
            num_bytes = math.prod(shape) * dtype.itemsize
            if file.getinfo(f"{name}.npy").file_size != header + num_bytes:  # else a checksum would not be reached
                raise ValueError(f"{name} of another size than its shape {list(shape)}")
            total += num_bytes
    most = max(ALWAYS_READ, BYTES_A_BYTE * path.stat().st_size)
    if total > most:
        raise ValueError(
            f"{total:,} bytes of arrays in {path.stat().st_size:,} bytes of file, at most {most:,} of which are read; "
            "save it by np.savez, without compression, or give the arrays to task_from_arrays"
        )


def _check_sums(path: Path, names: Sequence[str]) -> None:
    """Reads arrays to their ends, where zipfile compares checksums, and passes on its errors."""
    with zipfile.ZipFile(path) as file:
        for name in names:
            with file.open(f"{name}.npy") as member:
                while member.read(2**20):
                    pass


def task_from_table(path: str | os.PathLike, label: str | None = None) -> Task:
    """Returns the task of a `.csv` or `.parquet` file: a row an example, features that are numbers, and a label.

    Args:
        label: the name of the label's column; None: the last one.

    Raises ValueError if the file cannot be read, or a feature is not a number in each row.
    """
    import pyarrow as pa

    path = Path(path)
    try:
        table = _read(path)
        names = table.column_names
    except (OSError, pa.ArrowException, MemoryError, UnicodeError) as error:
        raise ValueError(f"Expected {path} to be a {path.suffix[1:]} table, got: {first_line(error)}.") from None
    if len(names) < 2 or len(set(names)) < len(names) or table.num_rows == 0:
        raise ValueError(
            f"Expected {path} with rows of features and a label in columns of different names, got "
            f"{table.num_rows} rows of {', '.join(names)[:60] or 'nothing'}."
        )
    if all(_is_number(name) for name in names[:-1]):
        raise ValueError(f"Expected a first line with the names of the columns in {path}, got {', '.join(names)[:60]}.")
    label = names[-1] if label is None else label
    if label not in names:
        raise unknown_name(f"a column of {path.name}", label, names)
    features = [_feature(name, table.column(name)) for name in names if name != label]
    card = f"Read from {path.name}: the features {', '.join(name for name in names if name != label)}; label {label}."
    return task_from_arrays(np.stack(features, axis=1), _labels(label, table.column(label)), name=path.stem, card=card)


def _read(path: Path) -> "pa.Table":
    if path.suffix.lower() == ".csv":
        from pyarrow import csv

        return csv.read_csv(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, page_checksum_verification=True)
    if nested := [field.name for field in file.schema_arrow if pa.types.is_nested(field.type)]:
        raise OSError(f"lists in the column {nested[0]!r}, where a number in each row should be")
    num_values, num_bytes = file.metadata.num_rows * file.metadata.num_columns, path.stat().st_size
    if num_values * 8 > max(ALWAYS_READ, BYTES_A_BYTE * num_bytes):
        raise OSError(f"{num_values:,} values in {num_bytes:,} bytes, more than a file of this size is read for")
    return file.read()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _feature(name: str, column: "pa.ChunkedArray") -> np.ndarray:
    """Returns a feature as float64[n]. Raises ValueError, with the remedy, on text and missing values."""
    import pyarrow as pa

    if column.null_count:
        raise ValueError(
            f"Expected a number in every row of the column {name!r}, got {column.null_count} missing values; fill them "
            "in, or drop these rows."
        )
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        example = str(column[0])
        raise ValueError(
            f"Expected numbers in the column {name!r}, got {kind} such as {example!r:.30}; turn words into numbers, "
            "say one-hot, first, or name the label's column by --label."
        )
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), np.float64)


def _labels(name: str, column: "pa.ChunkedArray") -> np.ndarray:
    if column.null_count:
        raise ValueError(
            f"Expected a label in every row of the column {name!r}, got {column.null_count} missing ones; drop these "
            "rows."
        )
    return np.asarray(column.to_pylist())
