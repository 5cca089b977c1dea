"""Imports TransNAS-Bench-101: seven tasks over a space of cells and one of whole networks, without torch."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.enumerated import rows_of_all
from jaxnas.spaces.named import space_named
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, only_file, sha256_of
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.published.containers import reader_of
from jaxnas.tables.table import Table
from jaxnas.tasks.metrics import Metric

NAME = "transnas"
CITES = ("duan2021transnas",)
FILES = ("transnas-bench_v10141024.pth",)
PUBLICATION = Publication(
    NAME,
    "TransNAS-Bench-101",
    "Y. Duan, X. Chen, H. Xu, Z. Chen, X. Liang, T. Zhang and Z. Li, TransNAS-Bench-101: Improving Transferability and "
    "Generalizability of Cross-Task Neural Architecture Search, CVPR 2021.",
    "MIT licence of the repository",
    "https://github.com/yawen-d/TransNASBench",
    "Duan, Yawen and Chen, Xin and Xu, Hang and Chen, Zewei and Liang, Xiaodan and Zhang, Tong and Li, Zhenguo",
    CITES,
)


SCORES = {
    "class_scene": Metric("top1", "percent"),
    "class_object": Metric("top1", "percent"),
    "room_layout": Metric("neg_loss", "score"),
    "jigsaw": Metric("top1", "percent"),
    "segmentsemantic": Metric("mIoU", "percent"),
    "normal": Metric("ssim", "score"),
    "autoencoder": Metric("ssim", "score"),
}
"""Names are those of the file without `valid_` and `test_`. Larger is always better."""
SPACES = {"micro": "transnas-micro", "macro": "transnas-macro"}
INFORMATION = {
    "inference_time": ("inference_time", "seconds"),
    "encoder_params": ("encoder_params", "millions of parameters"),
    "model_params": ("model_params", "millions of parameters"),
    "model_FLOPs": ("model_flops", "millions of multiply-accumulates"),
    "encoder_FLOPs": ("encoder_flops", "millions of multiply-accumulates"),
}


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a table of TransNAS-Bench-101 for each space and task.

    `path` is `transnas-bench_v10141024.pth`, or a folder with it.
    """
    path = only_file(path, FILES, "TransNAS-Bench-101's torch file")
    digest = {path.name: sha256_of(path)}
    with (
        expected(path, "TransNAS-Bench-101's torch file"),
        reader_of(path, progress, finished=_keep_the_wanted) as reader,
    ):
        data = reader.load()["data"]
        if not data or not set(data) <= set(SPACES):
            raise ValueError(f"other spaces than {' and '.join(SPACES)}")
    for kind, architectures in data.items():
        space = space_named(SPACES[kind])
        with expected(path, f"scores of the space {space.name}"):
            rows = _rows(space, architectures)
            tasks = list(next(iter(architectures.values())))
        for task in tasks:
            with expected(path, f"scores of {task!s:.40} on {space.name}"):
                table = _table(space, str(task), rows, [found[task] for found in architectures.values()])
            notes = [
                f"`{SCORES[task].name}` on {task} of {len(rows):,} networks, one training each: validation at every "
                "epoch, test after the last. (The authors' `best` takes the maximum over epochs, of losses too.)",
                "Price: the seconds that the training had taken at the epoch, as the file's `time_elapsed` has them.",
            ]
            yield imported(table, f"{space.name}-{task}".replace("_", "-"), PUBLICATION, path, notes, digest)


def _keep_the_wanted(found: dict) -> None:
    """Keeps the parts of each training that tables need; the whole file never is in memory."""
    if "valid_loss" not in found and "time_elapsed" not in found:
        return
    names = {f"{split}_{score.name}" for split in ("valid", "test") for score in SCORES.values()} | {"time_elapsed"}
    with np.errstate(over="ignore"):  # it is infinite then
        kept = {name: np.asarray(values, np.float32) for name, values in found.items() if name in names}
    if kept:
        found.clear()
        found.update(kept)


def _rows(space: Space, architectures: Mapping) -> np.ndarray:
    vectors = np.asarray([space.from_str(str(text)[:60]) for text in architectures], np.int32)
    rows = np.asarray(rows_of_all(space, vectors))
    known = np.asarray(space.arch_at(rows))
    if (known != vectors).any() or len(np.unique(rows)) != space.num_architectures:
        raise ValueError(f"{len(np.unique(rows)):,} of {space.num_architectures:,} architectures")
    return rows


def _table(space: Space, task: str, rows: np.ndarray, found: list[Mapping]) -> Table:
    if task not in SCORES:
        raise ValueError(f"Expected a task of {', '.join(SCORES)}, got {task[:40]!r}")
    score = SCORES[task]
    metrics = [each["metrics"] for each in found]
    validation = _by_row(rows, [metric[f"valid_{score.name}"] for metric in metrics])
    test = _by_row(rows, [metric[f"test_{score.name}"] for metric in metrics])[:, -1:]
    seconds = _by_row(rows, [metric["time_elapsed"] for metric in metrics])
    if seconds.shape != validation.shape or not np.isfinite(seconds).all():
        raise ValueError("seconds for other epochs than scores")
    if (np.diff(seconds, axis=1) <= 0).any():  # of each epoch, not since the start
        seconds = np.cumsum(seconds, axis=1)
    fidelities = list(range(1, validation.shape[1] + 1))
    columns = {"seconds": Column(seconds, ("class", "fidelity"), "seconds")}
    for name, (own, unit) in INFORMATION.items():
        if all(name in each.get("model_info", {}) for each in found):
            values = np.asarray([float(each["model_info"][name]) for each in found], np.float32)
            columns[own] = Column(values[np.argsort(rows)], ("class",), unit)
    return Table.from_arrays(
        space,
        task,
        Column(validation[:, None], ("class", "run", "fidelity"), score.unit, 1),
        Column(test, ("class", "run"), score.unit, 1),
        fidelities,
        columns=columns,
        metric=score,
        protocols={"default": {"price": "seconds"}},
    )


def _by_row(rows: np.ndarray, values: list) -> np.ndarray:
    """Returns lists of one length as an array in the order of rows, float32[A, E]."""
    array = np.asarray(values, np.float32)
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError("lists of different lengths")
    return array[np.argsort(rows)]
