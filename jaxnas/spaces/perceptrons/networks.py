"""Multilayer perceptrons as a kind of network: how they are initialized, applied, shared, trained and sized."""

import itertools
import math
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.perceptrons import layout
from jaxnas.spaces.perceptrons.layout import Arrays, Shapes
from jaxnas.spaces.perceptrons.network import Perceptron
from jaxnas.spaces.perceptrons.plans import fit, in_sequence
from jaxnas.spaces.perceptrons.space import ACTIVATION, ACTIVATIONS, FIRST_WIDTH, MLPSpace
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import (
    Applied,
    Kernels,
    Plan,
    ScoredNetworks,
    SharedNetworks,
    Size,
    Variables,
    equal_chunks,
)
from jaxnas.training.recorder import SILENT, Recorder


@final
class PerceptronNetworks(ScoredNetworks, SharedNetworks):
    """The networks of a space of perceptrons; inputs [N, ...] are flattened.

    In the supernet a narrower layer is the first units of the widest one (Yu et al., "Slimmable Neural Networks", ICLR
    2019), a shallower network its first layers. It ignores initializer, regularizer and dropout, which concern the
    training of one network: all networks share one training.
    """

    space: MLPSpace
    inputs = ("vectors", "images")
    goals = ("class", "value")
    # Regularization is decided by the architecture, so there is no further weight decay.
    default = TrainConfig(num_epochs=30, batch_size=32, learning_rate=0.1, momentum=0.9, weight_decay=0.0)
    plans: ClassVar = {"sequential": Plan("switch-sequential-3", in_sequence, fit, equal_chunks)}

    @property
    def shapes(self) -> Shapes:
        """Returns the quantities that determine the shapes of an architecture's arrays."""
        return Shapes(self.space, math.prod(self.spec.shape), self.spec.num_outputs)

    def init(self, key: jax.Array, arch: jax.Array | None = None) -> Variables:
        """Returns the initial arrays of an architecture.

        Those of the supernet are of the largest network: kernels with variance 2 / inputs, biases of zero.
        """
        if arch is not None:
            return Variables(layout.make_arrays(self.shapes, arch, key))
        space, width = self.space, self.space.layer_widths[-1]
        sizes = [math.prod(self.spec.shape), *[width] * space.max_layers]
        keys = jax.random.split(key, len(sizes))
        kernels = [
            jax.random.normal(own, (fan_in, width)) * np.sqrt(2 / fan_in).astype(np.float32)
            for own, fan_in in zip(keys[:-1], sizes[:-1], strict=True)
        ]
        last = jax.random.normal(keys[-1], (width, self.spec.num_outputs)) / np.sqrt(width).astype(np.float32)
        biases = jnp.zeros((space.max_layers, width))
        return Variables(
            {"kernels": kernels, "biases": biases, "last": last, "last_bias": jnp.zeros(self.spec.num_outputs)}
        )

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the logits [N, K]; blocks are the inputs and each hidden layer.

        It is without dropout in all modes and can be differentiated any number of times; trainings use the plan's own
        program, with dropout and gradients written by hand. Inputs of all activation functions count as a rectifier's.
        """
        samples = inputs.reshape(len(inputs), -1)
        if not isinstance(variables.parameters, Arrays):
            return Applied(self._shared_logits(variables.parameters, choice, samples))
        arrays = jax.tree.map(lambda values: values[None], variables.parameters)
        return Applied(layout.differentiable_logits(self.shapes, choice, arrays, samples, recorder)[0])

    def _shared_logits(self, parameters: dict[str, Any], arch: jax.Array, x: jax.Array) -> jax.Array:
        """Returns the logits [N, K] of an architecture in the supernet.

        Products are scaled to the number of units that they add up, so narrow networks begin with large outputs.
        """
        space, widest = self.space, self.space.layer_widths[-1]
        widths = jnp.asarray(space.layer_widths)[arch[FIRST_WIDTH:]]
        functions = [ACTIVATIONS[name] for name in space.activations]
        units = None
        for number in range(space.max_layers):
            scale = 1.0 if units is None else jnp.sqrt(widest / units)
            y = scale * (x @ parameters["kernels"][number]) + parameters["biases"][number]
            y = jax.lax.switch(arch[ACTIVATION], functions, y) * (jnp.arange(widest) < widths[number])
            present = number <= arch[0]
            x = y if units is None else jnp.where(present, y, x)
            units = widths[0] if units is None else jnp.where(present, widths[number], units)
        assert units is not None  # there is one layer at least
        return jnp.sqrt(widest / units) * (x @ parameters["last"]) + parameters["last_bias"]

    def module(self, arch: tuple[int, ...], variables: Variables) -> Perceptron:
        return Perceptron(self.shapes, arch, variables.parameters)

    def size(self, arch: tuple[int, ...]) -> Size:
        units = (math.prod(self.spec.shape), *self.space.decode(arch)["layers"], self.spec.num_outputs)
        parameters = sum((before + 1) * after for before, after in itertools.pairwise(units))
        return Size(parameters, parameters)

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels of present layers; the first hidden layer is number 0."""
        shapes = self.shapes
        place = layout.make_layout(shapes, arch)
        position = jnp.arange(shapes.num_kernels)
        starts = jnp.where(jnp.arange(self.space.max_layers) < place.depth, place.offsets, place.size)
        passed = (position[:, None] >= starts).sum(1)  # the last layer comes first, then the one before it, ...
        layer = jnp.where(position < place.size, place.depth - passed, -1).astype(jnp.int32)
        biases = jnp.zeros((self.space.max_layers + 1, shapes.width))
        live = (position < place.size).astype(jnp.float32)
        numbers = Arrays(layer, jnp.full(biases.shape, -1, jnp.int32))
        return Kernels(Arrays(live, biases), numbers, self.space.max_layers + 1)

    def trained(self) -> dict[str, Any]:
        """Returns 1 for each of the shared parameters, all of which are trained."""
        one = np.float32(1)
        return {"kernels": [one] * self.space.max_layers, "biases": one, "last": one, "last_bias": one}

    def used(self, arch: jax.Array) -> dict[str, Any]:
        """Returns 1 for the shared parameters that an architecture uses."""
        space, widest = self.space, self.space.layer_widths[-1]
        widths = jnp.asarray(space.layer_widths)[arch[FIRST_WIDTH:]]
        present = jnp.arange(space.max_layers) <= arch[0]
        units = (jnp.arange(widest) < widths[:, None]) & present[:, None]  # [L, W]
        first = jnp.ones((math.prod(self.spec.shape), 1), bool)
        inputs = [first, *(units[number][:, None] for number in range(space.max_layers - 1))]
        kernels = [before & units[number] for number, before in enumerate(inputs)]
        found = {"kernels": kernels, "biases": units, "last": units[arch[0]][:, None], "last_bias": jnp.bool_(True)}
        return jax.tree.map(lambda each: each.astype(jnp.float32), found)
