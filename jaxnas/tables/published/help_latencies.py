"""Imports the latencies of HELP on 27 devices for the cells of NAS-Bench-201, as a column pack."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnas.spaces.cells.space import NB201
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, sha256_of
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.published.containers import value_of
from jaxnas.tables.published.nats_topology import row_of
from jaxnas.tables.published.pickled import plain
from jaxnas.tables.table import column_pack

NAME = "help"
CITES = ("lee2021help",)
PACK = "nb201-help"
PUBLICATION = Publication(
    NAME,
    "HELP",
    "H. Lee, S. Lee, S. Chong and S. J. Hwang, HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via "
    "Meta-Learning, NeurIPS 2021.",
    "No licence is named in the repository: for your own use",
    "https://github.com/HayeonLee/HELP",
    "Lee, Hayeon and Lee, Sewoong and Chong, Song and Hwang, Sung Ju",
    CITES,
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a column pack of HELP: `latency_1080ti_1`, `latency_pixel3`, ...

    `path` is the folder `data/nasbench201` of HELP's repository, with `latency/*.pt` and
    `str_arch2idx.pt`.
    """
    files = sorted((path / "latency").glob("*.pt"))
    order = path / "str_arch2idx.pt"
    if not files or not order.is_file():
        raise ValueError(f"Expected HELP's folder data/nasbench201 with latency/*.pt and str_arch2idx.pt, got {path}.")
    with expected(order, "HELP's positions of architectures by their strings"):
        position_of = value_of(order)
        rows = np.asarray([row_of(text) for text in position_of])
        positions = np.asarray(list(position_of.values()), int)
        if sorted(positions.tolist()) != list(range(NB201.num_architectures)) or len(set(rows.tolist())) < len(rows):
            raise ValueError(f"Expected {NB201.num_architectures:,} architectures once each, got others")
    columns = {}
    for number, file in enumerate(files):
        progress(path.name, number + 1, len(files))
        with expected(file, f"HELP's latencies of {NB201.num_architectures:,} architectures"):
            columns[f"latency_{file.stem}"] = _latencies(file, rows, positions)
    digests = {file.name: sha256_of(file) for file in [*files, order]}
    notes = [
        f"Latency of the networks of NAS-Bench-201 on {len(files)} devices; a number after a device is the batch. The "
        "repository names no unit: values are as in the files, milliseconds by their size."
    ]
    yield imported(column_pack(NB201, PACK, columns), PACK, PUBLICATION, path, notes, digests)


def _latencies(file: Path, rows: np.ndarray, positions: np.ndarray) -> Column:
    given = np.asarray(plain(value_of(file)), float).reshape(-1)
    if len(given) != len(rows):
        raise ValueError(f"Expected {len(rows):,} numbers, got {len(given):,}")
    values = np.empty(len(rows), np.float32)
    with np.errstate(over="ignore"):  # too large a number is infinite then
        values[rows] = given[positions]
    if np.isinf(values).any():
        raise ValueError("numbers that are not finite")
    return Column(values, ("class",), "milliseconds")
