"""Imports the original file of NAS-Bench-201, version 1.1, without torch."""

from collections.abc import Iterator
from pathlib import Path

from jaxnas.tables.published import nats
from jaxnas.tables.published.base import Progress, only_file
from jaxnas.tables.published.cards import Imported, Publication
from jaxnas.tables.published.nats_topology import LAYOUT

NAME = "nb201"
CITES = ("dong2020nasbench201",)
FILES = ("NAS-Bench-201-v1_1-096897.pth",)
PUBLICATION = Publication(
    NAME,
    "NAS-Bench-201, version 1.1",
    "X. Dong and Y. Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020.",
    "MIT licence",
    "https://github.com/D-X-Y/NAS-Bench-201",
    "Dong, Xuanyi and Yang, Yi",
    CITES,
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns tables of NAS-Bench-201, version 1.1: CIFAR-10, CIFAR-100 and ImageNet16-120.

    `path` is the file, or a folder with it: 4.7 GB in one pickle, read as a stream, so no part of it can be kept.
    """
    path = only_file(path, FILES, "NAS-Bench-201's torch file")
    layout = LAYOUT._replace(prefix="nb201-1.1", publication=PUBLICATION)
    yield from nats.tables_of(layout, nats.read_archive(layout, path, progress, f"the torch file {FILES[0]}"), path)
