"""Chains of blocks as a kind of network: how they are initialized, applied, trained and sized."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers import blocks
from jaxnas.spaces.layers.blocks import Seen, Slot, slot_sizes, tapped_slot, traced_slot
from jaxnas.spaces.macro.baselines import ChainBaselines
from jaxnas.spaces.macro.network import Chain, ChainNetwork, slots
from jaxnas.spaces.macro.space import BlockSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Size, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import BLOCK, Tap

Chains = BlockSpace | ChainBaselines


def filled(
    space: Chains, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...] | jax.Array
) -> list[tuple[Slot, int | jax.Array]]:
    """Returns the slots of a space's networks from the input on, each with the number of the architecture's block."""
    found = slots(space.stages, space.blocks, config.network, spec)
    return list(zip(found, [0, *space.layers(arch), 0], strict=True))


def init(space: Chains, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of an architecture: of each slot, a vector of parameters and one of statistics."""
    return blocks.init_slots(filled(space, config, spec, arch), key)


def apply(
    space: Chains,
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
    for (slot, choice), *arrays in zip(filled(space, config, spec, arch), *variables, strict=True):
        x, statistics = traced_slot(slot, mode == "train")(choice, x, *arrays)
        changed.append(statistics)
    return Applied(x, changed)


def tapped(
    space: Chains,
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
    all_slots = filled(space, config, spec, arch)
    each = zip(all_slots, variables.parameters, variables.statistics, strict=True)
    for number, ((slot, choice), parameters, statistics) in enumerate(each):
        x = tapped_slot(slot, choice, x, parameters, statistics, mode == "train", seen)
        x = seen(BLOCK, x, number) if number < len(all_slots) - 1 else x
    return x, seen.statistics


def kernels(space: Chains, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture's blocks; layers are numbered from the input on."""
    return blocks.kernels_of_slots(filled(space, config, spec, arch))


def module(
    space: Chains, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> ChainNetwork:
    """Returns the network of an architecture with the arrays of a traced one, or with zeros."""
    all_slots = filled(space, config, spec, arch)
    if variables is None:
        sizes = zip(*(slot_sizes(slot) for slot, _ in all_slots), strict=True)
        variables = Variables(*([jnp.zeros(size) for size in kind] for kind in sizes))
    used, arrays = [slot[choice] for slot, choice in all_slots], []
    for block, parameters, statistics in zip(used, *variables, strict=True):
        arrays.append((blocks.unpack(parameters, block.parameters()), blocks.unpack(statistics, block.statistics())))
    return ChainNetwork(arch, used, arrays)


def size(space: Chains, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of the network of an architecture."""
    used = [slot[choice] for slot, choice in filled(space, config, spec, tuple(arch))]
    return Size(sum(block.num_parameters for block in used), sum(block.num_flops() for block in used))


FAMILY = Family(
    config=TrainConfig(network=Chain(), num_epochs=8, batch_size=128, learning_rate=0.3),
    inputs=("images",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("chain-sequential-2", init, apply)},
    tapped=tapped,
    baselines="jaxnas.spaces.macro.baselines:BASELINE_CHAINS",
)
