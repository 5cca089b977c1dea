"""The records of an architecture in the files of NATS-Bench and NAS-Bench-201, and the tables made from them.

An architecture has a record for each schedule of training, and in it one for each data set and seed: curves over
epochs of training and evaluation, seconds, size. CIFAR-10's validation is from the data set `cifar10-valid`
(half of the training images), its test from `cifar10`; CIFAR-100 and ImageNet16-120 have both in one training.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.tables.columns import Column
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, base_manifest
from jaxnas.tables.published.base import Progress, Work, expected, runs_of, sha256_of, with_run_counts
from jaxnas.tables.published.cards import TRIED, Imported, Publication, imported
from jaxnas.tables.published.containers import reader_of, value_of
from jaxnas.tables.published.pickled import checked_key
from jaxnas.tables.table import Table

MAX_RUNS = 3
META_FILE = "meta.pickle.pbz2"
_NUMBERED = re.compile(r"\d{6}\.pickle\.pbz2")
_PER_PART = 512


class DataSet(NamedTuple):
    """A data set, as tables and as the files call it, the place of its scores, and of how many images they are."""

    name: str
    validation: tuple[str, str, int]
    test: tuple[str, str, int]


DATA_SETS = (
    DataSet("cifar10", ("cifar10-valid", "x-valid", 25_000), ("cifar10", "ori-test", 10_000)),
    DataSet("cifar100", ("cifar100", "x-valid", 5_000), ("cifar100", "x-test", 5_000)),
    DataSet("imagenet16-120", ("ImageNet16-120", "x-valid", 3_000), ("ImageNet16-120", "x-test", 3_000)),
)


class Layout(NamedTuple):
    """A benchmark in these files.

    Attributes:
        epochs: of the schedules of training, the shortest first; reported is the last, searches observe `told`.
        told: epochs of the observed score in the protocol `published`.
        curve: epochs of the last schedule at which the training loss is kept.
        row_of: the row of an architecture's string in the space.
    """

    prefix: str
    space: Space
    epochs: tuple[int, ...]
    told: int
    curve: tuple[int, ...]
    row_of: Callable[[str], int]
    publication: Publication

    @property
    def width(self) -> int:
        """Returns how many numbers a record of one schedule has: see `numbers_of`."""
        return len(DATA_SETS) * (2 * MAX_RUNS + 5 + MAX_RUNS * len(self.curve))


def numbers_of(layout: Layout, record: Mapping) -> tuple[str, int, np.ndarray]:
    """Returns of a record its architecture's string, the position of its schedule, and its numbers, [D, ...] flat.

    They are for each data set: validation and test of each run, then seconds of training, of a validation pass,
    latency, parameters, FLOPs, and the training loss of each run at the epochs of the curve. Missing values are NaN.
    """
    results = record["all_results"]
    last = {checked_key(result["epochs"]) for result in results.values()}
    if len(last) != 1 or next(iter(last)) not in layout.epochs:
        shown = " or ".join(str(epochs) for epochs in layout.epochs)
        raise ValueError(f"Expected trainings of {shown} epochs, got others.")
    epochs = int(next(iter(last)))
    numbers = [_of_data_set(layout, results, data_set, epochs) for data_set in DATA_SETS]
    return str(record["arch_str"]), layout.epochs.index(epochs), np.concatenate(numbers)


def _of_data_set(layout: Layout, results: Mapping, data_set: DataSet, epochs: int) -> np.ndarray:
    trained = [_trainings(results, name) for name in (data_set.validation[0], data_set.test[0])]
    scores = np.full((2, MAX_RUNS), np.nan)
    losses = np.full((MAX_RUNS, len(layout.curve)), np.nan)
    for row, (name, split, _), runs in zip(scores, (data_set.validation, data_set.test), trained, strict=True):
        if len(runs) > MAX_RUNS:
            raise ValueError(f"Expected at most {MAX_RUNS} trainings on {name}, got {len(runs)}.")
        for position, run in enumerate(runs):
            row[position] = float(run["eval_acc1es"][f"{split}@{epochs - 1}"]) / 100
    if not trained[0]:
        return np.concatenate([scores.reshape(-1), np.full(5, np.nan), losses.reshape(-1)])
    if epochs == layout.epochs[-1]:
        for row, run in zip(losses, trained[0], strict=False):
            row[:] = [run["train_losses"][epoch - 1] for epoch in layout.curve]
    first, split = trained[0][0], data_set.validation[1]
    latencies = [float(value) for run in trained[0] for value in run["latency"]]
    others = [
        sum(first["train_times"].values()),
        first["eval_times"][f"{split}@{epochs - 1}"],
        sum(latencies) / len(latencies) if latencies else np.nan,
        first["params"] * 1e6,
        first["flop"] * 1e6,
    ]
    return np.concatenate([scores.reshape(-1), np.asarray(others, float), losses.reshape(-1)])


def _trainings(results: Mapping, name: str) -> list[Mapping]:
    """Returns the trainings on a data set in the order of their seeds."""
    return [result for (data_set, _), result in sorted(results.items()) if data_set == name]


class Records:
    """Collects the numbers of architectures as their records are read: [A, schedules, numbers]."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.names: list[str] = []
        self.values: list[np.ndarray] = []

    def finished(self, found: dict) -> None:
        """Takes the numbers out of a dictionary that is a record, and empties it."""
        if "all_results" not in found or "arch_str" not in found:
            return
        name, schedule, numbers = numbers_of(self.layout, found)
        if not self.names or self.names[-1] != name:
            self.names.append(name)
            self.values.append(np.full((len(self.layout.epochs), self.layout.width), np.nan))
        self.values[-1][schedule] = numbers
        for result in found["all_results"].values():
            for part in result.values():
                if isinstance(part, dict):
                    part.clear()  # the memo of the pickle still knows it
            result.clear()
        found.clear()

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the collected arrays, and starts again with nothing."""
        names, values = self.names, self.values
        self.names, self.values = [], []
        shape = (0, len(self.layout.epochs), self.layout.width)
        return {"names": np.asarray(names, np.str_), "values": np.stack(values) if values else np.zeros(shape)}


def read(layout: Layout, path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns the tables of a `-simple` folder, or of the archive of all architectures."""
    if path.is_dir():
        kept = Work(work, numbered_files(path))
        parts = read_folder(layout, path, kept, progress)
        check_names(path, parts)
        yield from tables_of(layout, parts, path)
        kept.remove()
    else:
        what = "bz2 of NATS-Bench's pickle of all architectures"
        yield from tables_of(layout, read_archive(layout, path, progress, what), path)


