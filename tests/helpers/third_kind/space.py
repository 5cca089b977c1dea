"""A space of networks that pool an image over blocks and classify it by one hidden layer."""

from dataclasses import dataclass
from typing import ClassVar

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision

CITES = ()
POOLS, WIDTHS = (1, 2), (4, 8)


@dataclass(frozen=True)
class PoolSpace(Space):
    """The space of a size of blocks, a width and whether there is a rectifier: eight architectures."""

    name: str = "pooled"
    decisions: tuple[Decision, ...] = (
        Decision("pool", POOLS),
        Decision("width", WIDTHS),
        Decision("rectifier", (False, True)),
    )
    networks: ClassVar[str] = "helpers.third_kind.networks:PoolNetworks"


POOLED = PoolSpace()
