"""One edge of a cell whose operation is traced: every operation of the space in one program, of which only the
chosen one runs.

The arrays of an edge are in two vectors, long enough for any of the operations; each operation reads its own arrays
from the front. Many operations that share parts, such as an activation, a convolution and a normalization, are chosen
part by part: three small switches, one after another, compile in a fraction of the time of a large one.
"""

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.layers.base import Activated, Operation

MOST_ALONE = 12
"""Up to that many operations each have a separate branch."""


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

    branches = [functools.partial(packed, operation) for operation in operations]
    if len(operations) <= MOST_ALONE:
        return jax.lax.switch(index, branches)
    return part([operation.init for operation in operations]).switch(lambda first: branches[first](), index)


@functools.cache
def have_parameters(operations: tuple[Operation, ...]) -> np.ndarray:
    """Returns which operations have parameters, bool[K]."""
    return np.asarray([bool(array_shapes(operation, 1)[0]) for operation in operations])


def shared_slots(operations: tuple[Operation, ...]) -> np.ndarray:
    """Returns which of the K' arrays of an edge of a supernet each operation reads, int[K]; 0 for one without."""
    with_parameters = have_parameters(operations)
    return np.where(with_parameters, np.cumsum(with_parameters) - 1, 0)


def init_shared_edge(operations: tuple[Operation, ...], num_channels: int, key: jax.Array) -> jax.Array:
    """Returns the initial vectors of the K' operations with parameters on an edge of a supernet, float32[K', P]."""
    size = slot_sizes(operations, num_channels)[0]
    with_parameters = [each for each, has in zip(operations, have_parameters(operations), strict=True) if has]
    keys = jax.random.split(key, max(len(with_parameters), 1))
    arrays = [operation.arrays(own, num_channels)[0] for operation, own in zip(with_parameters, keys, strict=False)]
    return jnp.stack([pack(each, size) for each in arrays]) if arrays else jnp.zeros((1, size))


def marked(parts: Sequence[tuple[bool, jax.ShapeDtypeStruct]], size: int) -> np.ndarray:
    """Returns 1 in a vector for each number of the arrays that are marked, float32[size]."""
    found = np.zeros(size, np.float32)
    end = 0
    for is_marked, shape in parts:
        start, end = end, end + int(np.prod(shape.shape))
        found[start:end] = is_marked
    return found


