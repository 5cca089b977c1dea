"""The blocks of NAS-Bench-Macro (Su et al., CVPR 2021): inverted bottlenecks, shortcuts, and the blocks around them.

Inverted bottlenecks are as in MobileNetV2 (Sandler et al., CVPR 2018) with plain rectifiers.
"""

from dataclasses import dataclass
from typing import final

import jax

from jaxnas.spaces.layers import convolution
from jaxnas.spaces.layers.blocks import Block, Scope, Values, he_normal, normalization
from jaxnas.spaces.layers.depthwise import multiply_depthwise
from jaxnas.training.recorder import FEATURES, LINEAR, OUTPUT


@final
@dataclass(frozen=True)
class Shortcut(Block):
    """A 1x1 convolution with normalization, which replaces an identity if the shape changes."""

    num_inputs: int
    num_channels: int
    stride: int
    num_pixels: int

    def parameters(self) -> dict[str, Values]:
        kernel = he_normal(self.num_inputs, self.num_channels, fan_in=self.num_inputs)
        return {"kernel": kernel, **normalization("norm", self.num_channels)}

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        """Returns x with the new number of channels; every other pixel if the stride is 2."""
        x = x[:, :: self.stride, :: self.stride] if self.stride > 1 else x
        return scope.normalize("norm", convolution.convolve_pointwise(x, scope["kernel"]))

    def num_flops(self) -> int:
        return self.num_inputs * self.num_channels * self.num_pixels


@final
@dataclass(frozen=True)
class InvertedBottleneck(Block):
    """A 1x1 convolution to more channels, a depthwise convolution, and a 1x1 convolution to the channels asked for.

    Each is normalized, the first two are rectified. The input is added if it has the shape of the output.

    Attributes:
        num_pixels: the number of pixels of an image before and after the block.
    """

    num_inputs: int
    num_channels: int
    size: int
    expansion: int
    stride: int
    num_pixels: tuple[int, int]

    @property
    def num_hidden(self) -> int:
        """Returns the number of channels in between."""
        return self.num_inputs * self.expansion

    def parameters(self) -> dict[str, Values]:
        hidden, size = self.num_hidden, self.size
        return {
            "expand_kernel": he_normal(self.num_inputs, hidden, fan_in=self.num_inputs),
            **normalization("expand", hidden),
            "depthwise_kernel": he_normal(size, size, hidden, fan_in=size**2),
            **normalization("depthwise", hidden),
            "project_kernel": he_normal(hidden, self.num_channels, fan_in=hidden),
            **normalization("project", self.num_channels),
        }

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        y = convolution.convolve_pointwise(x, scope["expand_kernel"])
        y = scope.rectify(scope.normalize("expand", y))
        y = multiply_depthwise(y, scope["depthwise_kernel"], self.stride)
        y = scope.rectify(scope.normalize("depthwise", y))
        y = scope.normalize("project", convolution.convolve_pointwise(y, scope["project_kernel"]))
        return y + x if self.stride == 1 and self.num_inputs == self.num_channels else y

    def num_flops(self) -> int:
        before, after = self.num_pixels
        inside = self.num_inputs * before + self.size**2 * after + self.num_channels * after
        return self.num_hidden * inside


@final
@dataclass(frozen=True)
class Residual(Block):
    """The basic block of residual networks (He et al., CVPR 2016): two 3x3 convolutions with a shortcut.

    The shortcut is the input, or a normalized 1x1 convolution if the shape changes.

    Attributes:
        num_pixels: the number of pixels of an image after the block.
    """

    num_inputs: int
    num_channels: int
    stride: int
    num_pixels: int

    @property
    def _shortcut(self) -> Shortcut | None:
        keeps = self.stride == 1 and self.num_inputs == self.num_channels
        return None if keeps else Shortcut(self.num_inputs, self.num_channels, self.stride, self.num_pixels)

    def parameters(self) -> dict[str, Values]:
        inputs, channels = self.num_inputs, self.num_channels
        return {
            "first_kernel": he_normal(3, 3, inputs, channels, fan_in=9 * inputs),
            **normalization("first", channels),
            "second_kernel": he_normal(3, 3, channels, channels, fan_in=9 * channels),
            **normalization("second", channels),
            **(self._shortcut.parameters() if self._shortcut else {}),
        }

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        y = scope.normalize("first", convolution.convolve(x, scope["first_kernel"], self.stride))
        y = scope.normalize("second", convolution.convolve(scope.rectify(y), scope["second_kernel"]))
        return scope.rectify(y + (self._shortcut.compute(x, scope) if self._shortcut else x))

    def num_flops(self) -> int:
        convolved = 9 * (self.num_inputs + self.num_channels) * self.num_channels * self.num_pixels
        return convolved + (self._shortcut.num_flops() if self._shortcut else 0)


@final
@dataclass(frozen=True)
class Head(Block):
    """A 1x1 convolution with normalization and rectifier, the mean over pixels, and a linear map to the outputs."""

    num_inputs: int
    num_features: int
    num_outputs: int
    num_pixels: int

    def parameters(self) -> dict[str, Values]:
        return {
            "kernel": he_normal(self.num_inputs, self.num_features, fan_in=self.num_inputs),
            **normalization("norm", self.num_features),
            "output_kernel": Values((self.num_features, self.num_outputs), self.num_features**-0.5),
            "offset": Values((self.num_outputs,)),
        }

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        """Returns the outputs [N, K]."""
        x = scope.normalize("norm", convolution.convolve_pointwise(x, scope["kernel"]))
        features = scope.rectify(scope.show(FEATURES, x)).mean((1, 2))
        outputs = scope["output_kernel"].T @ features
        return scope.show(LINEAR, outputs[:, None, None], OUTPUT)[:, 0, 0].T + scope["offset"]

    def num_flops(self) -> int:
        return self.num_inputs * self.num_features * self.num_pixels + (self.num_features + 1) * self.num_outputs
