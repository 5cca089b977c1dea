"""One edge of a cell with a recorder: the same computation as `edges.traced_edge`, without its custom gradients."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax

from jaxnas.spaces.cells import edges
from jaxnas.spaces.layers import feature_maps
from jaxnas.spaces.layers.base import Operation
from jaxnas.training.recorder import LINEAR, NORM, RECTIFIER, Recorder


def shown_edge(
    operations: tuple[Operation, ...],
    num_channels: int,
    train: bool,
    recorder: Recorder,
    index: jax.Array,
    x: jax.Array,
    parameters: jax.Array,
    statistics: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Returns the output of operation `index`, and its statistics unchanged; all operations have the same places."""
    numbers = list(itertools.islice(recorder.numbers, 3))
    run = _alone if len(operations) <= edges.MOST_ALONE else _by_parts
    y, found = run(operations, num_channels, train, recorder, numbers)(index, x, parameters, statistics)
    recorder.add(found)
    return y, statistics


def _alone(
    operations: tuple[Operation, ...], num_channels: int, train: bool, recorder: Recorder, numbers: list[int]
) -> Callable:
    """Returns `(index, x, parameters, statistics) -> (y, statistics of taps)` by one switch of all operations."""

    def run(operation: Operation, inside: Recorder, x: jax.Array, *vectors: jax.Array) -> jax.Array:
        shapes = edges.array_shapes(operation, num_channels)
        parameters, statistics = (edges.unpack(vector, own) for vector, own in zip(vectors, shapes, strict=True))
        x = inside(RECTIFIER, x, numbers[0]) if operation.rectifies else x
        z = inside(LINEAR, operation.linear(x, parameters), numbers[1]) if operation.linear else x
        z = inside(NORM, z, numbers[2]) if operation.apply is feature_maps.batch_norm else z
        return operation.apply(z, parameters, statistics, train)[0]

    branches = recorder.branches([functools.partial(run, operation) for operation in operations])
    return lambda index, *arrays: jax.lax.switch(index, branches, *arrays)


def _by_parts(
    operations: tuple[Operation, ...], num_channels: int, train: bool, recorder: Recorder, numbers: list[int]
) -> Callable:
    """Returns the result of `_alone`, by switches of activations, of linear maps and of the rest, as in training."""
    steps = edges.steps_of(operations, num_channels, train)
    entering = edges.part([(each, own.rectifies) for each, own in zip(steps.activations, operations, strict=True)])

    def enter(inside: Recorder, first: int, x: jax.Array) -> jax.Array:
        return steps.enter(first, inside(RECTIFIER, x, numbers[0]) if operations[first].rectifies else x)

    def map_linearly(inside: Recorder, first: int, x: jax.Array, parameters: jax.Array) -> jax.Array:
        z = steps.map_linearly(first, x, parameters)
        return inside(LINEAR, z, numbers[1]) if operations[first].linear else z

    def follow(inside: Recorder, first: int, z: jax.Array, parameters: jax.Array, statistics: jax.Array) -> jax.Array:
        z = inside(NORM, z, numbers[2]) if operations[first].apply is feature_maps.batch_norm else z
        return steps.follow(first, z, parameters, statistics)[0]

    entered, mapped, followed = recorder.branches([enter, map_linearly, follow])

    def run(index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array) -> tuple[jax.Array, Any]:
        x, of_activation = entering.switch(entered, index, x)
        z, of_map = steps.mapping.switch(mapped, index, x, parameters)
        y, of_rest = steps.following.switch(followed, index, z, parameters, statistics)
        return y, jax.tree.map(lambda one, *others: one + sum(others[1:], others[0]), of_activation, of_map, of_rest)

    return run
