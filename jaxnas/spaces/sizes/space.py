"""Size spaces: how many channels each layer of a network has. `NATS_SSS` is the size space of NATS-Bench."""

from dataclasses import dataclass, field
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices, Decision, position

CITES = ("dong2021natsbench",)


@final
@dataclass(frozen=True)
class SizeSpace(Space):
    """The search space of the numbers of channels of layers, each one of `channels`.

    An architecture is the position of each layer's number in `channels`.

    Attributes:
        num_layers: how many layers have a number of channels.
        channels: the numbers to choose from.
    """

    num_layers: int
    channels: tuple[int, ...]
    name: str = "sizes"
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.sizes.networks:SizeNetworks"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        layers = range(1, self.num_layers + 1)
        object.__setattr__(self, "decisions", tuple(Decision(f"layer {layer}", self.channels) for layer in layers))

    def to_str(self, arch: Choices) -> str:
        """Returns the numbers of channels as NATS-Bench writes them, `"64:64:56:64:24"`."""
        return ":".join(str(value) for value in self.decode(arch).values())

    def from_str(self, text: str) -> jax.Array:
        names = text.strip().split(":")
        if len(names) != self.num_layers:
            raise self.malformed(text)
        return jnp.asarray([position("a number of channels", name, self.channels) for name in names], jnp.int32)


NATS_SSS = SizeSpace(5, tuple(range(8, 65, 8)), "nats-sss")
"""The size space of NATS-Bench: five layers of 8 to 64 channels, 32,768 architectures."""
