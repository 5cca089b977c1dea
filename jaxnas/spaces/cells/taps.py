"""The traced network of a cell space with taps: what it computes is what `network` does, without its own gradients.

Statistics of fixed shapes leave the branch of each edge's operation, so that the branches remain branches.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.cells import edges
from jaxnas.spaces.cells.network import Layer, Network, TracedCell
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import convolution, feature_maps
from jaxnas.spaces.layers.base import Operation
from jaxnas.training.taps import BLOCK, FEATURES, LINEAR, NORM, OUTPUT, RECTIFIER, Tap, nothing, total


class _Recorder:
    """Calls a tap and adds up the statistics; it lives while a network is traced."""

    def __init__(self, tap: Tap, zero: Any):
        self.tap, self.statistics, self.numbers = tap, zero, itertools.count()

    def __call__(self, kind: str, x: jax.Array, number: int | None = None) -> jax.Array:
        x, found = self.tap(kind, next(self.numbers) if number is None else number, x, None)
        self.statistics = total(self.statistics, found)
        return x

    def normalized(self, x: jax.Array, parameters: dict, statistics: dict, train: bool) -> jax.Array:
        """Returns what a convolution gives after batch normalization."""
        return feature_maps.batch_norm(self(NORM, self(LINEAR, x)), parameters, statistics, train)[0]


def tapped(network: Network, arch: jax.Array, inputs: jax.Array, tap: Tap, train: bool) -> tuple[jax.Array, Any]:
    """Returns the logits [N, K] of images [N, H, W, C], and the sum of the statistics of all places.

    Dead edges have no taps. An operation shows what enters its activation where it says that it begins with one
    (`Operation.rectifies`); what another operation does inside is not seen.

    Args:
        network: a traced network.
    """
    space, skeleton, arch = network.space, network.skeleton, network.space.pruned(arch)
    x = jnp.transpose(inputs, (3, 1, 2, 0))
    record = _Recorder(tap, nothing(tap, x))
    stem, statistics = _arrays(network.stem)
    x = record.normalized(convolution.convolve(x, stem["kernel"]), stem, statistics, train)
    x = record(BLOCK, x, 0)
    for number, cell in enumerate(network.cells):
        if number and number % skeleton.cells_per_stage == 0:
            x = _reduction(record, x, network.reductions[number // skeleton.cells_per_stage - 1], train)
        x = record(BLOCK, _cell(record, space, cell, arch, x, train), number + 1)
    head, statistics = _arrays(network.head)
    x = feature_maps.batch_norm(record(NORM, x), head, statistics, train)[0]
    x = jax.nn.relu(record(RECTIFIER, record(FEATURES, x)))
    outputs = head["kernel"].T @ x.mean((1, 2))
    outputs = record(LINEAR, outputs[:, None, None], OUTPUT)[:, 0, 0]
    return outputs.T + head["offset"], record.statistics


def _arrays(layer: Layer) -> tuple[dict, dict]:
    kinds = layer.parameters, layer.statistics
    parameters, statistics = ({name: variable[...] for name, variable in kind.items()} for kind in kinds)
    return parameters, statistics


def _reduction(record: _Recorder, x: jax.Array, layer: Layer, train: bool) -> jax.Array:
    parameters, statistics = _arrays(layer)
    y = x
    for block, stride in (("a", 2), ("b", 1)):
        own, used = (
            {name[2:]: each for name, each in kind.items() if name.startswith(f"{block}_")}
            for kind in (parameters, statistics)
        )
        y = convolution.convolve(jax.nn.relu(record(RECTIFIER, y)), own["kernel"], stride=stride)
        y = record.normalized(y, own, used, train)
    return record(LINEAR, convolution.convolve_pointwise(feature_maps.halve(x), parameters["shortcut"])) + y


def _cell(
    record: _Recorder, space: CellSpace, cell: TracedCell, arch: jax.Array, x: jax.Array, train: bool
) -> jax.Array:
    parameters, statistics = jnp.unstack(cell.parameters[...]), jnp.unstack(cell.statistics[...])
    nodes: list[Any] = [x] + [None] * (space.num_nodes - 1)
    for edge, (source, target) in enumerate(space.edges):
        numbers = list(itertools.islice(record.numbers, 3))
        run = _alone if len(space.operations) <= edges.MOST_ALONE else _by_parts
        shown = run(space.operations, cell.num_channels, train, record.tap, numbers)
        y, found = shown(arch[edge], nodes[source], parameters[edge], statistics[edge])
        record.statistics = total(record.statistics, found)
        nodes[target] = y if nodes[target] is None else nodes[target] + y
    return nodes[-1]


def _alone(operations: tuple[Operation, ...], num_channels: int, train: bool, tap: Tap, numbers: list[int]) -> Callable:
    """Returns `(index, x, parameters, statistics) -> (y, statistics of taps)` by one switch of all operations."""
    branches = [_branch(operation, num_channels, train, tap, numbers) for operation in operations]
    return lambda index, *arrays: jax.lax.switch(index, branches, *arrays)


def _branch(operation: Operation, num_channels: int, train: bool, tap: Tap, numbers: list[int]) -> Callable:
    """Returns `(x, parameters, statistics) -> (y, statistics of taps)` of an operation on packed vectors."""
    shapes = edges.array_shapes(operation, num_channels)

    def branch(x: jax.Array, parameters: jax.Array, statistics: jax.Array) -> tuple[jax.Array, Any]:
        record = _Recorder(tap, nothing(tap, x))
        arrays, used = edges.unpack(parameters, shapes[0]), edges.unpack(statistics, shapes[1])
        x = record(RECTIFIER, x, numbers[0]) if operation.rectifies else x
        z = record(LINEAR, operation.linear(x, arrays), numbers[1]) if operation.linear else x
        z = record(NORM, z, numbers[2]) if operation.apply is feature_maps.batch_norm else z
        return operation.apply(z, arrays, used, train)[0], record.statistics

    return branch


def _by_parts(
    operations: tuple[Operation, ...], num_channels: int, train: bool, tap: Tap, numbers: list[int]
) -> Callable:
    """Returns what `_alone` does by a switch of activations, one of linear maps and one of the rest, as in training."""
    steps = edges.steps_of(operations, num_channels, train)
    entering = edges.part([(each, own.rectifies) for each, own in zip(steps.activations, operations, strict=True)])

    def enter(first: int, x: jax.Array) -> tuple[jax.Array, Any]:
        record = _Recorder(tap, nothing(tap, x))
        x = record(RECTIFIER, x, numbers[0]) if operations[first].rectifies else x
        return steps.enter(first, x), record.statistics

    def map_linearly(first: int, x: jax.Array, parameters: jax.Array) -> tuple[jax.Array, Any]:
        record = _Recorder(tap, nothing(tap, x))
        z = steps.map_linearly(first, x, parameters)
        return (record(LINEAR, z, numbers[1]) if operations[first].linear else z), record.statistics

    def follow(first: int, z: jax.Array, parameters: jax.Array, statistics: jax.Array) -> tuple[jax.Array, Any]:
        record = _Recorder(tap, nothing(tap, z))
        z = record(NORM, z, numbers[2]) if operations[first].apply is feature_maps.batch_norm else z
        return steps.follow(first, z, parameters, statistics)[0], record.statistics

    def run(index: jax.Array, x: jax.Array, parameters: jax.Array, statistics: jax.Array) -> tuple[jax.Array, Any]:
        entered, of_activation = entering.switch(enter, index, x)
        z, of_map = steps.mapping.switch(map_linearly, index, entered, parameters)
        y, of_rest = steps.following.switch(follow, index, z, parameters, statistics)
        return y, total(of_activation, total(of_map, of_rest))

    return run
