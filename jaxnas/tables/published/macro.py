"""Imports NAS-Bench-Macro, whose networks were trained without a validation split."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnas.spaces.named import space_named
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, json_of, only_file, sha256_of
from jaxnas.tables.published.cards import TRIED, Imported, Publication, imported
from jaxnas.tables.table import Table

NAME = "nb-macro"
CITES = ("su2021prioritized",)
FILES = ("nas-bench-macro_cifar10.json",)
ID = "nb-macro-cifar10"
EPOCHS, RUNS, BLOCKS, CHOICES = 50, 3, 8, 3
WARNING = (
    "No validation split was made: searches are told the test accuracy of one run and reported is the mean test "
    "accuracy, so that every search is optimistic."
)
PUBLICATION = Publication(
    NAME,
    "NAS-Bench-Macro",
    "X. Su, T. Huang, Y. Li, S. You, F. Wang, C. Qian, C. Zhang and C. Xu, Prioritized Architecture Sampling with "
    "Monto-Carlo Tree Search, CVPR 2021.",
    "Apache-2.0 licence",
    "https://github.com/xiusu/NAS-Bench-Macro",
    "Su, Xiu and Huang, Tao and Li, Yanxi and You, Shan and Wang, Fei and Qian, Chen and "
    "Zhang, Changshui and Xu, Chang",
    CITES,
    TRIED,
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a table of NAS-Bench-Macro: test accuracy of three runs, parameters and FLOPs of 6,561 architectures.

    They are 3,969 networks, the classes of the table: the file repeats the results of those that are one network.

    `path` is `nas-bench-macro_cifar10.json`, or a folder with it.
    """
    path = only_file(path, FILES, "NAS-Bench-Macro's JSON")
    space, digest = space_named("nb-macro"), {path.name: sha256_of(path)}
    num = CHOICES**BLOCKS
    accuracy = np.full((num, RUNS, 1), np.nan)
    sizes = np.full((num, 2), np.nan)
    with expected(path, "NAS-Bench-Macro's JSON of 6,561 architectures such as 22212220"):
        for key, found in json_of(path, progress).items():
            row = row_of(key)
            accuracy[row, :, 0] = np.asarray(found["test_acc"], float)
            sizes[row] = found["params"], found["flops"]
        if np.isnan(accuracy).any() or np.isnan(sizes).any():
            raise ValueError(f"{int((~np.isnan(accuracy).any((1, 2))).sum()):,} architectures")
        if accuracy.min() < 0 or accuracy.max() > 100 or not (sizes >= 0).all() or sizes.max() >= 2**31:
            raise ValueError("accuracies that are no percentages, or sizes below 0")
        classes = space.classes()
        if (accuracy != accuracy[classes]).any() or (sizes != sizes[classes]).any():
            raise ValueError("different results of architectures that are one network")
    columns = {
        "num_parameters": Column(sizes[:, 0].astype(np.int32), ("class",), "parameters"),
        "num_flops": Column(sizes[:, 1].astype(np.int32), ("class",), "multiply-accumulates"),
    }
    scores = Column(accuracy.astype(np.float32) / 100, ("class", "run", "fidelity"), "proportion", 1)
    table = Table.from_arrays(space, "cifar10", scores, scores, [EPOCHS], columns=columns)
    held = {name: column for name, column in table.columns.items() if name != "validation"}
    protocol = {"default": {"told": "test", "reported": "test", "price": "epochs"}}
    manifest = table.manifest | {"protocols": protocol, "warning": WARNING}
    rows, class_of = np.unique(classes, return_inverse=True)
    held = {name: column._replace(values=column.values[rows]) for name, column in held.items()}
    table = Table(manifest, table.keys, class_of.astype(np.int32), held, rows.astype(np.int32))
    notes = [
        f"Test accuracy on CIFAR-10 of {num:,} architectures, {len(rows):,} different networks, {RUNS} runs of "
        f"{EPOCHS} epochs.",
        f"**{WARNING}**",
    ]
    yield imported(table, ID, PUBLICATION, path, notes, digest)


def row_of(key: str) -> int:
    """Returns the row of a string such as `22212220`: the block of each layer, 0 Identity, 1 MB3_K3, 2 MB6_K5."""
    if len(key) != BLOCKS or not set(key) <= set("012"):
        raise ValueError(f"Expected eight blocks such as 22212220, got {key[:60]!r}")
    return int(key, CHOICES)
