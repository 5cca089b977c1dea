"""The supernet of networks of a width for each layer: a narrower layer is the first channels of the widest one (Yu et
al., "Slimmable Neural Networks", ICLR 2019), by the masks with which these networks are trained alone.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.layers.blocks import KERNEL
from jaxnas.spaces.sizes import masked
from jaxnas.spaces.sizes.network import blocks
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Gates, Shared, Variables

_FIXED = ("scale", "bias")
"""How the names of arrays end that batch normalization has besides its statistics."""


def init(space: SizeSpace, config: TrainConfig, spec: TaskSpec, key: jax.Array, partial: int = 1) -> list[dict]:
    """Returns the initial parameters of the widest network, a dict for each block.

    Raises ValueError on partial channels, which widths do not have.
    """
    if partial != 1:
        raise ValueError(f"Expected whole layers of a space of widths, got {partial} parts of channels.")
    return masked.init(space, config, spec, _widest(space), key).parameters


def _widest(space: SizeSpace) -> jax.Array:
    return jnp.full(space.num_layers, int(np.argmax(space.channels)), jnp.int32)


def path(
    space: SizeSpace,
    config: TrainConfig,
    spec: TaskSpec,
    parameters: list[dict],
    arch: jax.Array,
    inputs: jax.Array,
    gates: Gates | None = None,
) -> jax.Array:
    """Returns the logits [N, K] of images [N, H, W, C] by one architecture. Widths have no gates: they are ignored."""
    statistics = [
        {name: jnp.full(each.shape, each.mean) for name, each in block.statistics().items()}
        for block in blocks(space, config.network, spec, None)
    ]
    return masked.apply(space, config, spec, arch, Variables(parameters, statistics), inputs, mode="train").outputs


def trained(space: SizeSpace, config: TrainConfig, spec: TaskSpec, partial: int = 1) -> list[dict]:
    """Returns 1 for the parameters that are trained, 0 for scales and biases of batch normalization."""
    return [
        {name: np.float32(not name.endswith(_FIXED)) for name in block.parameters()}
        for block in blocks(space, config.network, spec, None)
    ]


def used(space: SizeSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> list[dict[str, Any]]:
    """Returns 1 for the parameters that an architecture uses: of kernels, those of live channels."""
    live = masked.kernels(space, config, spec, arch).live
    return [{name: mask if name.endswith(KERNEL) else jnp.ones(()) for name, mask in masks.items()} for masks in live]


SHARED = Shared(init, path, None, trained, used, None)
