"""Imports NAS-Bench-Graph from the PyPI package nas-bench-graph (its files only; its code does not run)."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.enumerated import are_valid, rows_of_all
from jaxnas.spaces.named import space_named
from jaxnas.tables.columns import Column
from jaxnas.tables.manifest import base_manifest, keys_of
from jaxnas.tables.published.base import Progress, expected
from jaxnas.tables.published.cards import TRIED, Imported, Publication, imported
from jaxnas.tables.published.unpickle import Reader
from jaxnas.tables.table import Table
from jaxnas.tasks.metrics import ACCURACY, Metric

NAME = "nb-graph"
CITES = ("qin2022nasbenchgraph",)
SUFFIX = ".bench"
BASE, PLACES = 10, 4
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SPACES = {"proteins": "nb-graph-proteins"}
LARGEST_FILE = 1 << 26
METRICS = {"proteins": Metric("ROC-AUC", "proportion", 1)}
PUBLICATION = Publication(
    NAME,
    "NAS-Bench-Graph",
    "Y. Qin, Z. Zhang, X. Wang, Z. Zhang and W. Zhu, NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search, "
    "NeurIPS 2022 (Datasets and Benchmarks).",
    "Apache-2.0 licence",
    "https://github.com/THUMNLab/NAS-Bench-Graph",
    "Qin, Yijian and Zhang, Ziwei and Wang, Xin and Zhang, Zeyang and Zhu, Wenwu",
    CITES,
    TRIED,
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a table of NAS-Bench-Graph for each data set: validation and test, means of three seeds.

    `path` is the wheel of nas-bench-graph, the folder of the installed package, its folder `light`,
    or one `.bench`.
    """
    files = _files(path)
    for number, (name, data) in enumerate(sorted(files.items())):
        progress(name, number + 1, len(files))
        task = name.removesuffix(SUFFIX)
        space = space_named(SPACES.get(task, NAME))
        with expected(path, f"NAS-Bench-Graph's pickles, {name} among them"):
            table, notes = _table(space, task, Reader(io.BytesIO(data), len(data)).load())
        yield imported(table, f"nb-graph-{task}", PUBLICATION, path, notes, {})


def _files(path: Path) -> dict[str, bytes]:
    """Returns the files of data sets by name. Raises ValueError if there is none."""
    if path.suffix == SUFFIX and path.is_file():
        return {path.name: path.read_bytes()}
    if path.is_dir():
        found = [*path.glob(f"*{SUFFIX}"), *path.glob(f"light/*{SUFFIX}")]
        files = {file.name: file.read_bytes() for file in found if file.stat().st_size <= LARGEST_FILE}
    else:
        files = _in_wheel(path)
    if not files:
        raise ValueError(
            f"Expected a wheel or a folder of nas-bench-graph with files such as cora{SUFFIX}, got {path}."
        )
    return files


def _in_wheel(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(SUFFIX)]
            if sum(each.file_size for each in members) > LARGEST_FILE:
                raise ValueError("a file that is too large")
            return {each.filename.rpartition("/")[2]: archive.read(each) for each in members}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ValueError(f"Expected a wheel or a folder of nas-bench-graph, got {path}: {error}.") from None


def vectors_of(space: Space, keys: np.ndarray) -> np.ndarray:
    """Returns the file's numbers of architectures as vectors int32[N, 5]: the links, then four operations.

    Digits are base 10; digits of operations count `OPERATIONS` for all data sets, `proteins` with its five included.
    Raises ValueError on a number that is none.
    """
    known = space.decisions[1].values
    position = np.asarray([known.index(name) if name in known else -1 for name in (*OPERATIONS, "")], np.int32)
    digits = keys[:, None] // BASE ** np.arange(PLACES, -1, -1)
    operations = digits[:, 1:] % BASE
    if (keys < 0).any() or (digits[:, 0] >= len(space.decisions[0].values)).any() or (operations == BASE - 1).any():
        raise ValueError("numbers that are of no architecture")
    vectors = np.concatenate([digits[:, :1].astype(np.int32), position[operations]], axis=1)
    if (vectors < 0).any():
        raise ValueError(f"an operation that {space.name} has not")
    return vectors


def _table(space: Space, task: str, found: dict) -> tuple[Table, list[str]]:
    vectors = vectors_of(space, np.asarray(list(found), np.int64))
    if not np.asarray(are_valid(space, vectors)).all():
        raise ValueError("an architecture that the space has not")
    rows, order = np.unique(np.asarray(rows_of_all(space, vectors)), return_index=True)
    if not len(rows) == len(found) == space.num_architectures:
        raise ValueError(f"{len(rows):,} of {space.num_architectures:,} architectures, by {len(found):,} numbers")
    notes = [f"Means of three seeds of {len(rows):,} architectures on {task}, each for all that are the same network."]
    with np.errstate(over="ignore"):  # too large a number is infinite then
        values = {
            name: np.asarray([float(each[name]) for each in found.values()])[order].astype(np.float32)
            for name in ("valid_perf", "perf", "latency", "para")
        }
    if not all(np.isfinite(array).all() for array in values.values()):
        raise ValueError("numbers that are not finite")
    metric = METRICS.get(task, ACCURACY)
    scores = {
        name: Column(values[own][:, None], ("class", "run"), metric.unit, 1)
        for name, own in (("validation", "valid_perf"), ("test", "perf"))
    }
    sizes = {
        "latency": Column(values["latency"], ("class",), "seconds"),
        "parameters": Column(values["para"], ("class",), "millions of parameters"),
    }
    fidelity = {"name": "full", "training": "", "epoch": 1}
    manifest = base_manifest(space, task, [fidelity], [0], metric)
    table = Table(manifest, keys_of(space), np.arange(len(rows), dtype=np.int32), scores | sizes)
    return table, [*notes, "The files have no training times: a query costs 1."]
