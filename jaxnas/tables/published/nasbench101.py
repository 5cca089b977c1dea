"""Imports NAS-Bench-101 from its TFRecord file, full or with the 108 epochs only, without TensorFlow."""

import binascii
import functools
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.named import space_named
from jaxnas.tables.columns import Column
from jaxnas.tables.manifest import base_manifest, keys_of
from jaxnas.tables.published.base import (
    Progress,
    Work,
    counts_of,
    expected,
    only_file,
    sha256_of,
    with_run_counts,
)
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.published.tfrecord import fields, records
from jaxnas.tables.table import Table

NAME = "nb101"
CITES = ("ying2019nasbench101",)
FILES = ("nasbench_full.tfrecord", "nasbench_only108.tfrecord")
SHA256 = {
    "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c": "nasbench_full.tfrecord",
    "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1": "nasbench_only108.tfrecord",
}
ID = "nb101-cifar10"
EPOCHS, RUNS, IMAGES = (4, 12, 36, 108), 3, 9984
VERTICES = 7
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
PER_PART = 250_000
PUBLICATION = Publication(
    NAME,
    "NAS-Bench-101",
    "C. Ying, A. Klein, E. Christiansen, E. Real, K. Murphy and F. Hutter, NAS-Bench-101: Towards Reproducible Neural "
    "Architecture Search, ICML 2019.",
    "Apache-2.0 licence",
    "https://github.com/google-research/nasbench",
    "Ying, Chris and Klein, Aaron and Christiansen, Eric and Real, Esteban and Murphy, Kevin and Hutter, Frank",
    CITES,
    "The importer was tried on 84 rows that others made in the layout of the file, and on a made file of full size.",
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
_SCORES = ("validation", "test", "halfway_validation", "halfway_test")
_PADDED = 1 << 15
_EVALUATION = b"\x0a\x2d"
_FAST = struct.Struct("<" + "2sBdBdBdBdBd" * 3)
_HEADS, _TAGS = (_EVALUATION,) * 3, (0x09, 0x11, 0x19, 0x21, 0x29)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a table of NAS-Bench-101: validation, test, seconds and parameters of every graph in the file.

    `path` is `nasbench_full.tfrecord` or `nasbench_only108.tfrecord`, or a folder with one.
    """
    path = only_file(path, FILES, "NAS-Bench-101's TFRecord file")
    kept = Work(work, [path])
    space = space_named("nb101")
    scores = _Scores(space)
    with expected(path, "a TFRecord file of NAS-Bench-101"):
        for part in _parts(path, kept, progress):
            scores.add(part["rows"])
        table = scores.table()
    count = int((scores.md5 != 0).sum())
    digest = sha256_of(path)
    official = SHA256.get(digest)
    notes = [
        f"Scores on CIFAR-10 of {count:,} of {space.num_architectures:,} graphs, up to {RUNS} runs at "
        f"{' and '.join(str(each.epoch) for each in table.column_fidelities('validation'))} epochs, each a training of "
        f"its own. Counts are of {IMAGES:,} images, the whole batches of 10,000. `halfway_...`: after half of them.",
        "Price: seconds of training, the mean over the runs; the time of evaluations is not in it.",
        f"SHA-256 of the file: {digest}, "
        + (f"that of the official {official}." if official else "which is none of the official files."),
    ]
    yield imported(table, ID, PUBLICATION, path, notes, {path.name: digest})
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
                part = {"rows": np.asarray(rows, _ROW), "end": np.asarray(end)}
                work.keep(f"rows-{number:04d}", **part)
                yield part
                rows, number = [], number + 1
        progress(path.name, size, size)
        yield {"rows": np.asarray(rows, _ROW)}


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

    Raises ValueError if it is no graph of NAS-Bench-101.
    """
    names = operations.split(",")
    count = len(names)
    bad_names = names[0] != "input" or names[-1] != "output" or not set(names[1:-1]) <= set(OPERATIONS)
    if not 2 <= count <= VERTICES or bad_names or len(matrix) != count**2 or set(matrix) - {"0", "1"}:
        raise ValueError(f"a graph {matrix[:60]!r} with vertices {operations[:120]!r}")
    place = [*range(count - 1), VERTICES - 1]  # smaller graphs lack the last vertices before the output
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


def rows_of(space: Space, graphs: np.ndarray) -> np.ndarray:
    """Returns the rows of packed graphs in the space, int64[G]. Raises ValueError if one is not of the space."""
    vectors = np.zeros((-len(graphs) % _PADDED + len(graphs), VERTICES - 2 + len(_TRIANGLE)), np.int32)
    vectors[: len(graphs)] = vectors_of(graphs)
    valid, rows = _looked_up(space)(vectors)
    if not np.asarray(valid)[: len(graphs)].all():
        raise ValueError("a graph of more than nine edges, or without a path to the output")
    return np.asarray(rows, np.int64)[: len(graphs)]


@functools.cache
def _looked_up(space: Space) -> Callable[[np.ndarray], tuple[jax.Array, jax.Array]]:
    return jax.jit(jax.vmap(lambda arch: (space.valid(arch), space.index(arch))))


class _Scores:
    """The scores of each graph and number of epochs, from the parts of the file so far."""

    def __init__(self, space: Space):
        size = space.num_architectures
        self.space = space
        self.md5 = np.zeros(size, np.uint64)
        self.parameters = np.zeros(size, np.uint32)
        self.runs = np.zeros((size, len(EPOCHS)), np.uint8)
        self.seconds = np.zeros((size, len(EPOCHS)))
        missing = np.iinfo(np.uint16).max
        self.counts = {name: np.full((size, RUNS, len(EPOCHS)), missing, np.uint16) for name in _SCORES}

    def add(self, found: np.ndarray) -> None:
        """Puts rows of the file in. Raises ValueError if they contradict each other or rows before."""
        graphs, first, number = np.unique(found["graph"], return_index=True, return_inverse=True)
        of_graph = rows_of(self.space, graphs)
        row = of_graph[number]
        self._note(self.md5, row, found["md5"], of_graph, first, "one graph with two hashes")
        self._note(self.parameters, row, found["parameters"], of_graph, first, "one graph with two sizes")
        if (found["seconds"] < 0).any() or not np.isfinite(found["seconds"]).all():
            raise ValueError("seconds below 0")
        place = row * len(EPOCHS) + found["epochs"]
        order = np.argsort(place, kind="stable")
        place, before = place[order], self.runs.reshape(-1)
        run = before[place] + np.arange(len(order)) - np.searchsorted(place, place)
        if len(run) and run.max() >= RUNS:
            raise ValueError(f"more than {RUNS} trainings of one graph and one number of epochs")
        at = row[order], run, found["epochs"][order]
        for position, name in enumerate(_SCORES):
            self.counts[name][at] = counts_of(found["scores"][order, position].astype(float), IMAGES)
        np.add.at(self.seconds.reshape(-1), place, found["seconds"][order])
        np.add.at(before, place, 1)

    def _note(
        self, known: np.ndarray, row: np.ndarray, values: np.ndarray, rows: np.ndarray, first: np.ndarray, wrong: str
    ) -> None:
        """Keeps one value of each row. Raises ValueError if there are two."""
        if (values == 0).any() or (known[row] != values)[known[row] != 0].any():
            raise ValueError(wrong)
        known[rows] = values[first]
        if (known[row] != values).any():
            raise ValueError(wrong)

    def table(self) -> Table:
        """Returns the table. Raises ValueError if it is empty or two graphs have one hash."""
        hashes = self.md5[self.md5 != 0]
        if not len(hashes) or len(np.unique(hashes)) < len(hashes):
            raise ValueError("graphs with the hash of another graph" if len(hashes) else "no rows")
        present = np.flatnonzero(self.runs.any(0))
        columns = {
            name: Column(counts[..., present], ("class", "run", "fidelity"), "count", 1, IMAGES)
            for name, counts in self.counts.items()
        }
        columns |= with_run_counts(columns)
        runs = self.runs[:, present]
        seconds = np.full(runs.shape, np.nan, np.float32)
        np.divide(self.seconds[:, present], runs, out=seconds, where=runs > 0, casting="unsafe")
        columns["seconds"] = Column(seconds, ("class", "fidelity"), "seconds")
        columns["num_parameters"] = Column(self.parameters, ("class",), "parameters")
        fidelities = [
            {"name": str(each), "training": f"{each} epochs", "epoch": each}
            for each in np.asarray(EPOCHS)[present].tolist()
        ]
        return _with_manifest(self.space, fidelities, columns)


def _with_manifest(space: Space, fidelities: list[dict], columns: dict[str, Column]) -> Table:
    told = {"told": "validation", "reported": "test", "price": "seconds"}
    manifest = base_manifest(space, "cifar10", fidelities, range(RUNS))
    last = fidelities[-1]["name"]
    manifest["protocols"] = {
        "default": {**told, "fidelities": [last]},
        "published": {**told, "fidelities": [last]},
        "all": told,
    }
    return Table(manifest, keys_of(space), np.arange(space.num_architectures, dtype=np.int32), columns)
