"""The layers of NATS-Bench's size space (Dong et al., TPAMI 2021): a stem, cells, reductions and a head.

A layer has the widths that it is made with, or is wider: then its scope marks the live channels, and it computes the
same as the narrow layer.
"""

from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers import convolution, feature_maps
from jaxnas.spaces.layers.blocks import Block, Scope, Values, he_normal, normalization
from jaxnas.training.recorder import FEATURES, LINEAR, NORM, OUTPUT

SKIP = "0-3"
CONVOLUTIONS = ("0-1", "0-2", "1-2", "1-3", "2-3")
"""The edges of the cell: all but the skip connection are 3x3 convolutions."""


def reads_input(name: str) -> bool:
    """Returns whether a kernel reads the channels that enter the layer; other kernels read the layer's channels."""
    return name.startswith(("0-", "a_", "shortcut", "kernel", "output"))


def _convolution(name: str, num_inputs: int, num_channels: int) -> dict[str, Values]:
    kernel = he_normal(3, 3, num_inputs, num_channels, fan_in=9 * num_inputs)
    return {f"{name}_kernel": kernel, **normalization(name, num_channels)}


@final
@dataclass(frozen=True)
class SizeCell(Block):
    """The cell that is best on CIFAR-100: five convolutions and a skip connection.

    The skip connection is an identity if the widths are equal, and a normalized 1x1 convolution otherwise.

    Attributes:
        may_project: whether the widths may differ; if so, there are arrays of such a convolution.
    """

    num_inputs: int
    num_channels: int
    num_pixels: int
    may_project: bool

    def parameters(self) -> dict[str, Values]:
        found: dict[str, Values] = {}
        for name in CONVOLUTIONS:
            found |= _convolution(name, self._width(name), self.num_channels)
        if self.may_project:
            kernel = he_normal(self.num_inputs, self.num_channels, fan_in=self.num_inputs)
            found |= {f"{SKIP}_kernel": kernel, **normalization(SKIP, self.num_channels)}
        return found

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        """Returns the feature maps after the cell, the sum at its last node."""
        skipped, nodes = self._skip(x, scope), [x]
        for target in range(1, 4):
            terms = []
            for source, node in enumerate(nodes):
                name = f"{source}-{target}"
                if name == SKIP:
                    terms.append(skipped)
                else:
                    rectified = scope.rectify(node, inputs=not source)
                    terms.append(scope.normalize(name, convolution.convolve(rectified, scope[f"{name}_kernel"])))
            nodes.append(sum(terms[1:], terms[0]))
        return nodes[-1]

    def num_flops(self) -> int:
        taps = sum(9 * self._width(name) for name in CONVOLUTIONS) + self.num_inputs * self.may_project
        return taps * self.num_channels * self.num_pixels

    def _width(self, name: str) -> int:
        return self.num_inputs if reads_input(name) else self.num_channels

    def _skip(self, x: jax.Array, scope: Scope) -> jax.Array:
        if not self.may_project:
            return x
        projected = scope.normalize(SKIP, convolution.convolve_pointwise(x, scope[f"{SKIP}_kernel"]))
        if scope.live is None or scope.live_inputs is None:
            return projected
        return jnp.where(scope.live.sum() == scope.live_inputs.sum(), x, projected)


@final
@dataclass(frozen=True)
class Reduction(Block):
    """A residual block that halves the resolution: two convolutions, plus an average pooling and a 1x1 convolution.

    Attributes:
        num_pixels: the number of pixels of an image after the block.
    """

    num_inputs: int
    num_channels: int
    num_pixels: int

    def parameters(self) -> dict[str, Values]:
        return {
            **_convolution("a", self.num_inputs, self.num_channels),
            **_convolution("b", self.num_channels, self.num_channels),
            "shortcut_kernel": he_normal(self.num_inputs, self.num_channels, fan_in=self.num_inputs),
        }

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        y = convolution.convolve(scope.rectify(x, inputs=True), scope["a_kernel"], stride=2)
        y = scope.rectify(scope.normalize("a", y))
        y = scope.normalize("b", convolution.convolve(y, scope["b_kernel"]))
        shortcut = convolution.convolve_pointwise(feature_maps.halve(x), scope["shortcut_kernel"])
        return y + scope.show(LINEAR, scope.masked(shortcut))

    def num_flops(self) -> int:
        return (10 * self.num_inputs + 9 * self.num_channels) * self.num_channels * self.num_pixels


@final
@dataclass(frozen=True)
class Head(Block):
    """Normalization, a rectifier, the mean over pixels and a linear map."""

    num_inputs: int
    num_outputs: int

    def parameters(self) -> dict[str, Values]:
        kernel = Values((self.num_inputs, self.num_outputs), self.num_inputs**-0.5)
        return {
            **normalization("norm", self.num_inputs),
            "output_kernel": kernel,
            "offset": Values((self.num_outputs,)),
        }

    def compute(self, x: jax.Array, scope: Scope) -> jax.Array:
        """Returns the outputs [N, K]."""
        x = scope.batch_norm("norm", scope.show(NORM, x))
        features = scope.rectify(scope.show(FEATURES, x)).mean((1, 2))
        scope.live = None
        outputs = scope["output_kernel"].T @ features
        return scope.show(LINEAR, outputs[:, None, None], OUTPUT)[:, 0, 0].T + scope["offset"]

    def num_flops(self) -> int:
        return (self.num_inputs + 1) * self.num_outputs
