"""The supernet of a cell space: each operation with parameters has an array of its own on each edge, and an
architecture uses those of its operations.

A single path runs through `edges.traced_edge`, as the networks that are trained alone do. A mixture adds up what the
same operations give; edges from one node are mapped together, so that they have their convolutions in one product.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells import edges, network
from jaxnas.spaces.cells.size import fixed_size, stage_shapes
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import feature_maps, nasbench
from jaxnas.spaces.layers.base import ZERO, Operation
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Gates, Shared

_AFFINE = ("scale", "bias")
"""How the names of arrays end that batch normalization has besides its statistics."""
_DENSE = (nasbench.NOR_CONV_1X1.linear, nasbench.NOR_CONV_3X3.linear)
"""Linear parts whose kernels, joined along their last axis, give the channels of each one below another."""


def init(space: CellSpace, config: TrainConfig, spec: TaskSpec, key: jax.Array, partial: int = 1) -> dict[str, Any]:
    """Returns the initial parameters: of the stem, the reductions and the head as a network of one architecture has
    them, and for each cell float32[E, K', P], K' operations with parameters.

    Raises ValueError where the channels cannot be divided into `partial` parts.
    """
    skeleton = config.network
    if skeleton.num_channels % partial:
        raise ValueError(
            f"Expected a number of channels that {partial} divides, got {skeleton.num_channels}: with partial channels "
            "operations see one part of them."
        )
    stem_key, head_key, body_key = jax.random.split(key, 3)
    channels, reductions, cells = skeleton.num_channels, [], []
    stem = network.init_convolution(stem_key, spec.shape[2], channels)[0]
    for stage in range(skeleton.num_stages):
        stage_key = jax.random.fold_in(body_key, stage)
        if stage:
            reductions.append(network.init_reduction(stage_key, channels)[0])
            channels *= 2
        for number in range(skeleton.cells_per_stage):
            cells.append(_init_cell(space, channels // partial, jax.random.fold_in(stage_key, number)))
    head = network.init_head(head_key, channels, spec.num_outputs)[0]
    return {"stem": stem, "reductions": reductions, "cells": cells, "head": head}


def _init_cell(space: CellSpace, num_channels: int, key: jax.Array) -> jax.Array:
    size = edges.slot_sizes(space.operations, num_channels)[0]
    operations = [operation for operation in space.operations if _has_parameters(operation)]

    def init_edge(number: jax.Array) -> jax.Array:
        keys = jax.random.split(jax.random.fold_in(key, number), max(len(operations), 1))
        arrays = [operation.arrays(own, num_channels)[0] for operation, own in zip(operations, keys, strict=False)]
        return jnp.stack([edges.pack(each, size) for each in arrays]) if arrays else jnp.zeros((1, size))

    return jax.lax.map(init_edge, jnp.arange(len(space.edges)))


def _has_parameters(operation: Operation) -> bool:
    return bool(edges.array_shapes(operation, 1)[0])


@functools.cache
def slots(space: CellSpace) -> np.ndarray:
    """Returns which of the K' arrays of an edge each operation reads, int[K]; 0 for one without parameters."""
    with_parameters = np.asarray([_has_parameters(operation) for operation in space.operations])
    return np.where(with_parameters, np.cumsum(with_parameters) - 1, 0)


def path(
    space: CellSpace,
    config: TrainConfig,
    spec: TaskSpec,
    parameters: dict[str, Any],
    arch: jax.Array,
    inputs: jax.Array,
    gates: Gates | None = None,
) -> jax.Array:
    """Returns the logits [N, K] of images [N, H, W, C] by one architecture; only its operations run."""
    arch, slot_of = space.pruned(arch), jnp.asarray(slots(space))

    def cell(x: jax.Array, shared: jax.Array, num_channels: int) -> jax.Array:
        edge = edges.traced_edge(space.operations, num_channels, True)
        statistics = jnp.zeros(edges.slot_sizes(space.operations, num_channels)[1], x.dtype)
        nodes: list[Any] = [x] + [None] * (space.num_nodes - 1)
        for number, (source, target) in enumerate(space.edges):
            y, _ = edge(arch[number], nodes[source], shared[number, slot_of[arch[number]]], statistics)
            y = y if gates is None else gates.scale[number] * y + gates.offset[number]
            nodes[target] = y if nodes[target] is None else nodes[target] + y
        return nodes[-1]

    return _network(config, parameters, inputs, cell)


def mixture(
    space: CellSpace,
    config: TrainConfig,
    spec: TaskSpec,
    parameters: dict[str, Any],
    weights: jax.Array,
    inputs: jax.Array,
    partial: int = 1,
) -> jax.Array:
    """Returns the logits [N, K] of images [N, H, W, C] where each edge gives the sum of its operations by `weights`.

    What no path of weights other than 0 reaches counts as dead, as in a network of one architecture. With partial
    channels an edge mixes the first part of its input's channels and hands the others on, and the channels of all
    parts are interleaved (Xu et al., ICLR 2020).
    """
    weights = _reachable(space, weights)

    def cell(x: jax.Array, shared: jax.Array, num_channels: int) -> jax.Array:
        nodes: list[Any] = [x] + [None] * (space.num_nodes - 1)
        for source in range(space.num_nodes - 1):
            numbers = np.asarray([number for number, edge in enumerate(space.edges) if edge[0] == source])
            nodes[source] = _written(nodes[source]) if source else x
            head = nodes[source][: num_channels // partial]
            mixed = _mixed(space.operations, head, shared[numbers], weights[numbers], slots(space))
            for number, y in zip(numbers, mixed, strict=True):
                y, target = _with_rest(y, nodes[source], partial), space.edges[number][1]
                nodes[target] = y if nodes[target] is None else nodes[target] + y
        return _written(nodes[-1])

    return _network(config, parameters, inputs, cell)


def _mixed(
    operations: tuple[Operation, ...], x: jax.Array, shared: jax.Array, weights: jax.Array, slot_of: np.ndarray
) -> list[jax.Array]:
    """Returns what each of B edges from one node gives, of arrays [B, K', P] and weights [B, K]."""
    totals: list[Any] = [jnp.zeros_like(x)] * len(weights)
    for choice, operation in enumerate(operations):
        if operation.role == ZERO:
            continue
        shapes = edges.array_shapes(operation, len(x))
        statistics = edges.unpack(jnp.zeros(edges.num_values(shapes[1]), x.dtype), shapes[1])
        if _has_parameters(operation):
            joined = operation.linear in _DENSE and operation.apply is feature_maps.batch_norm
            given = operation, shapes[0], statistics, x, shared[:, slot_of[choice]], weights[:, choice]
            outputs = list((_joined if joined else _separate)(*given))
        else:
            y = operation(x, {}, statistics, True)[0]
            outputs = [weight * y for weight in weights[:, choice]]
        totals = [total + y for total, y in zip(totals, outputs, strict=True)]
    return totals


def _joined(
    operation: Operation, shapes: dict, statistics: dict, x: jax.Array, vectors: jax.Array, weights: jax.Array
) -> jax.Array:
    """Returns what a convolution and its normalization give on each of B edges from one node, times weights [B].

    The kernels of all edges are those of one convolution with B times the channels: its gradient of x is one product,
    where that of each edge would be written to memory before they are added up. The weight is a factor of the scale of
    the normalization, so that what is normalized is added up without being written to memory before.
    """
    arrays = jax.vmap(functools.partial(edges.unpack, shapes=shapes))(vectors)
    arrays |= {name: weights[:, None] * arrays[name] for name in _AFFINE}
    joined = {name: jnp.moveaxis(each, 0, -2).reshape(*each.shape[1:-1], -1) for name, each in arrays.items()}
    return operation(x, joined, statistics, True)[0].reshape(len(weights), *x.shape)


def _separate(
    operation: Operation, shapes: dict, statistics: dict, x: jax.Array, vectors: jax.Array, weights: jax.Array
) -> jax.Array:
    """Returns what an operation with arrays of its own gives on each of B edges from one node, times weights [B]."""

    def apply(vector: jax.Array, weight: jax.Array) -> jax.Array:
        return weight * operation(x, edges.unpack(vector, shapes), statistics, True)[0]

    return jax.vmap(apply)(vectors, weights)


def _written(x: jax.Array) -> jax.Array:
    """Returns x [C, H, W, N] as the result of a product, which XLA's CPU back end writes to memory.

    A sum it computes anew in each place that reads it, with all that the sum is made of, and its gradient likewise.
    """
    return (jnp.eye(len(x), dtype=x.dtype) @ x.reshape(len(x), -1)).reshape(x.shape)


def _with_rest(y: jax.Array, x: jax.Array, partial: int) -> jax.Array:
    """Returns the channels of y [C / partial, ...] and the other ones of x [C, ...], interleaved."""
    if partial == 1:
        return y
    joined = jnp.concatenate([y, x[len(y) :]])
    return joined.reshape(partial, len(y), *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)


def _reachable(space: CellSpace, weights: jax.Array) -> jax.Array:
    """Returns the weights [E, K], 0 on edges whose source no path from the input reaches."""
    passes = np.asarray([operation.role != ZERO for operation in space.operations])
    open_edges = ((weights != 0) & passes).any(1)
    reached = [jnp.asarray(node == 0) for node in range(space.num_nodes)]
    for number, (source, target) in enumerate(space.edges):
        reached[target] |= reached[source] & open_edges[number]
    return jnp.where(jnp.stack([reached[source] for source, _ in space.edges])[:, None], weights, 0)


def _network(config: TrainConfig, parameters: dict[str, Any], inputs: jax.Array, cell: Callable) -> jax.Array:
    """Returns the logits of images, given `(x, shared arrays, channels) -> y` of a cell."""
    skeleton = config.network
    x = network.apply_stem(jnp.transpose(inputs, (3, 1, 2, 0)), parameters["stem"], {}, True)[0]
    for number, shared in enumerate(parameters["cells"]):
        stage, position = divmod(number, skeleton.cells_per_stage)
        if stage and not position:
            statistics = {f"{block}_{name}": None for block in "ab" for name in ("mean", "variance")}
            x = network.apply_reduction(x, parameters["reductions"][stage - 1], statistics, True)[0]
        x = cell(x, shared, skeleton.num_channels << stage)
    return network.apply_head(x, parameters["head"], {}, True)[0]


def trained(space: CellSpace, config: TrainConfig, spec: TaskSpec, partial: int = 1) -> dict[str, Any]:
    """Returns 1 for the parameters that are trained, 0 for scales and biases of batch normalization, as a pytree."""
    shapes = jax.eval_shape(functools.partial(init, space, config, spec, partial=partial), jax.random.key(0))

    def by_name(arrays: dict) -> dict:
        return {name: np.float32(not name.endswith(_AFFINE)) for name in arrays}

    cells = [
        _trained_in_cell(space, (config.network.num_channels << number // config.network.cells_per_stage) // partial)
        for number in range(len(shapes["cells"]))
    ]
    reductions = [by_name(each) for each in shapes["reductions"]]
    return {"stem": by_name(shapes["stem"]), "reductions": reductions, "cells": cells, "head": by_name(shapes["head"])}


@functools.lru_cache(maxsize=64)
def _trained_in_cell(space: CellSpace, num_channels: int) -> np.ndarray:
    """Returns 1 for what is trained of the arrays of an edge, float32[K', P]."""
    size = edges.slot_sizes(space.operations, num_channels)[0]
    rows = []
    for operation in space.operations:
        if _has_parameters(operation):
            fixed = _AFFINE if operation.apply is feature_maps.batch_norm else ()
            shapes = edges.array_shapes(operation, num_channels)[0]
            parts = [np.full(edges.num_values({name: shapes[name]}), name not in fixed) for name in sorted(shapes)]
            values = np.concatenate(parts).astype(np.float32)
            rows.append(np.pad(values, (0, size - len(values))))
    return np.stack(rows) if rows else np.zeros((1, size), np.float32)


def used(space: CellSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> dict[str, Any]:
    """Returns 1 for the parameters that an architecture uses, 0 for those of idle operations, as a pytree."""
    arch, num_edges = space.pruned(arch), len(space.edges)
    with_parameters = np.asarray([_has_parameters(operation) for operation in space.operations])
    in_cell = jnp.zeros((num_edges, max(int(with_parameters.sum()), 1), 1))
    in_cell = in_cell.at[jnp.arange(num_edges), jnp.asarray(slots(space))[arch], 0].set(
        jnp.asarray(with_parameters, jnp.float32)[arch]
    )
    shapes = jax.eval_shape(functools.partial(init, space, config, spec), jax.random.key(0))
    return {**jax.tree.map(lambda shape: jnp.float32(1), shapes), "cells": [in_cell] * len(shapes["cells"])}


def flops(space: CellSpace, config: TrainConfig, spec: TaskSpec) -> tuple[float, np.ndarray]:
    """Returns the multiply-accumulates for one image outside the cells, and those of each operation on each edge."""
    fixed = fixed_size(config.network, spec.shape, spec.num_outputs).num_flops
    per_operation = [
        sum(config.network.cells_per_stage * operation.num_flops(*shape) for shape in stages)
        for stages in [stage_shapes(config.network, spec.shape)]
        for operation in space.operations
    ]
    return float(fixed), np.tile(np.asarray(per_operation, np.float64), (len(space.edges), 1))


SHARED = Shared(init, path, mixture, trained, used, flops)
