"""The files of a table: columns as Parquet, the manifest as JSON, hashes over both. Needs NumPy and PyArrow only."""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxnas.checks import first_line
from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE, remove_leftovers, replace_file
from jaxnas.tables.columns import UNITS, Column, is_missing, missing_value, run_count_name, run_counts
from jaxnas.tables.footer import num_values
from jaxnas.tables.manifest import SCHEMA_VERSION, better_of, check_manifest

if TYPE_CHECKING:
    import pyarrow as pa


ROWS_PER_GROUP = 65_536
ALWAYS_READ = 2**24
VALUES_A_BYTE = 100
"""A table file holds at most `ALWAYS_READ` values, or so many a byte: a small file does not fill the memory."""
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError)
"""What reading raises where a manifest says what it should not."""
_CLASS = "class"
_CURVES = ("train", "validation", "test", "loss")
_FIRST_STEP = ("first_loss", "first_gradient_norm")


class Contents(NamedTuple):
    """The arrays of a table; see `Table` for their meaning."""

    keys: dict[str, np.ndarray]
    class_of: np.ndarray
    representatives: np.ndarray
    columns: dict[str, Column]


def content_hash(schema: int, contents: Contents) -> str:
    """Returns the SHA-256 of a table's arrays, in fixed order and little-endian; the file's layout does not matter.

    Schema 2 hashes arrays in the type that they have, schema 1 all integers as int64.
    """
    digest = hashlib.sha256()
    for name, array in _arrays_1(contents) if schema == 1 else _arrays_2(contents):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _arrays_1(contents: Contents) -> Iterator[tuple[str, np.ndarray]]:
    columns = {name: column.values for name, column in contents.columns.items()}
    num_runs = columns.get(run_count_name(None))
    trained = np.ones(len(contents.representatives), bool) if num_runs is None else num_runs > 0
    arrays = {"class_of": contents.class_of, "representatives": contents.representatives, "trained": trained} | columns
    for name in ("class_of", "representatives", "trained", "num_parameters", "num_flops", *_CURVES, *_FIRST_STEP):
        if name in arrays:
            array = arrays[name]
            yield f"{name} {array.shape}", array.astype("<f4" if array.dtype.kind == "f" else "<i8")


def _arrays_2(contents: Contents) -> Iterator[tuple[str, np.ndarray]]:
    named = {f"key {name}": array for name, array in contents.keys.items()}
    if len(contents.representatives) < len(contents.class_of):
        named |= {"class_of": contents.class_of, "representatives": contents.representatives}
    named |= {f"column {name} {'/'.join(column.axes)}": column.values for name, column in contents.columns.items()}
    for name, array in sorted(named.items()):
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype.kind == "f":
            little = np.where(np.isnan(little), little.dtype.type(np.nan), little)  # NaN has many bit patterns
        yield f"{name} {little.dtype.str} {little.shape}", little


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_manifest(folder: Path) -> dict:
    """Returns the manifest of a table's folder.

    Raises ValueError if it is missing, unreadable, changed, or of a schema newer than this program's.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["manifest_hash"] != manifest_hash(manifest):
            raise ValueError("its hash does not match")
        version = manifest["schema_version"]
        if version not in range(1, SCHEMA_VERSION + 1):
            raise ValueError(f"schema version {version}; a newer version of jaxnas may read it")
        check_manifest(manifest)
        return manifest
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"Expected {path} to be a manifest of schema version 1 to {SCHEMA_VERSION}, got: {first_line(error)}."
        ) from None


def check_files(folder: Path) -> list[str]:
    """Returns the faults of a table's files: a line for each that is missing or does not match the manifest."""
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return [str(error)]
    files, problems = manifest.get("files"), []
    if not isinstance(files, dict) or set(files) != {TABLE_FILE, CARD_FILE}:
        return [f"Expected {folder / MANIFEST_FILE} to name {TABLE_FILE} and {CARD_FILE}, got {files!r:.40}."]
    if (folder / MANIFEST_FILE).read_bytes() != manifest_bytes(manifest):
        problems.append(f"Expected {folder / MANIFEST_FILE} as it was written, got a file that was changed.")
    for name, expected in files.items():
        path = folder / name
        found = sha256(path.read_bytes()) if path.is_file() else "no file"
        if found != expected:
            problems.append(
                f"Expected {path} with SHA-256 {str(expected)[:12]}, got {found[:12]}: changed, truncated or missing."
            )
    return problems


