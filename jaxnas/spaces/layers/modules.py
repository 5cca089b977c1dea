"""Flax modules that the networks of several kinds are made of."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

MOMENTUM = 0.9


class Layer(nnx.Module):
    """A pure function `(x, parameters, statistics, train) -> (y, statistics)` and the arrays it is called with."""

    def __init__(self, apply: Callable, parameters: dict, statistics: dict):
        self.apply = apply
        self.parameters = nnx.Dict({name: nnx.Param(value) for name, value in parameters.items()})
        self.statistics = nnx.Dict({name: nnx.BatchStat(value) for name, value in statistics.items()})

    def __call__(self, x: jax.Array, train: bool, momentum: float | jax.Array) -> jax.Array:
        parameters = {name: variable[...] for name, variable in self.parameters.items()}
        statistics = {name: variable[...] for name, variable in self.statistics.items()}
        y, changed = self.apply(x, parameters, statistics, train)
        if train:
            for name, value in changed.items():
                self.statistics[name].set_value(momentum * statistics[name] + (1 - momentum) * value)
        return y


class LayerChain(nnx.Module):
    """The network of one architecture, layer after layer: `network(images, train=False) -> logits`.

    Attributes:
        parts: a `Layer` for the stem, each block and the head.
    """

    def __init__(self, arch: tuple[int, ...], functions: Sequence[Callable], arrays: Sequence[tuple[dict, dict]]):
        """Makes the network of blocks with the parameters and the statistics of each."""
        self.arch = arch
        self.parts = nnx.List([Layer(apply, *each) for apply, each in zip(functions, arrays, strict=True)])

    def __call__(self, x: jax.Array, train: bool = False, momentum: float | jax.Array = MOMENTUM) -> jax.Array:
        """Returns the logits [N, K] of images [N, H, W, C]; in training, running averages move by 1 - momentum."""
        x = jnp.transpose(x, (3, 1, 2, 0))
        for part in self.parts:
            x = part(x, train, momentum)
        return x