def read_folder(layout: Layout, folder: Path, work: Work, progress: Progress) -> list[dict[str, np.ndarray]]:
    """Returns the numbers in the files of a `-simple` folder, in parts; finished parts are kept in `work`."""
    files = numbered_files(folder)
    records, parts = Records(layout), []
    for start in range(0, len(files), _PER_PART):
        name = f"files-{start:06d}"
        part = work.part(name)
        if part is None:
            for position, path in enumerate(files[start : start + _PER_PART], start):
                _read_one(path, records)
                progress(folder.name, position + 1, len(files))
            part = records.arrays()
            work.keep(name, **part)
        parts.append(part)
        progress(folder.name, min(start + _PER_PART, len(files)), len(files))
    return parts


def numbered_files(folder: Path) -> list[Path]:
    """Returns the files of architectures in a `-simple` folder. Raises ValueError if there is none."""
    files = sorted(path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name))
    if not files:
        raise ValueError(f"Expected a folder with files such as 000000.pickle.pbz2, got {folder} without.")
    return files


def check_names(folder: Path, parts: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Raises ValueError if a file of a folder is of another architecture than the benchmark's list has there.

    That list is `META_FILE`; without it nothing is compared.
    """
    path = folder / META_FILE
    if not path.is_file():
        return
    names = [str(name) for part in parts for name in part["names"]]
    with expected(path, "the list of architectures of the files beside it"):
        listed = value_of(path)["meta_archs"]
        for file, name in zip(numbered_files(folder), names, strict=True):
            number = int(file.name[:6])
            if number >= len(listed) or listed[number] != name:
                raise ValueError(f"{name[:80]} in {file.name}")


def _read_one(path: Path, records: Records) -> None:
    with (
        expected(path, "bz2 of a pickle with the trainings of one architecture"),
        reader_of(path, finished=records.finished) as reader,
    ):
        before = len(records.names)
        reader.load()
        if len(records.names) != before + 1:
            raise ValueError(f"Expected one architecture, got {len(records.names) - before}")


def read_archive(layout: Layout, path: Path, progress: Progress, what: str) -> list[dict[str, np.ndarray]]:
    """Returns the numbers in a file of all architectures, which is read once as a stream."""
    records = Records(layout)
    with expected(path, what), reader_of(path, progress, finished=records.finished) as reader:
        reader.load()
        if not records.names:
            raise ValueError("none of an architecture's trainings in it")
    return [records.arrays()]


def tables_of(layout: Layout, parts: Sequence[Mapping[str, np.ndarray]], source: Path) -> Iterator[Imported]:
    """Returns a table for each data set. Raises ValueError on an architecture that the space has not, or has twice."""
    names = np.concatenate([part["names"] for part in parts])
    values = np.concatenate([part["values"] for part in parts])
    with expected(source, f"of architectures of {layout.space.name}"):
        rows = np.asarray([layout.row_of(str(name)) for name in names], np.int64)
        if len(np.unique(rows)) < len(rows):
            raise ValueError("an architecture twice")
    all_rows = np.full((layout.space.num_architectures, *values.shape[1:]), np.nan)
    all_rows[rows] = values
    files = {source.name: sha256_of(source)} if source.is_file() else {}
    for number, data_set in enumerate(DATA_SETS):
        each = np.split(all_rows, len(DATA_SETS), axis=-1)[number]
        with expected(source, f"scores of {data_set.name}"):
            table = _table(layout, data_set, each)
        notes = _notes(layout, data_set, len(rows))
        yield imported(table, f"{layout.prefix}-{data_set.name}", layout.publication, source, notes, files)


def _table(layout: Layout, data_set: DataSet, values: np.ndarray) -> Table:
    """Returns the table of a data set. Its numbers are [A, schedules, numbers].

    Raises ValueError on times and sizes that a table cannot hold.
    """
    validation, test, others, losses = np.split(values, [MAX_RUNS, 2 * MAX_RUNS, 2 * MAX_RUNS + 5], axis=-1)
    if (np.abs(others) > np.finfo(np.float32).max).any():
        raise ValueError("times or sizes that are not finite")
    seconds, one_pass, latency, parameters, flops = np.moveaxis(others, -1, 0)
    final = len(layout.epochs) - 1
    separate = "test" if data_set.validation[0] != data_set.test[0] else None
    columns = {}
    for position, epochs in enumerate(layout.epochs):
        suffix = "" if position == final else f"@{epochs}"
        runs = "final" if position == final else f"search{epochs}"
        for name, scores, (_, _, images), own in (
            ("validation", validation, data_set.validation, None),
            ("test", test, data_set.test, separate),
        ):
            named = f"{own}{epochs}" if own else runs
            columns[name + suffix] = runs_of(scores[:, position], "proportion", 1, named, str(epochs), images)
    curve = tuple(_epoch_name(layout, epoch) for epoch in layout.curve)
    by_run = losses[:, final].reshape(len(losses), MAX_RUNS, len(curve))
    there = ~np.isnan(validation[:, final])
    order = np.argsort(~there, axis=1, kind="stable")[..., None]
    columns["train_loss"] = Column(
        np.take_along_axis(by_run, order, axis=1).astype(np.float32),
        ("class", "run", "fidelity"),
        "nats",
        -1,
        None,
        "final",
        curve,
    )
    names = tuple(str(epochs) for epochs in layout.epochs)
    by_schedule = {"seconds": seconds + one_pass, "training_seconds": seconds}
    for name, array in by_schedule.items():
        columns[name] = Column(array.astype(np.float32), ("class", "fidelity"), "seconds", 0, None, None, names)
    columns["latency"] = Column(latency[:, final].astype(np.float32), ("class",), "seconds")
    columns["num_parameters"] = Column(_whole(parameters[:, final]), ("class",), "parameters")
    columns["num_flops"] = Column(_whole(flops[:, final]), ("class",), "multiply-accumulates")
    return Table(_manifest(layout, data_set), {}, np.arange(len(values), dtype=np.int32), with_run_counts(columns))


def _whole(values: np.ndarray) -> np.ndarray:
    """Returns numbers as integers, the largest one for NaN."""
    return np.where(np.isnan(values), np.iinfo(np.uint32).max, np.round(values)).astype(np.uint32)


def _epoch_name(layout: Layout, epoch: int) -> str:
    last = layout.epochs[-1]
    return str(last) if epoch == last else f"{last}@{epoch}"


def _manifest(layout: Layout, data_set: DataSet) -> dict:
    last = layout.epochs[-1]
    fidelities: list[dict] = [
        {"name": str(epochs), "training": f"{epochs} epochs", "epoch": epochs} for epochs in layout.epochs[:-1]
    ]
    fidelities += [
        {"name": _epoch_name(layout, epoch), "training": f"{last} epochs", "epoch": epoch}
        for epoch in sorted({*layout.curve, last})
    ]
    final = {"told": "validation", "reported": "test", "price": "seconds"}
    protocols = {DEFAULT_PROTOCOL: final, "final": final}
    protocols["published"] = {**final, "told": f"validation@{layout.told}"}
    return base_manifest(layout.space, data_set.name, fidelities, range(MAX_RUNS)) | {"protocols": protocols}


def _notes(layout: Layout, data_set: DataSet, count: int) -> list[str]:
    (trained, split, images), (tested, test_split, test_images) = data_set.validation, data_set.test
    return [
        f"Scores on {data_set.name} of {count:,} of {layout.space.num_architectures:,} architectures, each a class, "
        f"trained for {' and '.join(str(epochs) for epochs in layout.epochs)} epochs, each a training of its own.",
        f"Validation: `{split}` of `{trained}`, {images:,} images. Test: `{test_split}` of `{tested}`, {test_images:,} "
        "images."
        + (" The two are of different trainings: the data set of the test has no validation." if split else "")
        * (trained != tested),
        f"Protocol `published`: a search is told validation after {layout.told} epochs and pays these epochs and a "
        "validation pass. Times are the benchmark's, the same for each seed.",
    ]


PUBLICATION = Publication(
    "",
    "NATS-Bench",
    "X. Dong, L. Liu, K. Musial and B. Gabrys, NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and "
    "Size, IEEE TPAMI, 2021.",
    "MIT licence",
    "https://github.com/D-X-Y/NATS-Bench",
    "Dong, Xuanyi and Liu, Lu and Musial, Katarzyna and Gabrys, Bogdan",
    ("dong2020nasbench201", "dong2021natsbench"),
    f"{TRIED} (Three architectures of the `-simple` folder; the archive was read from its documented layout.)",
)
"""Each importer puts its name in."""
