"""How networks of pooled images are made and trained."""

import jax
import jax.numpy as jnp
from flax import nnx
from helpers.third_kind.space import POOLS, WIDTHS

from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Size, Variables
from jaxnas.training.loop import sequential_plan


def _pooled(size, images):
    """Returns the means over blocks, repeated so that the shape does not depend on the size of blocks."""
    height, width = images.shape[1] // size * size, images.shape[2] // size * size
    blocks = images[:, :height, :width].reshape(len(images), height // size, size, width // size, size, -1)
    means = blocks.mean((2, 4)).repeat(size, 1).repeat(size, 2)
    return jnp.zeros_like(images).at[:, :height, :width].set(means).reshape(len(images), -1)


def init(space, config, spec, arch, key):
    num_inputs = spec.shape[0] * spec.shape[1] * spec.shape[2]
    keys = jax.random.split(key)
    hidden = jax.random.normal(keys[0], (num_inputs, WIDTHS[-1])) / num_inputs**0.5
    return Variables({"hidden": hidden, "last": 0.3 * jax.random.normal(keys[1], (WIDTHS[-1], spec.num_outputs))})


def apply(space, config, spec, arch, variables, inputs, *, mode):
    pools = [lambda images, size=size: _pooled(size, images) for size in POOLS]
    x = jax.lax.switch(arch[0], pools, inputs) @ variables.parameters["hidden"]
    x = jnp.where(arch[2], jax.nn.relu(x), x) * (jnp.arange(WIDTHS[-1]) < jnp.asarray(WIDTHS)[arch[1]])
    return Applied(x @ variables.parameters["last"])


class PoolNetwork(nnx.Module):
    """The network of one architecture."""

    def __init__(self, arch, parameters):
        width = WIDTHS[arch[1]]
        self.pool, self.rectifier = POOLS[arch[0]], bool(arch[2])
        self.hidden, self.last = nnx.Param(parameters["hidden"][:, :width]), nnx.Param(parameters["last"][:width])

    def __call__(self, images):
        x = _pooled(self.pool, images) @ self.hidden[...]
        return (jax.nn.relu(x) if self.rectifier else x) @ self.last[...]


def module(space, config, spec, arch, variables):
    variables = variables or init(space, config, spec, arch, jax.random.key(0))
    return PoolNetwork(arch, variables.parameters)


def size(space, config, spec, arch):
    count = WIDTHS[arch[1]] * (spec.shape[0] * spec.shape[1] * spec.shape[2] + spec.num_outputs)
    return Size(count, count)


FAMILY = Family(
    config=TrainConfig(num_epochs=3, batch_size=16),
    inputs=("images",),
    init=init,
    apply=apply,
    kernels=None,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("pooled-1", init, apply)},
)
