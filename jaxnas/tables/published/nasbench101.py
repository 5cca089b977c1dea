"""Imports NAS-Bench-101 from its TFRecord file, full or with the 108 epochs only, without TensorFlow."""

import binascii
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxnas import catalog
from jaxnas.spaces.base import Space
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import (
    Imported,
    Progress,
    Work,
    counts_of,
    expected,
    only_file,
    sha256_of,
    with_run_counts,
)
from jaxnas.tables.published.cards import Publication, card_of, described
from jaxnas.tables.published.tfrecord import fields, records
from jaxnas.tables.table import Table

NAME = "nb101"
REFERENCES = ("ying2019nasbench101",)
FILES = ("nasbench_full.tfrecord", "nasbench_only108.tfrecord")
SHA256 = {
    "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c": "nasbench_full.tfrecord",
    "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1": "nasbench_only108.tfrecord",
}
ID = "nb101-cifar10"
EPOCHS, RUNS, IMAGES = (4, 12, 36, 108), 3, 9984
VERTICES = 7
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
PER_PART = 500_000
PUBLICATION = Publication(
    "NAS-Bench-101",
    "C. Ying, A. Klein, E. Christiansen, E. Real, K. Murphy and F. Hutter, NAS-Bench-101: Towards Reproducible Neural "
    "Architecture Search, ICML 2019.",
    "Apache-2.0 licence",
    "https://github.com/google-research/nasbench",
)
_ROW = np.dtype(
    [
        ("graph", "<i8"),
        ("md5", "<u8"),
        ("epochs", "u1"),
        ("scores", "<f4", (4,)),
        ("seconds", "<f4"),
        ("parameters", "<i8"),
    ]
)
"""A row of the file: `scores` are final validation and test, and those half of the way."""
_TRIANGLE = [(first, second) for first in range(VERTICES) for second in range(first + 1, VERTICES)]
_EVALUATION = b"\x0a\x2d"
_FAST = struct.Struct("<" + "2sBdBdBdBdBd" * 3)
_HEADS, _TAGS = (_EVALUATION,) * 3, (0x09, 0x11, 0x19, 0x21, 0x29)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns one table: validation, test, seconds and parameters of every graph in the file.

    Args:
        path: `nasbench_full.tfrecord` or `nasbench_only108.tfrecord`, or a folder with one.
        work: a folder for partial results.
        progress: is told what is read.
    """
    path = path if path.is_file() else only_file(path, FILES, "NAS-Bench-101's TFRecord file")
    kept = Work(work, [path])
    with expected(path, "a TFRecord file of NAS-Bench-101"):
        rows = np.concatenate([part["rows"] for part in _parts(path, kept, progress)])
    space = catalog.space("nb101")
    with expected(path, "NAS-Bench-101's graphs and their scores"):
        table, count = _table(space, rows)
    digest = sha256_of(path)
    table = described(table, ID, PUBLICATION, NAME, {path.name: digest})
    official = SHA256.get(digest)
    notes = [
        f"Scores on CIFAR-10 of {count:,} of {space.num_architectures:,} graphs, up to {RUNS} runs at "
        f"{' and '.join(str(each.epoch) for each in table.column_fidelities('validation'))} epochs, each a training of "
        f"its own. Counts are of {IMAGES:,} images, the whole batches of 10,000. `halfway_...`: after half of them.",
        "Price: seconds of training, the mean over the runs; the time of evaluations is not in it.",
        f"SHA-256 of the file: {digest}, "
        + (f"that of the official {official}." if official else "which is none of the official files."),
    ]
    tried = (
        "The importer was tried on 84 rows that others made in the layout of the file, and on a made file of full size."
    )
    yield Imported(table, card_of(table, PUBLICATION, NAME, path, notes, tried))
    kept.remove()


def _parts(path: Path, work: Work, progress: Progress) -> Iterator[dict[str, np.ndarray]]:
    """Returns the rows of the file in parts; those that were kept are not read again."""
    size, number, end = path.stat().st_size, 0, 0
    while (part := work.part(f"rows-{number:04d}")) is not None:
        end, number = int(part["end"]), number + 1
        yield part
    with path.open("rb") as file:
        file.seek(end)
        rows: list[tuple] = []
        graphs: dict[str, int] = {}
        for record, end in records(file):
            rows.append(_row(record, graphs))
            if len(rows) % 10_000 == 0:
                progress(path.name, end, size)
            if len(rows) == PER_PART:
                part = {"rows": _array(rows), "end": np.asarray(end)}
                work.keep(f"rows-{number:04d}", **part)
                yield part
                rows, number = [], number + 1
        if number == 0 and not rows:
            raise ValueError("no rows")
        progress(path.name, size, size)
        yield {"rows": _array(rows)}


def _array(rows: Sequence[tuple]) -> np.ndarray:
    return np.asarray(rows, _ROW)


def _row(record: bytes, graphs: dict[str, int]) -> tuple:
    """Returns a record as a row of `_ROW`. `graphs` remembers the numbers of graphs by their description."""
    md5, epochs, matrix, operations, metrics = json.loads(record)
    description = f"{matrix}{operations}"
    graph = graphs.get(description)
    if graph is None:
        graph = graphs[description] = packed_graph(matrix, operations)
    try:
        message = binascii.a2b_base64(metrics)  # which may have line breaks in it
    except (binascii.Error, TypeError):
        raise ValueError("metrics that are no base64") from None
    if epochs not in EPOCHS:
        raise ValueError(f"a training of {epochs!r:.20} epochs")
    return (graph, int(md5[:16], 16), EPOCHS.index(epochs), *_metrics(message))


def _metrics(message: bytes) -> tuple:
    """Returns (scores, seconds, parameters) of a ModelMetrics message."""
    evaluations, parameters = [], -1
    if message.startswith(_EVALUATION) and len(message) >= _FAST.size:  # as the official files have them
        found = _FAST.unpack_from(message)
        if found[::11] == _HEADS and found[1:11:2] == found[12:22:2] == found[23:33:2] == _TAGS:
            evaluations = [found[2:11:2], found[13:22:2], found[24:33:2]]
            message = message[_FAST.size :]
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            evaluations.append(_evaluation(value))
        elif number == 2 and isinstance(value, int):
            parameters = value
    if len(evaluations) != 3 or not 0 <= parameters < 2**31:
        raise ValueError("metrics without three evaluations and a number of parameters")
    (_, _, _, half_validation, half_test), (_, seconds, _, validation, test) = evaluations[1:]
    return (validation, test, half_validation, half_test), seconds, parameters


def _evaluation(message: bytes) -> tuple[float, ...]:
    found = [0.0] * 6
    for number, value in fields(message):
        if 1 <= number <= 5 and isinstance(value, float):
            found[number] = value
    return tuple(found[1:])


def packed_graph(matrix: str, operations: str) -> int:
    """Returns a graph as a number: 21 bits of the upper triangle of its matrix, and two bits an operation.

    Args:
        matrix: 0 and 1, row by row.
        operations: by vertex, `"input,conv3x3-bn-relu,...,output"`.

    Raises:
        ValueError: where it is no graph of NAS-Bench-101.
    """
    names = operations.split(",")
    count = len(names)
    bad_names = names[0] != "input" or names[-1] != "output" or not set(names[1:-1]) <= set(OPERATIONS)
    if not 2 <= count <= VERTICES or bad_names or len(matrix) != count**2 or set(matrix) - {"0", "1"}:
        raise ValueError(f"a graph {matrix[:60]!r} with vertices {operations[:120]!r}")
    place = [*range(count - 1), VERTICES - 1]  # what has fewer vertices lacks the last ones before the output
    edges = {(place[at // count], place[at % count]) for at, bit in enumerate(matrix) if bit == "1"}
    if any(first >= second for first, second in edges):
        raise ValueError(f"a graph {matrix[:60]!r} with an edge back")
    number = sum(1 << position for position, edge in enumerate(_TRIANGLE) if edge in edges)
    for position, name in enumerate(names[1:-1]):
        number |= OPERATIONS.index(name) << (len(_TRIANGLE) + 2 * position)
    return number


def vectors_of(graphs: np.ndarray) -> np.ndarray:
    """Returns packed graphs as vectors of the space, int32[G, 26]: edges, then the operations of vertices 1 to 5."""
    edges = (graphs[:, None] >> np.arange(len(_TRIANGLE))) & 1
    operations = (graphs[:, None] >> (len(_TRIANGLE) + 2 * np.arange(VERTICES - 2))) & 3
    return np.concatenate([edges, operations], axis=1).astype(np.int32)


def rows_of(space: Space, graphs: np.ndarray, md5: np.ndarray) -> np.ndarray:
    """Returns the rows of packed graphs in the space.

    Raises ValueError where one is not of the space, or where the file's hashes tell other graphs apart than ours do.
    """
    import jax

    vectors = vectors_of(graphs)
    if not np.asarray(jax.jit(jax.vmap(space.valid))(vectors)).all():
        raise ValueError("a graph of more than nine edges, or without a path to the output")
    rows = np.asarray(jax.jit(jax.vmap(space.index))(vectors), np.int64)
    pairs = np.unique(np.stack([rows.astype(np.uint64), md5], axis=1), axis=0)
    if not len(pairs) == len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])):
        raise ValueError("graphs with the hash of another graph")
    return rows


def _table(space: Space, found: np.ndarray) -> tuple[Table, int]:
    """Returns the table of the file's rows, and how many graphs it has."""
    graphs, first, number = np.unique(found["graph"], return_index=True, return_inverse=True)
    if (found["md5"] != found["md5"][first][number]).any():
        raise ValueError("one graph with two hashes")
    row = rows_of(space, graphs, found["md5"][first])[number]
    present = np.unique(found["epochs"])
    place = row * len(EPOCHS) + found["epochs"]
    order = np.argsort(place, kind="stable")
    run = np.arange(len(order)) - np.searchsorted(place[order], place[order])
    if run.max() >= RUNS:
        raise ValueError(f"more than {RUNS} trainings of one graph and one number of epochs")
    shape = (space.num_architectures, RUNS, len(EPOCHS))
    at = row[order], run, found["epochs"][order]
    fidelities = [
        {"name": str(EPOCHS[each]), "training": f"{EPOCHS[each]} epochs", "epoch": EPOCHS[each]} for each in present
    ]
    columns = {}
    for position, name in enumerate(("validation", "test", "halfway_validation", "halfway_test")):
        counts = counts_of(found["scores"][order, position].astype(float), IMAGES)
        values = np.full(shape, np.iinfo(np.uint16).max, np.uint16)
        values[at] = counts
        columns[name] = Column(values[..., present], ("class", "run", "fidelity"), "count", 1, IMAGES)
    seconds = np.zeros((shape[0], len(EPOCHS)))
    np.add.at(seconds, (at[0], at[2]), found["seconds"][order])
    runs = np.bincount(place, minlength=shape[0] * len(EPOCHS)).reshape(shape[0], len(EPOCHS))
    means = np.divide(seconds, runs, out=np.full(seconds.shape, np.nan), where=runs > 0)[:, present]
    if (found["seconds"] < 0).any() or not np.isfinite(found["seconds"]).all():
        raise ValueError("seconds below 0")
    parameters = np.zeros(shape[0], np.int64)
    parameters[row] = found["parameters"]
    if (parameters[row] != found["parameters"]).any():
        raise ValueError("one graph with two numbers of parameters")
    columns |= with_run_counts(columns)
    columns["seconds"] = Column(means.astype(np.float32), ("class", "fidelity"), "seconds")
    columns["num_parameters"] = Column(parameters.astype(np.uint32), ("class",), "parameters")
    return _with_manifest(space, fidelities, columns), len(np.unique(row))


def _with_manifest(space: Space, fidelities: list[dict], columns: dict[str, Column]) -> Table:
    from jaxnas.tables.manifest import base_manifest, keys_of

    told = {"told": "validation", "reported": "test", "price": "seconds"}
    manifest = base_manifest(space, "cifar10", fidelities, range(RUNS))
    last = fidelities[-1]["name"]
    manifest["protocols"] = {
        "default": {**told, "fidelities": [last]},
        "published": {**told, "fidelities": [last]},
        "all": told,
    }
    return Table(manifest, keys_of(space), np.arange(space.num_architectures, dtype=np.int32), columns)
