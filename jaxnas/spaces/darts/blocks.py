"""The operations of DARTS (Liu et al., ICLR 2019), and the blocks around its cells.

Operations are as in a trained network, not as in the supernet: pooling is not normalized.
"""

import functools
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers import convolution, feature_maps
from jaxnas.spaces.layers.blocks import Block, Scope, Values, he_normal, normalization
from jaxnas.spaces.layers.convolutional import Identity
from jaxnas.spaces.layers.depthwise import convolve_depthwise
from jaxnas.training.recorder import FEATURES, LINEAR, OUTPUT


@final
@dataclass(frozen=True)
class Pool(Block):
    """The largest or the mean value of each pixel's 3x3 window, of the pixels inside the image."""

    kind: str
    stride: int

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        pooled = feature_maps.average_pool(x) if self.kind == "average" else _largest(_largest(x, 1), 2)
        return _strided(pooled, self.stride)


def _largest(x: jax.Array, axis: int) -> jax.Array:
    """Returns the largest of each position and its two neighbors along an axis."""
    edge = jnp.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), -jnp.inf, x.dtype)
    size = x.shape[axis]
    before = jnp.concatenate([edge, jax.lax.slice_in_dim(x, 0, size - 1, axis=axis)], axis)
    after = jnp.concatenate([jax.lax.slice_in_dim(x, 1, size, axis=axis), edge], axis)
    return jnp.maximum(jnp.maximum(before, x), after)


def _strided(x: jax.Array, stride: int) -> jax.Array:
    return x[:, ::stride, ::stride] if stride > 1 else x


@final
@dataclass(frozen=True)
class Pointwise(Block):
    """A rectifier, a 1x1 convolution and normalization.

    Attributes:
        halves: whether the resolution is halved, by two convolutions of half of the channels each, one of every other
            pixel, one of the pixels below and right of those.
        num_pixels: of an image after the block.
    """

    num_inputs: int
    num_channels: int
    num_pixels: int
    halves: bool = False

    def parameters(self) -> dict[str, Values]:
        make = functools.partial(he_normal, fan_in=self.num_inputs)
        second = self.num_channels // 2
        kernels = {"kernel": make(self.num_inputs, self.num_channels - second * self.halves)}
        if self.halves:
            kernels["other_kernel"] = make(self.num_inputs, second)
        return {**kernels, **normalization("norm", self.num_channels)}

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        x = scope.rectify(x)
        if not self.halves:
            return scope.normalize("norm", convolution.convolve_pointwise(x, scope["kernel"]))
        first = convolution.convolve_pointwise(_strided(x, 2), scope["kernel"])
        shifted = jnp.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))
        second = convolution.convolve_pointwise(_strided(shifted, 2), scope["other_kernel"])
        return scope.normalize("norm", jnp.concatenate([first, second]))

    def num_flops(self) -> int:
        return self.num_inputs * self.num_channels * self.num_pixels


@final
@dataclass(frozen=True)
class Separable(Block):
    """A rectifier, a depthwise and a 1x1 convolution, and normalization; once, or twice.

    Attributes:
        num_pixels: of an image after the block.
        dilation: of the depthwise convolution.
        repeats: how often; the first time has the stride.
    """

    num_channels: int
    size: int
    stride: int
    num_pixels: int
    dilation: int = 1
    repeats: int = 1

    def parameters(self) -> dict[str, Values]:
        found: dict[str, Values] = {}
        for number in range(self.repeats):
            found[f"{number}_depthwise_kernel"] = he_normal(
                self.size, self.size, self.num_channels, fan_in=self.size**2
            )
            found[f"{number}_kernel"] = he_normal(self.num_channels, self.num_channels, fan_in=self.num_channels)
            found |= normalization(str(number), self.num_channels)
        return found

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        for number in range(self.repeats):
            stride = 1 if number else self.stride
            kernel = scope[f"{number}_depthwise_kernel"]
            x = convolve_depthwise(scope.rectify(x), kernel, stride, self.dilation)
            x = scope.normalize(str(number), convolution.convolve_pointwise(x, scope[f"{number}_kernel"]))
        return x

    def num_flops(self) -> int:
        return self.repeats * (self.size**2 + self.num_channels) * self.num_channels * self.num_pixels


@final
@dataclass(frozen=True)
class Of(Block):
    """A block that reads one array of its input, a tuple."""

    block: Block
    position: int

    def parameters(self) -> dict[str, Values]:
        return self.block.parameters()

    def compute(self, x: Any, scope: Scope) -> jax.Array:
        return self.block.compute(x[self.position], scope)

    def num_flops(self) -> int:
        return self.block.num_flops()


@final
@dataclass(frozen=True)
class Head(Block):
    """The mean over pixels and a linear map."""

    num_inputs: int
    num_outputs: int

    def parameters(self) -> dict[str, Values]:
        kernel = Values((self.num_inputs, self.num_outputs), self.num_inputs**-0.5)
        return {"kernel": kernel, "offset": Values((self.num_outputs,))}

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        """Returns the outputs [N, K]."""
        features = scope.show(FEATURES, x).mean((1, 2))
        outputs = (features.T @ scope["kernel"]).T[:, None, None]
        return scope.show(LINEAR, outputs, OUTPUT)[:, 0, 0].T + scope["offset"]

    def num_flops(self) -> int:
        return (self.num_inputs + 1) * self.num_outputs


def operations(num_channels: int, stride: int, num_pixels: int) -> tuple[Block, ...]:
    """Returns the operations on an edge of a cell, in the order of `jaxnas.spaces.darts.space.OPERATIONS`.

    Args:
        num_pixels: of an image after the operation.
    """
    skip = Identity() if stride == 1 else Pointwise(num_channels, num_channels, num_pixels, halves=True)
    separable = (Separable(num_channels, size, stride, num_pixels, repeats=2) for size in (3, 5))
    dilated = (Separable(num_channels, size, stride, num_pixels, dilation=2) for size in (3, 5))
    return (Pool("max", stride), Pool("average", stride), skip, *separable, *dilated)
