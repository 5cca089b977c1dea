"""Multilayer perceptrons as a kind of network: how they are initialized, applied, trained and sized."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.perceptrons import layout, taps
from jaxnas.spaces.perceptrons.layout import Arrays, Shapes
from jaxnas.spaces.perceptrons.network import Perceptron
from jaxnas.spaces.perceptrons.plans import fit, in_sequence
from jaxnas.spaces.perceptrons.shared import SHARED
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Plan, Size, Variables, equal_chunks
from jaxnas.training.taps import Tap


def init(space: MLPSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of an architecture."""
    return Variables(layout.make_arrays(_shapes(space, spec), arch, key))


def apply(
    space: MLPSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the logits [N, K] of inputs [N, ...], which are flattened.

    It is without dropout in both modes and can be differentiated any number of times; trainings use the plan's own
    program, with dropout and gradients written by hand.
    """
    arrays = jax.tree.map(lambda values: values[None], variables.parameters)
    samples = inputs.reshape(len(inputs), -1)
    return Applied(layout.differentiable_logits(_shapes(space, spec), arch, arrays, samples)[0])


def tapped(
    space: MLPSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the logits [N, K] of inputs [N, ...], and what a tap found.

    Blocks are the inputs and each hidden layer; what enters any activation function is a rectifier's.
    """
    arrays = jax.tree.map(lambda values: values[None], variables.parameters)
    return taps.tapped(_shapes(space, spec), arch, arrays, inputs.reshape(len(inputs), -1), tap)


def kernels(space: MLPSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of present layers; the first hidden layer is number 0."""
    shapes = _shapes(space, spec)
    place = layout.make_layout(shapes, arch)
    position = jnp.arange(shapes.num_kernels)
    starts = jnp.where(jnp.arange(space.max_layers) < place.depth, place.offsets, place.size)
    passed = (position[:, None] >= starts).sum(1)  # the last layer lies first, then the one before it, ...
    layer = jnp.where(position < place.size, place.depth - passed, -1).astype(jnp.int32)
    biases = jnp.zeros((space.max_layers + 1, shapes.width))
    live = (position < place.size).astype(jnp.float32)
    numbers = Arrays(layer, jnp.full(biases.shape, -1, jnp.int32))
    return Kernels(Arrays(live, biases), numbers, space.max_layers + 1)


def module(
    space: MLPSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> Perceptron:
    """Returns the network of an architecture with the arrays of a training of it, or with zeros."""
    made = Perceptron(space, spec.shape, spec.num_outputs, arch, key=None)
    if variables is not None:
        made.assign(variables.parameters)
    return made


def size(space: MLPSpace, config: TrainConfig, spec: TaskSpec, arch: Sequence[int]) -> Size:
    """Returns the `Size` of the network of an architecture."""
    units = (math.prod(spec.shape), *space.decode(arch)["layers"], spec.num_outputs)
    parameters = sum((before + 1) * after for before, after in itertools.pairwise(units))
    return Size(parameters, parameters)


def _shapes(space: MLPSpace, spec: TaskSpec) -> Shapes:
    return Shapes(space, math.prod(spec.shape), spec.num_outputs)


FAMILY = Family(
    # Regularization is the architecture's, so that there is no weight decay besides.
    config=TrainConfig(num_epochs=30, batch_size=32, learning_rate=0.1, momentum=0.9, weight_decay=0.0),
    inputs=("vectors", "images"),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": Plan("switch-sequential-3", in_sequence, fit, equal_chunks)},
    tapped=tapped,
    goals=("class", "value"),
    shared=SHARED,
)