def write_files(folder: str | os.PathLike, manifest: dict, contents: Contents, card: str) -> dict:
    """Writes the files of a table, each whole or not at all, and returns the manifest completed by hashes.

    Raises ValueError if the manifest is none that `read_manifest` takes.
    """
    folder = Path(folder)
    manifest = manifest | {
        "columns": {name: _description(column) for name, column in contents.columns.items()},
        "keys": sorted(contents.keys),
        "content_hash": content_hash(SCHEMA_VERSION, contents),
    }
    try:
        check_manifest(manifest)
    except ValueError as error:
        raise ValueError(f"Expected a table that can be read again, got {error}.") from None
    folder.mkdir(parents=True, exist_ok=True)
    data = {CARD_FILE: card.encode(), TABLE_FILE: _parquet_bytes(contents)}  # the card shows whose the table is
    for name, each in data.items():
        replace_file(folder / name, each)
    manifest["files"] = {name: sha256(each) for name, each in data.items()}
    manifest["manifest_hash"] = manifest_hash(manifest)
    replace_file(folder / MANIFEST_FILE, manifest_bytes(manifest))
    remove_leftovers(folder)
    return manifest


def _description(column: Column) -> dict:
    """Returns a column's entry in the manifest: all but its values, and their shape without the axis of classes."""
    described = {name: value for name, value in column._asdict().items() if name != "values" and value is not None}
    described |= {"axes": list(column.axes), "shape": list(column.values.shape[1:])}
    return described | ({} if column.fidelities is None else {"fidelities": list(column.fidelities)})


def manifest_hash(manifest: dict) -> str:
    rest = {key: value for key, value in manifest.items() if key != "manifest_hash"}
    return sha256(json.dumps(rest, sort_keys=True).encode())


def manifest_bytes(manifest: dict) -> bytes:
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()


def read_contents(folder: Path, manifest: dict) -> Contents:
    """Returns the arrays of a table. Raises ValueError if the file is no Parquet, or does not match the manifest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / TABLE_FILE
    try:
        _check_size(num_values(path), path.stat().st_size)
        opened = pq.ParquetFile(path)  # read_table would load pandas
        if opened.metadata.num_rows != manifest["space"]["num_architectures"]:
            expected = f"{manifest['space']['num_architectures']:,} architectures"
            raise ValueError(f"{opened.metadata.num_rows:,} rows for {expected}")
        file = opened.read()
        arrow = {name: file.column(name).combine_chunks() for name in file.column_names}
        read = _contents_1 if manifest["schema_version"] == 1 else _contents_2
        return read(manifest, arrow)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"Expected {path} to be a Parquet file, got: {first_line(error)}.") from None
    except UNREADABLE as error:
        raise ValueError(
            f"Expected {path} with the columns that its manifest names, got: {first_line(error)}."
        ) from None


def _check_size(found: int, num_bytes: int) -> None:
    """Raises ValueError if a file declares more values than its size can explain."""
    most = max(ALWAYS_READ, VALUES_A_BYTE * num_bytes)
    if found > most:
        raise ValueError(f"{found:,} values in {num_bytes:,} bytes, where a table has at most {most:,}")


def _parquet_bytes(contents: Contents) -> bytes:
    """Returns the arrays as a Parquet file, one row an architecture.

    Keys and columns of axis `("class",)` have a value in each row; others are in the rows of the representatives
    only, as lists whose last axis varies fastest, and null if a class has no value at all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    every_row = len(contents.representatives) == len(contents.class_of)
    named = {} if every_row else {_CLASS: pa.array(contents.representatives[contents.class_of], pa.int32())}
    named |= {name: pa.array(values) for name, values in contents.keys.items()}
    for name, column in contents.columns.items():
        if column.axes == (_CLASS,):
            named[name] = pa.array(column.values if every_row else column.values[contents.class_of])
        else:
            named[name] = _lists(column.values, contents)
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(named),
        sink,
        row_group_size=ROWS_PER_GROUP,
        compression="zstd",
        compression_level=9,
        use_dictionary=False,
        column_encoding=dict(_encoding(name, array.type) for name, array in named.items()),
        write_statistics=False,
    )
    return sink.getvalue().to_pybytes()


def _encoding(name: str, kind: "pa.DataType") -> tuple[str, str]:
    """Returns the Parquet path of a column's values, and the encoding that makes curves small."""
    import pyarrow as pa

    listed = pa.types.is_list(kind)
    values = kind.value_type if listed else kind
    encoding = "BYTE_STREAM_SPLIT" if pa.types.is_floating(values) else "DELTA_BINARY_PACKED"
    return (f"{name}.list.element" if listed else name), encoding


def _lists(values: np.ndarray, contents: Contents) -> "pa.Array":
    """Returns an Arrow array of lists: a class's list in the row of its representative, null elsewhere."""
    import pyarrow as pa

    flat = values.reshape(len(values), -1)
    there = ~is_missing(flat).all(axis=1)
    present = np.zeros(len(contents.class_of), bool)
    present[contents.representatives[there]] = True
    offsets = np.concatenate([[0], np.cumsum(present) * flat.shape[1]])
    if offsets[-1] >= 2**31:
        raise ValueError(f"Expected a column of fewer than 2**31 values, got {offsets[-1]:,}.")
    kept = pa.array(np.ascontiguousarray(flat[there]).reshape(-1))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), kept, mask=pa.array(~present))


