"""Chains of blocks as a kind of network: how they are initialised, applied, trained and sized."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces import blocks
from jaxnas.spaces.blocks import Seen, slot_sizes, tapped_slot, traced_slot
from jaxnas.spaces.macro.network import Chain, ChainNetwork, choices, slots
from jaxnas.spaces.macro.space import BlockSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Size, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import BLOCK, Tap


def init(space: BlockSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of an architecture: of each slot, a vector of parameters and one of statistics."""
    each = zip(slots(space.stages, config.network, spec), choices(arch), strict=True)
    return blocks.init_slots(each, key)


def apply(
    space: BlockSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
    x, changed = jnp.transpose(inputs, (3, 1, 2, 0)), []
    for slot, choice, *arrays in zip(slots(space.stages, config.network, spec), choices(arch), *variables, strict=True):
        x, statistics = traced_slot(slot, mode == "train")(choice, x, *arrays)
        changed.append(statistics)
    return Applied(x, changed)


def tapped(
    space: BlockSpace,
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
    x = jnp.transpose(inputs, (3, 1, 2, 0))
    seen = Seen(tap, len(inputs))
    all_slots = slots(space.stages, config.network, spec)
    each = zip(all_slots, choices(arch), variables.parameters, variables.statistics, strict=True)
    for number, (slot, choice, parameters, statistics) in enumerate(each):
        x = tapped_slot(slot, choice, x, parameters, statistics, mode == "train", seen)
        x = seen(BLOCK, x, number) if number < len(all_slots) - 1 else x
    return x, seen.statistics


def kernels(space: BlockSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture's blocks; layers are numbered from the input on."""
    each = zip(slots(space.stages, config.network, spec), choices(arch), strict=True)
    return blocks.kernels_of_slots(each)


def module(
    space: BlockSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> ChainNetwork:
    """Returns the network of an architecture with the arrays of a traced one, or with zeros."""
    all_slots = slots(space.stages, config.network, spec)
    if variables is None:
        sizes = zip(*map(slot_sizes, all_slots), strict=True)
        variables = Variables(*([jnp.zeros(size) for size in kind] for kind in sizes))
    arrays = []
    for slot, choice, parameters, statistics in zip(all_slots, choices(arch), *variables, strict=True):
        block = slot[choice]
        arrays.append((blocks.unpack(parameters, block.parameters()), blocks.unpack(statistics, block.statistics())))
    return ChainNetwork(arch, all_slots, arrays)


def size(space: BlockSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of the network of an architecture."""
    used = [
        slot[choice]
        for slot, choice in zip(slots(space.stages, config.network, spec), choices(tuple(arch)), strict=True)
    ]
    return Size(sum(block.num_parameters for block in used), sum(block.num_flops() for block in used))


FAMILY = Family(
    config=TrainConfig(network=Chain(), num_epochs=6, learning_rate=0.1),
    inputs=("images",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("chain-sequential-1", init, apply)},
    tapped=tapped,
)
