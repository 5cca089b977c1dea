"""How networks of pooled images are made and trained."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from helpers.third_kind.space import POOLS, WIDTHS

from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Networks, Size, Variables
from jaxnas.training.recorder import SILENT


def _pooled(size, images):
    """Returns the means over blocks, repeated so that the shape does not depend on the size of blocks."""
    height, width = images.shape[1] // size * size, images.shape[2] // size * size
    blocks = images[:, :height, :width].reshape(len(images), height // size, size, width // size, size, -1)
    means = blocks.mean((2, 4)).repeat(size, 1).repeat(size, 2)
    return jnp.zeros_like(images).at[:, :height, :width].set(means).reshape(len(images), -1)


class PoolNetwork(nnx.Module):
    """The network of one architecture."""

    def __init__(self, arch, parameters):
        width = WIDTHS[arch[1]]
        self.pool, self.rectifier = POOLS[arch[0]], bool(arch[2])
        self.hidden, self.last = nnx.Param(parameters["hidden"][:, :width]), nnx.Param(parameters["last"][:width])

    def __call__(self, images):
        x = _pooled(self.pool, images) @ self.hidden[...]
        return (jax.nn.relu(x) if self.rectifier else x) @ self.last[...]


class PoolNetworks(Networks):
    """The networks of a space of pooled images."""

    inputs, default = ("images",), TrainConfig(num_epochs=3, batch_size=16)
    plans: ClassVar = {"sequential": sequential_plan("pooled-1")}

    def _num_inputs(self):
        return self.spec.shape[0] * self.spec.shape[1] * self.spec.shape[2]

    def init(self, key, arch):
        num_inputs, keys = self._num_inputs(), jax.random.split(key)
        hidden = jax.random.normal(keys[0], (num_inputs, WIDTHS[-1])) / num_inputs**0.5
        last = 0.3 * jax.random.normal(keys[1], (WIDTHS[-1], self.spec.num_outputs))
        return Variables({"hidden": hidden, "last": last})

    def apply(self, variables, choice, inputs, *, mode, recorder=SILENT):
        pools = [lambda images, size=size: _pooled(size, images) for size in POOLS]
        x = jax.lax.switch(choice[0], pools, inputs) @ variables.parameters["hidden"]
        live = jnp.arange(WIDTHS[-1]) < jnp.asarray(WIDTHS)[choice[1]]
        return Applied((jnp.where(choice[2], jax.nn.relu(x), x) * live) @ variables.parameters["last"])

    def module(self, arch, variables):
        return PoolNetwork(arch, variables.parameters)

    def size(self, arch):
        count = WIDTHS[arch[1]] * (self._num_inputs() + self.spec.num_outputs)
        return Size(count, count)
