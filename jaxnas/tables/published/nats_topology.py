"""Imports NATS-Bench's topology space: the `-simple` folder, or the archive of all architectures."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from jaxnas.spaces.cells.space import NB201
from jaxnas.tables.published import nats
from jaxnas.tables.published.base import Progress
from jaxnas.tables.published.cards import Imported

NAME = "nats-tss"
CITES = ("dong2020nasbench201", "dong2021natsbench")
_CELL = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")
_OPERATIONS = {name: number for number, name in enumerate(NB201.decisions[0].values)}


@functools.lru_cache(maxsize=1 << 14)  # files have each cell for several data sets, schedules and runs
def row_of(text: str) -> int:
    """Returns the row of a string such as `|none~0|+|none~0|none~1|+|none~0|none~1|none~2|` in the space `nb201`."""
    found = _CELL.fullmatch(text)
    if found is None or not set(found.groups()) <= set(_OPERATIONS):
        raise ValueError(f"Expected a cell of NAS-Bench-201, got {text[:80]!r}.")
    row = 0
    for name in found.groups():
        row = row * len(_OPERATIONS) + _OPERATIONS[name]
    return row


LAYOUT = nats.Layout(
    NAME,
    NB201,
    (12, 200),
    12,
    (1, 5, 10, 25, 50, 100, 150, 200),
    row_of,
    nats.PUBLICATION._replace(importer=NAME),
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns tables of NATS-Bench's topology space: CIFAR-10, CIFAR-100 and ImageNet16-120.

    `path` is the `-simple` folder, or `NATS-tss-v1_0-3ffb9.pickle.pbz2`.
    """
    yield from nats.read(LAYOUT, path, work, progress)
