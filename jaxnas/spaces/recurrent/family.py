"""Recurrent cells as a kind of network: how they are initialized, applied, trained and sized."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.recurrent import network
from jaxnas.spaces.recurrent.network import Arrays, Recurrence, RecurrentNetwork
from jaxnas.spaces.recurrent.space import RecurrentSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Size, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import BLOCK, FEATURES, LINEAR, OUTPUT, Tap, nothing, of_steps, total


def init(space: RecurrentSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays, which do not depend on the architecture."""
    return Variables(network.make_arrays(space.num_nodes, config.network, spec, key))


def apply(
    space: RecurrentSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the outputs [N, K], or [N, T, K] where the goal has one a step, of inputs [N, T, F] or tokens [N, T]."""
    return Applied(network.outputs(config.network, spec, arch, variables.parameters, inputs))


def tapped(
    space: RecurrentSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the outputs of `apply`, and what a tap found.

    A place is one for all steps, whose statistics are added up. Blocks are the projected inputs and the cell's outputs;
    what enters any activation function is a rectifier's.
    """
    arrays: Arrays = variables.parameters
    recurrence: Recurrence = config.network
    each_step = GOALS[spec.goal].each_step
    steps, real = network.steps_of(spec, inputs)
    start = jnp.zeros((len(inputs), recurrence.width))

    def step(state: jax.Array, at: jax.Array) -> tuple[jax.Array, tuple]:
        statistics = nothing(tap, state.T)

        def see(kind: str, number: int, x: jax.Array) -> jax.Array:
            nonlocal statistics
            shown, found = tap(kind, number, x.T[:, None, None], None)
            statistics = total(statistics, found)
            return shown[:, 0, 0].T

        projected = see(BLOCK, 0, see(LINEAR, 0, at @ arrays.inputs) + arrays.offset)
        new = see(BLOCK, 1, network.cell(recurrence, arch, arrays, state, projected, see))
        linear = see(LINEAR, OUTPUT, see(FEATURES, 0, new) @ arrays.head) if each_step else ()
        return new, (linear, statistics)

    last, (given, found) = network.over_steps(step, start, steps, real)
    statistics = of_steps(found)
    if each_step:
        return jnp.moveaxis(given, 0, 1) + arrays.head_offset, statistics
    features, of_features = tap(FEATURES, 0, last.T[:, None, None], None)
    linear, of_outputs = tap(LINEAR, OUTPUT, (features[:, 0, 0].T @ arrays.head).T[:, None, None], None)
    return linear[:, 0, 0].T + arrays.head_offset, total(statistics, total(of_features, of_outputs))


def kernels(space: RecurrentSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels: all of the inputs, 0, the last output, 1, the nodes, 2, ..., the head."""
    shapes = jax.eval_shape(lambda: init(space, config, spec, arch, jax.random.key(0)).parameters)
    last = space.num_nodes + 2
    nodes = jnp.arange(2, last, dtype=jnp.int32)[:, None, None]
    layers = Arrays(*(jnp.asarray(each, jnp.int32) for each in (0, 1, -1, 0, last, -1)))._replace(nodes=nodes)
    layer = Arrays(*(jnp.broadcast_to(each, shape.shape) for each, shape in zip(layers, shapes, strict=True)))
    return Kernels(jax.tree.map(lambda each: (each >= 0).astype(jnp.float32), layer), layer, last + 1)


def module(
    space: RecurrentSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> RecurrentNetwork:
    """Returns the network of an architecture with the arrays of a training of it, or with zeros."""
    if variables is None:
        shapes = jax.eval_shape(lambda: init(space, config, spec, jnp.asarray(arch), jax.random.key(0)))
        variables = jax.tree.map(lambda shape: jnp.zeros(shape.shape), shapes)
    return RecurrentNetwork(config.network, spec, arch, variables.parameters)


def size(space: RecurrentSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of a network, which is the same for all architectures of a space."""
    recurrence: Recurrence = config.network
    width, mapped = recurrence.width, recurrence.width * (2 if recurrence.gate else 1)
    step = (network.num_features(spec) + 1) * mapped + (1 + space.num_nodes) * width * mapped
    head = (width + 1) * spec.num_outputs
    num_steps = spec.shape[0]
    num_heads = num_steps if GOALS[spec.goal].each_step else 1
    return Size(step + head, num_steps * step + num_heads * head)


FAMILY = Family(
    config=TrainConfig(
        num_epochs=20,
        batch_size=64,
        learning_rate=1e-2,
        weight_decay=0.0,
        network=Recurrence(),
        optimizer="adam",
        clip=1.0,
    ),
    inputs=("sequences", "tokens"),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("select-sequential-1", init, apply)},
    tapped=tapped,
    goals=("class", "tags", "next", "value"),
    baselines="jaxnas.spaces.recurrent.baselines:BASELINE_CELLS",
)

GATED_FAMILY = FAMILY._replace(config=replace(FAMILY.config, network=Recurrence(gate=True)))

LARGEST_UNGATED = 4
"""The most nodes of a space whose cells have no gates by default."""


def recurrent_family(space: RecurrentSpace) -> Family:
    """Returns how the networks of a space are trained: with gates by default where cells have five nodes or more.

    In a cell of n nodes a step composes up to n + 1 maps; a gate of each, as in ENAS and DARTS, lets states pass them.
    Small spaces, which tables hold whole, have none, as gates make cells alike.
    """
    return FAMILY if space.num_nodes <= LARGEST_UNGATED else GATED_FAMILY
