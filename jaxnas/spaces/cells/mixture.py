"""The cell of a supernet that runs a mixture: the output of an edge is the weighted sum over all operations.

Edges from one node are mapped together: their convolutions are one product.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells import edges
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import feature_maps, nasbench
from jaxnas.spaces.layers.base import ZERO, Operation

_DENSE = (nasbench.NOR_CONV_1X1.linear, nasbench.NOR_CONV_3X3.linear)
"""Linear parts whose kernels, joined along their last axis, give the channels of each one below another."""


def mixture_cell(space: CellSpace, weights: jax.Array, scale: jax.Array | None, partial: int) -> Callable:
    """Returns `(x, parameters [E, K', P], statistics) -> (y, None)` of a cell by the weights [E, K] of its operations.

    Edges that no path of weights other than 0 reaches count as dead, as in a network of one architecture. With partial
    channels an edge mixes the first part of its input's channels and passes the others on, and the channels of all
    parts are interleaved (Xu et al., ICLR 2020). `scale` [E] multiplies the whole output of an edge.
    """
    weights = _reachable(space, weights)

    def cell(x: jax.Array, shared: jax.Array, statistics: None) -> tuple[jax.Array, None]:
        nodes: list[Any] = [x] + [None] * (space.num_nodes - 1)
        for source in range(space.num_nodes - 1):
            numbers = np.asarray([number for number, edge in enumerate(space.edges) if edge[0] == source])
            nodes[source] = _written(nodes[source]) if source else x
            head = nodes[source][: len(x) // partial]
            mixed = _mixed(space.operations, head, shared[numbers], weights[numbers])
            for number, y in zip(numbers, mixed, strict=True):
                y, target = _with_rest(y, nodes[source], partial), space.edges[number][1]
                y = y if scale is None else scale[number] * y
                nodes[target] = y if nodes[target] is None else nodes[target] + y
        return _written(nodes[-1]), None

    return cell


def _mixed(operations: tuple[Operation, ...], x: jax.Array, shared: jax.Array, weights: jax.Array) -> list[jax.Array]:
    """Returns the outputs of each of B edges from one node, from arrays [B, K', P] and weights [B, K]."""
    slot_of = edges.shared_slots(operations)
    totals: list[Any] = [jnp.zeros_like(x)] * len(weights)
    for choice, operation in enumerate(operations):
        if operation.role == ZERO:
            continue
        shapes = edges.array_shapes(operation, len(x))
        statistics = edges.unpack(jnp.zeros(edges.num_values(shapes[1]), x.dtype), shapes[1])
        if shapes[0]:
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
    """Returns the normalized convolution on each of B edges from one node, times weights [B].

    The kernels of all edges form one convolution with B times the channels. Its gradient of x is one product; the
    gradients of separate edges would be written to memory before they are added up. The weight is a factor of the
    normalization's scale: normalized values are then added up without being written to memory before.
    """
    arrays = jax.vmap(functools.partial(edges.unpack, shapes=shapes))(vectors)
    arrays |= {name: weights[:, None] * arrays[name] for name in ("scale", "bias")}
    joined = {name: jnp.moveaxis(each, 0, -2).reshape(*each.shape[1:-1], -1) for name, each in arrays.items()}
    return operation(x, joined, statistics, True)[0].reshape(len(weights), *x.shape)


def _separate(
    operation: Operation, shapes: dict, statistics: dict, x: jax.Array, vectors: jax.Array, weights: jax.Array
) -> jax.Array:
    """Returns the output of an operation with separate arrays on each of B edges from one node, times weights [B]."""

    def apply(vector: jax.Array, weight: jax.Array) -> jax.Array:
        return weight * operation(x, edges.unpack(vector, shapes), statistics, True)[0]

    return jax.vmap(apply)(vectors, weights)


def _written(x: jax.Array) -> jax.Array:
    """Returns x [C, H, W, N] as the result of a product, which XLA's CPU back end writes to memory.

    It recomputes a sum in each place that reads it, with all of the sum's inputs, and its gradient likewise.
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
