"""Blocks that several kinds of networks of images have."""

from dataclasses import dataclass
from typing import final

import jax

from jaxnas.spaces.layers import convolution
from jaxnas.spaces.layers.blocks import Block, Scope, Values, he_normal, normalization


@final
@dataclass(frozen=True)
class Identity(Block):
    """A layer that does nothing."""

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        return x


@final
@dataclass(frozen=True)
class Stem(Block):
    """A 3x3 convolution with normalization, that keeps the resolution; `rectifies`: with a rectifier after it."""

    num_inputs: int
    num_channels: int
    num_pixels: int
    rectifies: bool = False

    def parameters(self) -> dict[str, Values]:
        kernel = he_normal(3, 3, self.num_inputs, self.num_channels, fan_in=9 * self.num_inputs)
        return {"kernel": kernel, **normalization("norm", self.num_channels)}

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        """Returns the feature maps of images [C, H, W, N]."""
        x = scope.normalize("norm", convolution.convolve(x, scope["kernel"]))
        return scope.rectify(x) if self.rectifies else x

    def num_flops(self) -> int:
        return 9 * self.num_inputs * self.num_channels * self.num_pixels
