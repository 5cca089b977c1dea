"""Networks of a width for each layer as a kind: how they are initialized, applied, trained and sized."""

import jax
import jax.numpy as jnp

from jaxnas.spaces.sizes.masked import apply, init, kernels, tapped
from jaxnas.spaces.sizes.network import SizeNetwork, Widths, blocks, sliced
from jaxnas.spaces.sizes.shared import SHARED
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Family, Size, Variables
from jaxnas.training.loop import sequential_plan


def module(
    space: SizeSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> SizeNetwork:
    """Returns the network of an architecture with the arrays of a traced one, or with those that it starts from."""
    if variables is None:
        variables = init(space, config, spec, jnp.asarray(arch), jax.random.key(0))
    own = blocks(space, config.network, spec, arch)
    each = zip(blocks(space, config.network, spec, None), own, *variables, strict=True)
    arrays = [
        (sliced(whole, block, parameters, 0), sliced(whole, block, statistics, 1))
        for whole, block, parameters, statistics in each
    ]
    return SizeNetwork(arch, own, arrays)


def size(space: SizeSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of the network of an architecture."""
    own = blocks(space, config.network, spec, tuple(map(int, arch)))
    return Size(sum(block.num_parameters for block in own), sum(block.num_flops() for block in own))


FAMILY = Family(
    config=TrainConfig(network=Widths()),
    inputs=("images",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("masked-sequential-1", init, apply)},
    tapped=tapped,
    shared=SHARED,
)
