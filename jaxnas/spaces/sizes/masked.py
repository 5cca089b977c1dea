"""All networks of a space of widths computed at the largest ones, where masks keep the channels beyond an
architecture's at 0: its numbers are those of the narrow network.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers.blocks import KERNEL, UNSEEN, Scope, Seen, Values
from jaxnas.spaces.sizes.blocks import reads_input
from jaxnas.spaces.sizes.network import blocks, live_channels, pairs
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Kernels, Variables
from jaxnas.training.taps import BLOCK, Tap

Live = tuple[jax.Array | None, jax.Array | None]


def init(space: SizeSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of an architecture: a dict of parameters and one of statistics for each block.

    Kernels have the variance that the narrow network's have, and zeros beyond it.
    """
    made, live = blocks(space, config.network, spec, None), live_channels(space, config.network, arch)
    parameters, statistics = [], []
    for number, (block, around) in enumerate(zip(made, pairs(live), strict=True)):
        key_of = {name: jax.random.fold_in(key, 100 * number + each) for each, name in enumerate(block.parameters())}
        parameters.append(
            {name: _initial(name, values, around, key_of[name]) for name, values in block.parameters().items()}
        )
        normal = block.statistics().items()
        statistics.append({name: jnp.full(each.shape, each.mean, jnp.float32) for name, each in normal})
    return Variables(parameters, statistics)


def _initial(name: str, values: Values, around: Live, key: jax.Array) -> jax.Array:
    if not name.endswith(KERNEL):
        return jnp.full(values.shape, values.mean, jnp.float32)
    mask, inputs = _kernel_mask(name, values, around)
    factor = 1.0 if inputs is None else jnp.sqrt(values.shape[-2] / inputs.sum())
    noise = jax.random.normal(key, (values.size,)).reshape(values.shape)  # drawn flat: quicker to compile
    return jnp.where(mask, values.deviation * factor * noise, 0)


def _kernel_mask(name: str, values: Values, around: Live) -> tuple[jax.Array, jax.Array | None]:
    """Returns which numbers of a kernel [..., inputs, outputs] are live, and which of its inputs are."""
    before, after = around
    inputs = before if reads_input(name) else after
    outputs = None if name.startswith("output") else after
    mask = jnp.ones(values.shape, bool)
    if inputs is not None:
        mask &= inputs[:, None]
    return (mask if outputs is None else mask & outputs), inputs


def _computed(
    space: SizeSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    train: bool,
    seen: Seen,
) -> tuple[jax.Array, list[dict]]:
    """Returns the logits, and the statistics after them."""
    x, changed = jnp.transpose(inputs, (3, 1, 2, 0)), []
    made = blocks(space, config.network, spec, None)
    live = live_channels(space, config.network, arch)
    each = zip(made, pairs(live), variables.parameters, variables.statistics, strict=True)
    for number, (block, around, parameters, statistics) in enumerate(each):
        scope = Scope(parameters, statistics, train, seen)
        scope.live_inputs, scope.live = around
        x = block.compute(x, scope)
        if number < len(made) - 1:
            x = seen(BLOCK, x, number, around[1])
        changed.append(scope.changed)
    return x, changed


def apply(
    space: SizeSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
    return Applied(*_computed(space, config, spec, arch, variables, inputs, mode == "train", UNSEEN))


def tapped(
    space: SizeSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the logits [N, K] of images [N, H, W, C], and what a tap found."""
    seen = Seen(tap, len(inputs))
    outputs, _ = _computed(space, config, spec, arch, variables, inputs, mode == "train", seen)
    return outputs, seen.statistics


def kernels(space: SizeSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture; layers are numbered from the input on.

    A skip connection between layers of one width is an identity, whose kernel does not live.
    """
    live, layers, number = [], [], 0
    around = pairs(live_channels(space, config.network, arch))
    for block, (before, after) in zip(blocks(space, config.network, spec, None), around, strict=True):
        mask_of: dict[str, jax.Array] = {}
        layer_of: dict[str, jax.Array] = {}
        for name, values in block.parameters().items():
            mask = jnp.zeros(values.shape, bool)
            if name.endswith(KERNEL):
                mask = _kernel_mask(name, values, (before, after))[0]
                if name.startswith("0-3") and before is not None and after is not None:
                    mask &= before.sum() != after.sum()
                number += 1
            mask_of[name] = mask.astype(jnp.float32)
            layer_of[name] = jnp.where(mask, number - 1, -1).astype(jnp.int32)
        live.append(mask_of)
        layers.append(layer_of)
    return Kernels(live, layers, number)
