"""Imports NAS-Bench-ASR: phoneme error rates on TIMIT of three seeds at 40 epochs, sizes and latencies."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.spaces.decisions import Decision, cardinalities, radix_weights
from jaxnas.spaces.listed import ListedSpace
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, runs_of, sha256_of, with_run_counts
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.published.containers import reader_of
from jaxnas.tables.published.pickled import checked_key
from jaxnas.tables.table import Table
from jaxnas.tasks.metrics import Metric

NAME = "nb-asr"
CITES = ("mehrotra2021nasbenchasr",)
ID = "nb-asr-timit"
EPOCHS = 40
OPERATIONS = ("linear", "conv5", "conv5d2", "conv7", "conv7d2", "zero")
NODES, MOST, LARGEST_RATE = 3, 1e6, 2
_TRAINING = re.compile(rf"nb-asr-e{EPOCHS}-\d+\.pickle")
_DEVICE = re.compile(r"nb-asr-bench-([A-Za-z0-9-]+)\.pickle")
_INFO = "nb-asr-info.pickle"
PUBLICATION = Publication(
    NAME,
    "NAS-Bench-ASR",
    "A. Mehrotra, A. G. C. P. Ramos, S. Bhattacharya, L. Dudziak, R. Vipperla, T. Chau, M. S. Abdelfattah, S. Ishtiaq "
    "and N. D. Lane, NAS-Bench-ASR: Reproducible Neural Architecture Search for Speech Recognition, ICLR 2021.",
    "License as in the repository",
    "https://github.com/SamsungLabs/nb-asr",
    "Mehrotra, Abhinav and Ramos, Alberto Gil C. P. and Bhattacharya, Sourav and Dudziak, Lukasz and "
    "Vipperla, Ravichander and Chau, Thomas and Abdelfattah, Mohamed S. and Ishtiaq, Samin and "
    "Lane, Nicholas D.",
    CITES,
)


def whole_space() -> SearchSpace:
    """Returns the space of all 13,824 descriptions: for each node an operation, and which nodes it skips from."""
    decisions = []
    for node in range(NODES):
        decisions.append(Decision(f"operation {node + 1}", OPERATIONS))
        decisions += [Decision(f"skip {source} to {node + 1}", ("no", "yes")) for source in range(node + 1)]
    return SearchSpace(NAME, tuple(decisions))


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a table of NAS-Bench-ASR: phoneme error rates on TIMIT.

    `path` is a folder with `nb-asr-e40-SEED.pickle`, and if there are such `nb-asr-info.pickle`
    and `nb-asr-bench-DEVICE.pickle`.
    """
    trainings = (
        sorted(file for file in path.glob("*.pickle") if _TRAINING.fullmatch(file.name)) if path.is_dir() else []
    )
    if not trainings:
        raise ValueError(f"Expected a folder with files such as nb-asr-e40-1234.pickle, got {path}.")
    others = sorted(file for file in path.glob("*.pickle") if file.name == _INFO or _DEVICE.fullmatch(file.name))
    for number, file in enumerate([*trainings, *others]):
        progress(file.name, number + 1, len(trainings) + len(others))
    runs = [_read(file, "training", 3) for file in trainings]
    with expected(path, "NAS-Bench-ASR's files of the same architectures"):
        kinds = {file: "static" if file.name == _INFO else "benchmarking" for file in others}
        yield _imported(path, runs, {file: _read(file, kind, 2) for file, kind in kinds.items()}, trainings)


def _read(file: Path, kind: str, width: int) -> dict[str, list]:
    """Returns the rows of a file by the architectures' hashes. A file is two pickles: a header and a list of rows."""
    with expected(file, f"NAS-Bench-ASR's pickles of {kind} information"), reader_of(file) as reader:
        header = reader.load()
        if header["dataset_type"] != kind:
            raise ValueError("other information")
        if kind == "training" and header["epochs"] != EPOCHS:
            raise ValueError(f"trainings that are not of {EPOCHS} epochs")
        rows = {checked_key(row[0]): row for row in reader.load()}
        if not rows or min(len(row) for row in rows.values()) < width:
            raise ValueError("no rows of a hash and numbers")
        return rows


def _imported(path: Path, runs: list[dict], others: dict[Path, dict], trainings: list[Path]) -> Imported:
    hashes = list(runs[0])
    if any(set(run) != set(hashes) for run in runs):
        raise ValueError("other architectures for another seed")
    whole = whole_space()
    vectors = np.asarray([_vector(runs[0][each][-1]) for each in hashes])
    if (vectors < 0).any() or (vectors >= cardinalities(whole.decisions)).any():
        raise ValueError("operations or skips that the space has not")
    codes = vectors @ radix_weights(whole.decisions)
    order = np.argsort(codes)
    space = ListedSpace(whole, codes)
    if len(space.codes) != len(hashes):
        raise ValueError("an architecture under two hashes")
    hashes = [hashes[position] for position in order]
    validation = np.asarray([[run[each][1] for run in runs] for each in hashes], float)
    if not (np.abs(validation) < MOST).all():
        raise ValueError("errors that are no rates")
    if validation.shape[2:] != (EPOCHS,):
        raise ValueError(f"validation errors of shape {list(validation.shape[2:])} an architecture")
    test = np.asarray([[float(run[each][2]) for run in runs] for each in hashes])
    unit = "percent"
    if np.median(validation) < LARGEST_RATE:  # the files have shares
        validation, test = 100 * validation, 100 * test
    columns: dict[str, Column] = {}
    for file, rows in others.items():
        columns |= _sizes(file, [rows[each] for each in hashes])
    metric = Metric("phoneme error rate", unit, -1)
    fidelities = list(range(1, EPOCHS + 1))
    scores = Column(validation.astype(np.float32), ("class", "run", "fidelity"), unit, -1)
    table = Table.from_arrays(
        space, "timit", scores, runs_of(test, unit, -1, "test"), fidelities, columns=columns, metric=metric
    )
    table = replace(table, columns=with_run_counts(table.columns))
    digests = {file.name: sha256_of(file) for file in [*trainings, *others]}
    notes = [
        f"Phoneme error rates on TIMIT of {len(hashes):,} architectures, {len(runs)} seeds. Validation is known at "
        f"each of {EPOCHS} epochs; test is that of the epoch of the lowest validation error, as the authors define it.",
    ]
    return imported(table, ID, PUBLICATION, path, notes, digests)


def _vector(architecture: Any) -> list[int]:
    """Returns the choices of an architecture that is written as `[[op, skip], [op, skip, skip], ...]`."""
    flat = [int(number) for node in architecture for number in node]
    if [len(node) for node in architecture] != [node + 2 for node in range(NODES)]:
        raise ValueError("architectures of other nodes")
    return flat


def _sizes(file: Path, rows: list) -> dict[str, Column]:
    device = _DEVICE.fullmatch(file.name)
    if device:
        name = re.sub(r"[^A-Za-z0-9]", "_", device[1])
        return {f"latency_{name}": Column(np.asarray([float(row[1]) for row in rows]), ("class",), "seconds")}
    parameters = np.asarray([int(row[1]) for row in rows])
    return {"num_parameters": Column(parameters.astype(np.int64), ("class",), "parameters")}