@functools.cache
def traced_edge(operations: tuple[Operation, ...], num_channels: int, train: bool) -> Callable:
    """Returns `(index, x, parameters, statistics) -> (y, statistics)` on packed vectors.

    The backward pass keeps the inputs and the result of the operation's `linear` part, and runs the rest again: by
    itself, differentiation would store the residuals of every operation on every edge. Under `jax.vmap` with an
    unbatched index, the branches remain branches.
    """
    run, pull_back = (_whole if len(operations) <= MOST_ALONE else _by_parts)(operations, num_channels, train)

    @jax.custom_vjp
    def edge(
        index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        return run(index, x, parameters, statistics)[:2]

    def forward(
        index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
        y, changed, kept = run(index, x, parameters, statistics)
        return (y, changed), (index, x, parameters, statistics, kept)

    def backward(
        residuals: tuple[jax.Array, ...], gradients: tuple[jax.Array, jax.Array]
    ) -> tuple[np.ndarray, jax.Array, jax.Array, jax.Array]:
        index, *inputs = residuals
        gradient_x, gradient_parameters = pull_back(index, *inputs, gradients[0])
        return np.zeros(jnp.shape(index), jax.dtypes.float0), gradient_x, gradient_parameters, jnp.zeros_like(inputs[2])

    edge.defvjp(forward, backward)
    return edge


def _whole(operations: tuple[Operation, ...], num_channels: int, train: bool) -> tuple[Callable, Callable]:
    """Returns the forward and the backward pass by one switch of all operations."""
    pairs = [(operation, array_shapes(operation, num_channels)) for operation in operations]
    forwards = [functools.partial(_forward, *pair, train) for pair in pairs]
    backwards = [functools.partial(_backward, *pair, train) for pair in pairs]
    return (
        lambda index, *arrays: jax.lax.switch(index, forwards, *arrays),
        lambda index, *arrays: jax.lax.switch(index, backwards, *arrays),
    )


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


class Part(NamedTuple):
    """The parts that operations share: the number of each operation's part, and the first operation of each part."""

    numbers: np.ndarray
    firsts: list[int]

    def switch(self, function: Callable, index: jax.Array, *arrays: jax.Array) -> Any:
        """Returns `function(first, *arrays)` of the first of those that share their part with operation `index`."""
        branches = [functools.partial(function, first) for first in self.firsts]
        return jax.lax.switch(self.of(index), branches, *arrays)

    def of(self, index: jax.Array) -> jax.Array:
        """Returns the number of the part of an operation."""
        return jnp.asarray(self.numbers)[index]


def part(keys: Sequence[Hashable]) -> Part:
    """Returns the part of each operation, the same for equal keys."""
    distinct = list(dict.fromkeys(keys))
    return Part(np.asarray([distinct.index(key) for key in keys], np.int32), [keys.index(key) for key in distinct])


def _key(shapes: dict) -> Hashable:
    return tuple((name, *shapes[name].shape) for name in sorted(shapes))


class Steps(NamedTuple):
    """Operations step by step: an activation, a linear map and the rest, and the operations that share each of them.

    Attributes:
        activations: the activation of each operation, None if its linear map has none.
        mapping, following: the parts of linear maps and of the rest.
        enter: `(first, x) -> x`, the activation.
        map_linearly: `(first, x, parameters) -> z`.
        follow: `(first, z, parameters, statistics) -> (y, statistics)`, on packed vectors.
    """

    activations: list[Callable | None]
    mapping: Part
    following: Part
    enter: Callable
    map_linearly: Callable
    follow: Callable


def steps_of(operations: tuple[Operation, ...], num_channels: int, train: bool) -> Steps:
    """Returns the `Steps` of operations."""
    shapes = [array_shapes(operation, num_channels) for operation in operations]
    split = [
        (each.linear.activation, each.linear.linear, each.linear.kernel)
        if isinstance(each.linear, Activated)
        else (None, each.linear, None)
        for each in operations
    ]
    rest = [  # the arrays that the last part reads, from the front
        {name: shape for name, shape in own.items() if name != kernel or kernel != max(own)}
        for (*_, kernel), (own, _) in zip(split, shapes, strict=True)
    ]
    mapping = part([(linear, linear and _key(own)) for (_, linear, _), (own, _) in zip(split, shapes, strict=True)])
    following = part(
        [(each.apply, _key(own), _key(used)) for each, own, (_, used) in zip(operations, rest, shapes, strict=True)]
    )

    def enter(first: int, x: jax.Array) -> jax.Array:
        activation = split[first][0]
        return activation(x) if activation else x

    def map_linearly(first: int, x: jax.Array, parameters: jax.Array) -> jax.Array:
        linear = split[first][1]
        return linear(x, unpack(parameters, shapes[first][0])) if linear else x

    def follow(first: int, z: jax.Array, parameters: jax.Array, statistics: jax.Array) -> tuple[jax.Array, jax.Array]:
        arrays = unpack(parameters, rest[first]), unpack(statistics, shapes[first][1])
        y, changed = operations[first].apply(z, *arrays, train)
        return y, pack(changed, statistics.size)

    return Steps([activation for activation, *_ in split], mapping, following, enter, map_linearly, follow)


def _by_parts(operations: tuple[Operation, ...], num_channels: int, train: bool) -> tuple[Callable, Callable]:
    """Returns the forward and the backward pass by a switch of activations, one of linear maps and one of the rest."""
    activations, mapping, following, enter, map_linearly, follow = steps_of(operations, num_channels, train)
    entering = part(activations)

    def run(
        index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        z = mapping.switch(map_linearly, index, entering.switch(enter, index, x), parameters)
        return *following.switch(follow, index, z, parameters, statistics), z

    def pull_back(index: jax.Array, *kept: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, parameters, statistics, z, gradient = kept
        after = _pulled(lambda first, z, parameters: follow(first, z, parameters, statistics)[0])
        gradient, found = following.switch(after, index, gradient, z, parameters)
        entered = entering.switch(enter, index, x)
        gradient, more = mapping.switch(_pulled(map_linearly), index, gradient, entered, parameters)
        return *entering.switch(_pulled(enter), index, gradient, x), found + more

    return run, pull_back


def _pulled(function: Callable) -> Callable:
    """Returns `(first, gradient, *arrays) -> gradients` of a function of a part's first operation and arrays."""
    return lambda first, gradient, *arrays: jax.vjp(functools.partial(function, first), *arrays)[1](gradient)
