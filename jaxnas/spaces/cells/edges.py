"""One edge of a cell whose operation is traced: every operation of the space in one program, of which only the
chosen one runs.

The arrays of an edge lie in two vectors, long enough for any of the operations; each operation reads its own arrays
from the front.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells.operations.base import Operation


@functools.cache
def array_shapes(operation: Operation, num_channels: int) -> tuple[dict, dict]:
    """Returns the shapes of an operation's parameters and statistics, as two dicts of `jax.ShapeDtypeStruct`."""
    return jax.eval_shape(functools.partial(operation.arrays, num_channels=num_channels), jax.random.key(0))


def num_values(shapes: dict) -> int:
    """Returns the number of values in the arrays of these shapes."""
    return sum(int(np.prod(shape.shape)) for shape in shapes.values())


def slot_sizes(operations: tuple[Operation, ...], num_channels: int) -> tuple[int, int]:
    """Returns the lengths of the vectors that hold the parameters and the statistics of any of the operations."""
    shapes = [array_shapes(operation, num_channels) for operation in operations]
    return max(num_values(parameters) for parameters, _ in shapes), max(
        num_values(statistics) for _, statistics in shapes
    )


def pack(arrays: dict, size: int) -> jax.Array:
    """Returns the arrays one after another, in order of their names, padded with zeros to `size` values."""
    values = [arrays[name].reshape(-1) for name in sorted(arrays)]
    padding = jnp.zeros(size - sum(value.size for value in values))
    return jnp.concatenate([*values, padding])


def unpack(vector: jax.Array, shapes: dict) -> dict:
    """Returns the arrays of these shapes from the front of a vector that `pack` made."""
    names = sorted(shapes)
    sizes = [int(np.prod(shapes[name].shape)) for name in names]
    parts = jax.lax.split(vector, [*sizes, vector.size - sum(sizes)])
    return {name: part.reshape(shapes[name].shape) for name, part in zip(names, parts, strict=False)}


def init_edge(
    operations: tuple[Operation, ...], num_channels: int, index: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the initial vectors of an edge that carries operation `index`.

    Their values are the same as the operation alone would have.
    """
    sizes = slot_sizes(operations, num_channels)

    def packed(operation: Operation) -> tuple[jax.Array, jax.Array]:
        parameters, statistics = operation.arrays(key, num_channels)
        return pack(parameters, sizes[0]), pack(statistics, sizes[1])

    return jax.lax.switch(index, [functools.partial(packed, operation) for operation in operations])


@functools.cache
def traced_edge(operations: tuple[Operation, ...], num_channels: int, train: bool) -> Callable:
    """Returns `(index, x, parameters, statistics) -> (y, statistics)` on packed vectors.

    The backward pass keeps the inputs and the result of the operation's `linear` part, and runs the rest again: by
    itself, differentiation would store the residuals of every operation on every edge. Under `jax.vmap` with an
    unbatched index, the branches remain branches.
    """
    shapes = [array_shapes(operation, num_channels) for operation in operations]
    forwards = [functools.partial(_forward, *pair, train) for pair in zip(operations, shapes, strict=True)]
    backwards = [functools.partial(_backward, *pair, train) for pair in zip(operations, shapes, strict=True)]

    @jax.custom_vjp
    def edge(
        index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        return jax.lax.switch(index, forwards, x, parameters, statistics)[:2]

    def forward(
        index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
        y, changed, kept = jax.lax.switch(index, forwards, x, parameters, statistics)
        return (y, changed), (index, x, parameters, statistics, kept)

    def backward(
        residuals: tuple[jax.Array, ...], gradients: tuple[jax.Array, jax.Array]
    ) -> tuple[np.ndarray, jax.Array, jax.Array, jax.Array]:
        index, *inputs = residuals
        gradient_x, gradient_parameters = jax.lax.switch(index, backwards, *inputs, gradients[0])
        return np.zeros(jnp.shape(index), jax.dtypes.float0), gradient_x, gradient_parameters, jnp.zeros_like(inputs[2])

    edge.defvjp(forward, backward)
    return edge


def _forward(
    operation: Operation,
    shapes: tuple[dict, dict],
    train: bool,
    x: jax.Array,
    parameters: jax.Array,
    statistics: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    arrays = unpack(parameters, shapes[0])
    z = operation.linear(x, arrays) if operation.linear else x
    y, changed = operation.apply(z, arrays, unpack(statistics, shapes[1]), train)
    kept = z if operation.linear else jnp.zeros_like(x)
    return y, pack(changed, statistics.size), kept


def _backward(
    operation: Operation,
    shapes: tuple[dict, dict],
    train: bool,
    x: jax.Array,
    parameters: jax.Array,
    statistics: jax.Array,
    kept: jax.Array,
    gradient: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    def apply(z: jax.Array, arrays: dict) -> jax.Array:
        return operation.apply(z, arrays, unpack(statistics, shapes[1]), train)[0]

    arrays = unpack(parameters, shapes[0])
    z = kept if operation.linear else x
    gradient_x, gradient_arrays = jax.vjp(apply, z, arrays)[1](gradient)
    if operation.linear:
        gradient_x, more = jax.vjp(operation.linear, x, arrays)[1](gradient_x)
        gradient_arrays = jax.tree.map(jnp.add, gradient_arrays, more)
    return gradient_x, pack(gradient_arrays, parameters.size)