def _values(array: "pa.Array") -> np.ndarray:
    """Returns the values of an Arrow array without nulls; Arrow's own ways would load pandas."""
    if array.null_count:
        raise ValueError(f"{array.null_count} null values")
    name = {"float": "float32", "double": "float64"}.get(str(array.type), str(array.type))
    buffer = np.frombuffer(array.buffers()[-1], name)
    return buffer[array.offset : array.offset + len(array)]


def _listed(array: "pa.Array", rows: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values in the lists of some rows, [len(there), *shape], and the positions of rows that have one."""
    width = math.prod(shape)
    lengths = np.diff(_values(array.offsets))
    there = np.flatnonzero(lengths[rows] > 0)
    if (lengths[rows[there]] != width).any() or lengths.sum() != width * len(there):
        raise ValueError(f"lists of {lengths.max(initial=0)} values for a shape of {list(shape)}")
    return _values(array.flatten()).reshape(-1, *shape), there


def _rows(arrow: dict, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the class of each row and the row of each class's representative."""
    for name, array in arrow.items():
        if len(array) != num_rows:
            raise ValueError(f"{len(array):,} rows in {name} for {num_rows:,} architectures")
    if _CLASS not in arrow:
        return np.arange(num_rows, dtype=np.int32), np.arange(num_rows, dtype=np.int32)
    representatives, class_of = np.unique(_values(arrow[_CLASS]), return_inverse=True)
    if (class_of[representatives] != np.arange(len(representatives))).any():
        raise ValueError("representatives that are of other classes")
    return class_of.astype(np.int32), representatives.astype(np.int32)


def _contents_2(manifest: dict, arrow: dict) -> Contents:
    class_of, representatives = _rows(arrow, manifest["space"]["num_architectures"])
    keys = {name: _values(arrow[name]) for name in manifest["keys"]}
    described = manifest["columns"]
    columns = {name: _column_2(arrow[name], described[name], representatives) for name in described}
    if unnamed := set(arrow) - {*keys, *columns, _CLASS}:
        raise ValueError(f"{', '.join(sorted(unnamed))} besides")
    return Contents(keys, class_of, representatives, columns)


def _column_2(array: "pa.Array", described: dict, representatives: np.ndarray) -> Column:
    axes, shape = tuple(described["axes"]), tuple(described["shape"])
    if axes == (_CLASS,):
        values = _values(array)[representatives]
    else:
        listed, there = _listed(array, representatives, shape)
        values = np.full((len(representatives), *shape), missing_value(listed.dtype) or 0, listed.dtype)
        values[there] = listed
    return described_column(values, described)


def described_column(values: np.ndarray, described: dict) -> Column:
    """Returns the column of values that a manifest describes."""
    fidelities = described.get("fidelities")
    return Column(
        values,
        tuple(described["axes"]),
        described["unit"],
        described["better"],
        described.get("denominator"),
        described.get("runs"),
        None if fidelities is None else tuple(fidelities),
    )


def _contents_1(manifest: dict, arrow: dict) -> Contents:
    """Returns the arrays of schema 1: fixed names, and zeros for classes that were not trained."""
    class_of, representatives = _rows(arrow, manifest["space"]["num_architectures"])
    num_seeds, num_fidelities = len(manifest["seeds"]), len(manifest["fidelities"])
    columns = {}
    for name in ("num_parameters", "num_flops"):
        if name in arrow:
            columns[name] = Column(_values(arrow[name])[representatives], (_CLASS,), UNITS[name])
    for name in (name for name in (*_CURVES, *_FIRST_STEP) if name in arrow):
        axes = (_CLASS, "run", "fidelity") if name in _CURVES else (_CLASS, "run")
        shape = (num_seeds, num_fidelities)[: len(axes) - 1]
        listed, there = _listed(arrow[name], representatives, shape)
        values = np.zeros((len(representatives), *shape), listed.dtype)
        values[there] = listed
        columns[name] = _described_1(name, values, axes, manifest)
    trained = np.diff(_values(arrow["validation"].offsets))[representatives] > 0
    if not trained.all():
        columns[run_count_name(None)] = run_counts(num_seeds * trained, None)
    return Contents({}, class_of, representatives, columns)


def _described_1(name: str, values: np.ndarray, axes: tuple[str, ...], manifest: dict) -> Column:
    if name in UNITS:
        return Column(values, axes, UNITS[name], -1 if name == "loss" else 0)
    metric = manifest["metric"]
    if values.dtype.kind == "f":
        return Column(values, axes, metric["unit"], better_of(manifest))
    return Column(values, axes, "count", better_of(manifest), metric["denominators"][name])
