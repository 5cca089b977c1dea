"""Networks of a chain of blocks: the slots of any architecture's."""

import functools
from dataclasses import dataclass

from jaxnas.spaces.layers.blocks import Block, Slot
from jaxnas.spaces.layers.convolutional import Identity, Stem
from jaxnas.spaces.macro.blocks import Head, InvertedBottleneck, Residual, Shortcut
from jaxnas.tasks.base import TaskSpec


@dataclass(frozen=True)
class Chain:
    """The size of a network around its blocks. The published one has 32 channels, 1,280 features and 3 halvings.

    Attributes:
        num_channels: channels of the stem; the first layer of each stage doubles them.
        num_features: channels of the head.
        num_halvings: how many of the stages halve height and width in their first layer, the last ones.
    """

    num_channels: int = 4
    num_features: int = 32
    num_halvings: int = 3

    def __post_init__(self) -> None:
        for name, least, most in (("num_channels", 1, 4096), ("num_features", 1, 65536), ("num_halvings", 0, 64)):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"Expected {name} of {least} to {most}, got {value!r:.40}.")


@functools.lru_cache(maxsize=64)
def slots(stages: tuple[int, ...], kinds: tuple[str, ...], chain: Chain, spec: TaskSpec) -> tuple[Slot, ...]:
    """Returns the slots of the stem, of the layers of each stage, which hold a block of each kind, and of the head."""
    height, width, num_inputs = spec.shape
    channels = chain.num_channels
    found: list[Slot] = [(Stem(num_inputs, channels, height * width, rectifies=True),)]
    for stage, num_layers in enumerate(stages):
        for layer in range(num_layers):
            stride = 2 if not layer and stage >= len(stages) - chain.num_halvings else 1
            before, outputs = height * width, channels * (1 if layer else 2)
            height, width = -(-height // stride), -(-width // stride)
            sizes = channels, outputs, stride, (before, height * width)
            found.append(tuple(_block(kind, *sizes) for kind in kinds))
            channels = outputs
    return (*found, (Head(channels, chain.num_features, spec.num_outputs, height * width),))


def _block(kind: str, num_inputs: int, num_channels: int, stride: int, num_pixels: tuple[int, int]) -> Block:
    """Returns a block by its name: `"identity"`, `"residual"`, or `"mbconv_k5_e6"`: kernels of 5, six-fold inside."""
    if kind == "identity":
        keeps = num_inputs == num_channels and stride == 1
        return Identity() if keeps else Shortcut(num_inputs, num_channels, stride, num_pixels[1])
    if kind == "residual":
        return Residual(num_inputs, num_channels, stride, num_pixels[1])
    size, expansion = (int(part[1:]) for part in kind.split("_")[1:])
    return InvertedBottleneck(num_inputs, num_channels, size, expansion, stride, num_pixels)
