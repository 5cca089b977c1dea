"""Imports NATS-Bench's size space: the `-simple` folder, or the archive of all architectures."""

from collections.abc import Iterator
from pathlib import Path

from jaxnas.spaces.sizes.space import NATS_SSS
from jaxnas.tables.published import nats
from jaxnas.tables.published.base import Progress
from jaxnas.tables.published.cards import Imported

NAME = "nats-sss"
CITES = ("dong2021natsbench",)


def row_of(text: str) -> int:
    """Returns the row of a string of channels such as `64:64:56:64:24` in the space `nats-sss`."""
    parts = text.split(":")
    if len(parts) != 5 or not all(part.isdecimal() and part in _CHANNELS for part in parts):
        raise ValueError(f"Expected channels such as 64:64:56:64:24, got {text[:80]!r}.")
    row = 0
    for part in parts:
        row = row * len(_CHANNELS) + _CHANNELS[part]
    return row


_CHANNELS = {str(channels): number for number, channels in enumerate(range(8, 65, 8))}


LAYOUT = nats.Layout(
    NAME,
    NATS_SSS,
    (1, 12, 90),
    12,
    (1, 5, 10, 25, 50, 90),
    row_of,
    nats.PUBLICATION._replace(importer=NAME),
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns tables of NATS-Bench's size space: CIFAR-10, CIFAR-100 and ImageNet16-120.

    `path` is the `-simple` folder, or `NATS-sss-v1_0-50262.pickle.pbz2`.
    """
    yield from nats.read(LAYOUT, path, work, progress)
