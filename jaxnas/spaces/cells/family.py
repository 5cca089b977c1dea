"""Cells as a kind of network: how they are initialized, applied, trained and sized."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.spaces.cells import edges, taps
from jaxnas.spaces.cells.network import Network, Skeleton, specialize
from jaxnas.spaces.cells.plans import in_packs, num_seeds_together, packed_chunks
from jaxnas.spaces.cells.shared import SHARED
from jaxnas.spaces.cells.size import size
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Plan, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import Tap

KERNELS = ("kernel", "shortcut")
"""How the names of arrays end that are kernels."""


def init(space: CellSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of the traced network of an architecture."""
    network = Network(space, config.network, spec.shape, spec.num_outputs, arch, key=key)
    return Variables(*nnx.split(network, nnx.Param, nnx.BatchStat)[1:])


def apply(
    space: CellSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
    network = nnx.merge(_definition(space, config.network, spec), *variables, copy=True)
    outputs = network(inputs, arch, train=mode == "train", momentum=0.0)
    return Applied(outputs, nnx.state(network, nnx.BatchStat))


@functools.lru_cache(maxsize=64)
def _definition(space: CellSpace, skeleton: Skeleton, spec: TaskSpec) -> nnx.GraphDef:
    """Returns what a traced network is besides its arrays."""

    def make() -> Network:
        arch = jnp.zeros(len(space.decisions), jnp.int32)
        return Network(space, skeleton, spec.shape, spec.num_outputs, arch, key=jax.random.key(0))

    return nnx.split(nnx.eval_shape(make), nnx.Param, nnx.BatchStat)[0]


def kernels(space: CellSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters of the traced network are kernels of convolutions and linear maps of live edges.

    Layers are numbered in the order of the arrays; each edge of a cell is a layer.
    """
    shapes = jax.eval_shape(functools.partial(init, space, config, spec), arch, jax.random.key(0)).parameters
    arch, live, layers, num_layers = space.pruned(arch), [], [], 0
    for path, shape in jax.tree.leaves_with_path(shapes):
        keys = [getattr(entry, "key", getattr(entry, "idx", getattr(entry, "name", None))) for entry in path]
        if keys[0] == "cells":
            num_channels = config.network.num_channels << keys[1] // config.network.cells_per_stage
            is_kernel = jnp.asarray(_edge_kernels(space, num_channels, shape.shape[1]))[arch]
            numbers = num_layers + jnp.arange(len(space.edges), dtype=jnp.int32)[:, None]
        else:
            is_kernel = jnp.full(shape.shape, any(str(key).endswith(KERNELS) for key in keys), jnp.float32)
            numbers = jnp.full((1,) * len(shape.shape), num_layers, jnp.int32)
        num_layers += numbers.size
        live.append(is_kernel)
        layers.append(jnp.where(is_kernel > 0, numbers, -1))
    structure = jax.tree.structure(shapes)
    return Kernels(jax.tree.unflatten(structure, live), jax.tree.unflatten(structure, layers), num_layers)


@functools.lru_cache(maxsize=64)
def _edge_kernels(space: CellSpace, num_channels: int, num_values: int) -> np.ndarray:
    """Returns for each operation which numbers of an edge's vector are a kernel, float32[K, P]."""
    found = np.zeros((len(space.operations), num_values), np.float32)
    for number, operation in enumerate(space.operations):
        shapes = edges.array_shapes(operation, num_channels)[0]
        end = 0
        for name in sorted(shapes):  # the order in which `edges.pack` lays them down
            start, end = end, end + int(np.prod(shapes[name].shape))
            found[number, start:end] = name.endswith(KERNELS)
    return found


def tapped(
    space: CellSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the logits [N, K] of images [N, H, W, C], and what a tap found; see `jaxnas.spaces.cells.taps`."""
    network = nnx.merge(_definition(space, config.network, spec), *variables, copy=True)
    return taps.tapped(network, arch, inputs, tap, mode == "train")


def module(
    space: CellSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> Network:
    """Returns the static network of an architecture with the arrays of a traced one."""
    key = jax.random.key(0)
    if variables is None:
        return Network(space, config.network, spec.shape, spec.num_outputs, arch, key=key)
    traced = Network(space, config.network, spec.shape, spec.num_outputs, jnp.asarray(arch), key=key)
    nnx.update(traced, *variables)
    return specialize(traced, arch)


_SEQUENTIAL = sequential_plan("switch-sequential-4", init, apply, num_seeds_together)

FAMILY = Family(
    config=TrainConfig(network=Skeleton()),
    inputs=("images",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={
        "sequential": _SEQUENTIAL,
        "packed": Plan("packed-2", in_packs, _SEQUENTIAL.fit, packed_chunks, _SEQUENTIAL.precisions),
    },
    tapped=tapped,
    shared=SHARED,
)
