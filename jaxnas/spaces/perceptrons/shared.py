"""The supernet of perceptrons: a narrower layer is the first units of the widest one (Yu et al., "Slimmable Neural
Networks", ICLR 2019), a shallower network its first layers.

Initializer, regularizer and dropout are not seen by it: they say how a network is trained, and all share one training.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.perceptrons.space import ACTIVATION, ACTIVATIONS, FIRST_WIDTH, MLPSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Gates, Shared


def init(space: MLPSpace, config: TrainConfig, spec: TaskSpec, key: jax.Array, partial: int = 1) -> dict[str, Any]:
    """Returns the initial parameters of the largest network: kernels with variance 2 / inputs, biases of zero.

    Raises ValueError on partial channels, which a perceptron does not have.
    """
    if partial != 1:
        raise ValueError(f"Expected whole layers of perceptrons, got {partial} parts of channels.")
    width, num_features = space.layer_widths[-1], math.prod(spec.shape)
    sizes = [num_features, *[width] * space.max_layers]
    keys = jax.random.split(key, len(sizes))
    kernels = [
        jax.random.normal(own, (fan_in, width)) * np.sqrt(2 / fan_in).astype(np.float32)
        for own, fan_in in zip(keys[:-1], sizes[:-1], strict=True)
    ]
    last = jax.random.normal(keys[-1], (width, spec.num_outputs)) / np.sqrt(width).astype(np.float32)
    biases = jnp.zeros((space.max_layers, width))
    return {"kernels": kernels, "biases": biases, "last": last, "last_bias": jnp.zeros(spec.num_outputs)}


def path(
    space: MLPSpace,
    config: TrainConfig,
    spec: TaskSpec,
    parameters: dict[str, Any],
    arch: jax.Array,
    inputs: jax.Array,
    gates: Gates | None = None,
) -> jax.Array:
    """Returns the logits [N, K] of inputs [N, ...] by one architecture. Gates are not for perceptrons, and are ignored.

    Products are scaled to the number of units that they add up, so that narrow networks begin with outputs as large.
    """
    widest = space.layer_widths[-1]
    widths = jnp.asarray(space.layer_widths)[arch[FIRST_WIDTH:]]
    functions = [ACTIVATIONS[name] for name in space.activations]
    x, units = inputs.reshape(len(inputs), -1), None
    for number in range(space.max_layers):
        scale = 1.0 if units is None else jnp.sqrt(widest / units)
        y = scale * (x @ parameters["kernels"][number]) + parameters["biases"][number]
        y = jax.lax.switch(arch[ACTIVATION], functions, y) * (jnp.arange(widest) < widths[number])
        present = number <= arch[0]
        x = y if units is None else jnp.where(present, y, x)
        units = widths[0] if units is None else jnp.where(present, widths[number], units)
    assert units is not None  # there is one layer at least
    return jnp.sqrt(widest / units) * (x @ parameters["last"]) + parameters["last_bias"]


def trained(space: MLPSpace, config: TrainConfig, spec: TaskSpec, partial: int = 1) -> dict[str, Any]:
    """Returns 1 for each of the parameters, all of which are trained."""
    one = np.float32(1)
    return {"kernels": [one] * space.max_layers, "biases": one, "last": one, "last_bias": one}


def used(space: MLPSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> dict[str, Any]:
    """Returns 1 for the parameters that an architecture uses, as arrays that broadcast with the parameters."""
    widest = space.layer_widths[-1]
    widths = jnp.asarray(space.layer_widths)[arch[FIRST_WIDTH:]]
    present = jnp.arange(space.max_layers) <= arch[0]
    units = (jnp.arange(widest) < widths[:, None]) & present[:, None]  # [L, W]
    first = jnp.ones((math.prod(spec.shape), 1), bool)
    inputs = [first, *(units[number][:, None] for number in range(space.max_layers - 1))]
    kernels = [before & units[number] for number, before in enumerate(inputs)]
    found = {"kernels": kernels, "biases": units, "last": units[arch[0]][:, None], "last_bias": jnp.bool_(True)}
    return jax.tree.map(lambda each: each.astype(jnp.float32), found)


SHARED = Shared(init, path, None, trained, used, None)
