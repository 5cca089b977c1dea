"""DARTS's cells as a kind of network: how they are initialized, applied, trained and sized."""

import jax.numpy as jnp

from jaxnas.spaces.darts.network import DARTSNetwork, Stack, blocks, used_blocks
from jaxnas.spaces.darts.shared import SHARED
from jaxnas.spaces.darts.space import DARTSSpace
from jaxnas.spaces.darts.traced import apply, init, kernels, places, tapped
from jaxnas.spaces.layers.blocks import slot_sizes, unpack
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Family, Size, Variables
from jaxnas.training.loop import sequential_plan


def module(
    space: DARTSSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> DARTSNetwork:
    """Returns the network of an architecture with the arrays of a traced one, or with zeros."""
    made = blocks(config.network, spec)
    if variables is None:
        sizes = zip(*(slot_sizes(slot) for slot, _ in places(config, spec, arch)), strict=True)
        variables = Variables(*([jnp.zeros(size) for size in kind] for kind in sizes))
    arrays = [
        (unpack(parameters, block.parameters()), unpack(statistics, block.statistics()))
        for block, parameters, statistics in zip(used_blocks(made, arch), *variables, strict=True)
    ]
    return DARTSNetwork(arch, made, arrays)


def size(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of the network of an architecture."""
    used = used_blocks(blocks(config.network, spec), tuple(map(int, arch)))
    return Size(sum(block.num_parameters for block in used), sum(block.num_flops() for block in used))


FAMILY = Family(
    config=TrainConfig(network=Stack(), learning_rate=0.1),
    inputs=("images",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("scan-sequential-1", init, apply)},
    tapped=tapped,
    shared=SHARED,
)
