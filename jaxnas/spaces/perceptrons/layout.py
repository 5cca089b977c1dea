"""Multilayer perceptrons: functions that compute any architecture of a space, and the layout of its kernels.

The functions take a traced architecture and the arrays of S trainings of it, with a leading axis [S]. Layers are a
loop over those that are present, and a layer is a branch for each pair of widths (`lax.switch`): a small network costs
no more than it needs. The kernels of an architecture are contiguous in one vector, the last layer first: a step reads
and writes as many numbers as the architecture has. The axis is written out and gradients are written by hand because
`jax.vmap` and `jax.grad` would turn each write of a part into a write of the whole.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.spaces.perceptrons.space import (
    ACTIVATION,
    ACTIVATIONS,
    DROPOUT,
    FIRST_WIDTH,
    INITIALIZER,
    INITIALIZERS,
    MLPSpace,
)
from jaxnas.training.recorder import BLOCK, FEATURES, LINEAR, OUTPUT, RECTIFIER, SILENT, Recorder

CHUNK = 2048  # numbers of kernels that are read or written at a time


@dataclass(frozen=True)
class Shapes:
    """The quantities that determine the shapes of all arrays: the space, the number of features and of classes."""

    space: MLPSpace
    num_features: int
    num_classes: int

    @property
    def width(self) -> int:
        """Returns the units of a layer's arrays: enough for any layer and for the output."""
        return max(self.space.layer_widths[-1], self.num_classes)

    @property
    def slot(self) -> int:
        """Returns room for the largest kernel, in whole chunks."""
        return _whole_chunks(self.width * max(self.width, self.num_features))

    @property
    def num_kernels(self) -> int:
        """Returns the length of a vector of kernels: for the largest network, and a spare slot for writes."""
        return _whole_chunks(self.num_features * self.width + self.space.max_layers * self.width**2) + self.slot


class Arrays(NamedTuple):
    """The parameters of S trainings of one architecture, or something that each of them has.

    `kernels` [S, P]: the kernels [inputs, outputs] of the last layer, the one before it, ... and the first, then
    zeros. `biases` [S, L + 1, W]: row l is of hidden layer l, the last row of the output.
    """

    kernels: jax.Array
    biases: jax.Array


class Layout(NamedTuple):
    """An architecture and the positions of its kernels.

    `depth`: number of hidden layers. `widths` int32[L]: the choice of width of each. `offsets` int32[L]: the start of
    each layer's kernel; the output's kernel starts at 0. `size`: the end of the kernels.
    """

    depth: jax.Array
    widths: jax.Array
    offsets: jax.Array
    size: jax.Array


class Scratch(NamedTuple):
    """Buffers of a gradient, kept between steps to avoid allocating them again.

    `outputs`, `slopes` [L, S, N, W]: each layer's outputs and their derivatives with respect to its inputs, after
    dropout. `gradients`: of the loss. `blank` [S, K]: zeros, room for any kernel.
    """

    outputs: jax.Array
    slopes: jax.Array
    gradients: Arrays
    blank: jax.Array


def make_layout(shapes: Shapes, arch: jax.Array) -> Layout:
    """Returns the layout of an architecture, int32[D]."""
    depth, widths = arch[0] + 1, arch[FIRST_WIDTH:]
    outputs = jnp.asarray(shapes.space.layer_widths)[widths]
    inputs = jnp.concatenate([jnp.asarray([shapes.num_features]), outputs[:-1]])
    sizes = jnp.where(jnp.arange(len(widths)) < depth, inputs * outputs, 0)
    ends = outputs[depth - 1] * shapes.num_classes + jnp.cumsum(sizes[::-1])[::-1]
    return Layout(depth, widths, ends - sizes, ends[0])


def make_arrays(shapes: Shapes, arch: jax.Array, key: jax.Array) -> Arrays:
    """Returns the initial parameters of one training, without the axis S."""
    layout = make_layout(shapes, arch)
    widths = jnp.asarray(shapes.space.layer_widths)[layout.widths]
    functions = [functools.partial(INITIALIZERS[name], shapes.slot) for name in shapes.space.initializers]

    def write(count: jax.Array, kernels: jax.Array) -> jax.Array:
        layer = layout.depth - count  # the output first: each layer overwrites the excess of the one written before
        fan_in = jnp.where(layer == 0, shapes.num_features, widths[layer - 1])
        fan_out = jnp.where(count == 0, shapes.num_classes, widths[layer])  # out of bounds is not chosen
        values = jax.lax.switch(arch[INITIALIZER], functions, jax.random.fold_in(key, layer), fan_in, fan_out)
        start = jnp.where(count == 0, 0, layout.offsets[layer])
        return jax.lax.dynamic_update_slice(kernels, values, (start,))

    kernels = jax.lax.fori_loop(0, layout.depth + 1, write, jnp.zeros(shapes.num_kernels))
    kernels = jnp.where(jnp.arange(shapes.num_kernels) < layout.size, kernels, 0)
    return Arrays(kernels, jnp.zeros((shapes.space.max_layers + 1, shapes.width)))


def make_scratch(shapes: Shapes, num_trainings: int, batch_size: int) -> Scratch:
    """Returns room for the gradients of S trainings on N samples."""
    layers = jnp.zeros((shapes.space.max_layers, num_trainings, batch_size, shapes.width))
    biases = jnp.zeros((num_trainings, shapes.space.max_layers + 1, shapes.width))
    # A kernel is written into zeros that XLA does not know for such. It would pad the kernel instead, by masked reads
    # past its end, which processors trap if that memory is not mapped: hundreds of cycles a read.
    blank = jax.lax.optimization_barrier(jnp.zeros((num_trainings, shapes.slot)))
    return Scratch(layers, layers, Arrays(jnp.zeros((num_trainings, shapes.num_kernels)), biases), blank)


def logits(shapes: Shapes, arch: jax.Array, arrays: Arrays, x: jax.Array) -> jax.Array:
    """Returns the logits [S, N, num_classes] of samples [N, num_features], without dropout."""
    layout = make_layout(shapes, arch)
    functions = [functools.partial(_activated, ACTIVATIONS[name]) for name in shapes.space.activations]
    first, hidden, last = _branches(shapes, _multiply)

    def layer(number: int | jax.Array, x: jax.Array, choice: jax.Array, branches: list[Callable]) -> jax.Array:
        x = jax.lax.switch(choice, branches, x, arrays.kernels, _at(layout.offsets, number))
        return jax.lax.switch(arch[ACTIVATION], functions, x, _bias(arrays, number))

    def hidden_layer(number: int | jax.Array, x: jax.Array) -> jax.Array:
        return layer(number, x, pair(shapes, layout, number), hidden)

    x = jax.lax.fori_loop(1, layout.depth, hidden_layer, layer(0, x[None], layout.widths[0], first))
    x = jax.lax.switch(_at(layout.widths, layout.depth - 1), last, x, arrays.kernels, 0)
    return (x + arrays.biases[:, -1:])[..., : shapes.num_classes]


def differentiable_logits(
    shapes: Shapes, arch: jax.Array, arrays: Arrays, x: jax.Array, recorder: Recorder = SILENT
) -> jax.Array:
    """Returns the result of `logits`, by a program that JAX can differentiate: a loop of the most layers possible.

    A recorder receives the arrays of the first training. Absent layers, and units beyond a layer's width, are not live.
    """
    space, layout, units = shapes.space, make_layout(shapes, arch), jnp.arange(shapes.width)
    widths = jnp.asarray(space.layer_widths)[layout.widths]
    functions = [ACTIVATIONS[name] for name in space.activations]
    first, hidden, last = _branches(shapes, _multiply)

    def show(kind: str, x: jax.Array, number: int, live: jax.Array | None) -> jax.Array:
        return x if recorder.silent else recorder.rows(kind, x[0], number, live)[None]

    x = show(BLOCK, jnp.broadcast_to(x[None], (len(arrays.biases), *x.shape)), 0, None)
    for number in range(space.max_layers):
        live = (units < widths[number]) & (number < layout.depth)
        choice = pair(shapes, layout, number) if number else layout.widths[0]
        y = jax.lax.switch(choice, hidden if number else first, x, arrays.kernels, layout.offsets[number])
        y = show(RECTIFIER, show(LINEAR, y, number, live) + _bias(arrays, number), number, live)
        y = jax.lax.switch(arch[ACTIVATION], functions, y)
        x = show(BLOCK, jnp.where(number < layout.depth, y, x) if number else y, number + 1, live)
    x = show(FEATURES, x, 0, units < _at(widths, layout.depth - 1))
    x = jax.lax.switch(_at(layout.widths, layout.depth - 1), last, x, arrays.kernels, 0)
    x = show(LINEAR, x, OUTPUT, units < shapes.num_classes)
    return (x + arrays.biases[:, -1:])[..., : shapes.num_classes]


def train_logits(
    shapes: Shapes, arch: jax.Array, arrays: Arrays, x: jax.Array, keys: jax.Array, scratch: Scratch
) -> tuple[jax.Array, Scratch]:
    """Returns the logits [S, N, num_classes] of samples [S, N, num_features] with dropout, and the `Scratch`.

    `keys` [S] decide which units are dropped.
    """
    layout = make_layout(shapes, arch)
    functions = [functools.partial(_with_slope, ACTIVATIONS[name]) for name in shapes.space.activations]
    first, hidden, last = _branches(shapes, _multiply)
    draw_scales = functools.partial(_draw_scales, (*x.shape[:2], shapes.width))
    keep = 1 - jnp.asarray(shapes.space.dropout_rates, jnp.float32)[arch[DROPOUT]]

    def layer(
        number: int | jax.Array, x: jax.Array, scratch: Scratch, choice: jax.Array, branches: list[Callable]
    ) -> tuple[jax.Array, Scratch]:
        x = jax.lax.switch(choice, branches, x, arrays.kernels, _at(layout.offsets, number))
        y, slope = jax.lax.switch(arch[ACTIVATION], functions, x, _bias(arrays, number))
        if any(shapes.space.dropout_rates):
            scale = jax.lax.cond(keep < 1, draw_scales, lambda *others: jnp.ones_like(y), keep, keys, number)
            y, slope = y * scale, slope * scale
        outputs = write(scratch.outputs, y[None], number, 0, 0, 0)
        return y, scratch._replace(outputs=outputs, slopes=write(scratch.slopes, slope[None], number, 0, 0, 0))

    def hidden_layer(number: int | jax.Array, state: tuple) -> tuple[jax.Array, Scratch]:
        x, scratch = state
        return layer(number, x, scratch, pair(shapes, layout, number), hidden)

    state = layer(0, x, scratch, layout.widths[0], first)
    x, scratch = jax.lax.fori_loop(1, layout.depth, hidden_layer, state)
    x = jax.lax.switch(_at(layout.widths, layout.depth - 1), last, x, arrays.kernels, 0)
    return (x + arrays.biases[:, -1:])[..., : shapes.num_classes], scratch


def gradients(shapes: Shapes, arch: jax.Array, arrays: Arrays, x: jax.Array, g: jax.Array, scratch: Scratch) -> Scratch:
    """Returns the `Scratch` with the gradients of the parameters.

    Args:
        x: the samples passed to `train_logits`.
        g: the gradient of the loss with respect to the logits that it returned, [S, N, num_classes].
        scratch: the `Scratch` that it returned.
    """
    layout = make_layout(shapes, arch)
    first, _, _ = _branches(shapes, functools.partial(_multiply_back, True))
    _, hidden, last = _branches(shapes, functools.partial(_multiply_back, False))

    def layer(
        state: tuple,
        row: int | jax.Array,
        place: tuple,
        choice: jax.Array,
        branches: list[Callable],
        layers: jax.Array,
        number: int | jax.Array,
    ) -> tuple[Arrays, jax.Array]:
        written, g = state
        biases = write(written.biases, g.sum(1)[:, None], 0, row, 0)
        kernel, g = jax.lax.switch(choice, branches, layers, number, g, arrays.kernels, place[0], scratch.blank)
        return Arrays(_write_kernel(written.kernels, kernel, *place), biases), g

    def hidden_layer(count: jax.Array, state: tuple) -> tuple[Arrays, jax.Array]:
        number = layout.depth - 1 - count
        state = state[0], state[1] * _at(scratch.slopes, number)
        place = _at(layout.offsets, number), _at(layout.offsets, number - 1)
        return layer(state, number, place, pair(shapes, layout, number), hidden, scratch.outputs, number - 1)

    number = layout.depth - 1
    # As wide as in other layers: the width decides the order of the sum over samples, and so the bits of stored tables.
    state, place = (scratch.gradients, _padded(g, shapes.width)), (jnp.int32(0), _at(layout.offsets, number))
    state = layer(state, shapes.space.max_layers, place, _at(layout.widths, number), last, scratch.outputs, number)
    written, g = jax.lax.fori_loop(0, number, hidden_layer, state)
    state, place = (written, g * scratch.slopes[0]), (layout.offsets[0], layout.size)
    written, _ = layer(state, 0, place, layout.widths[0], first, x[None], 0)
    return scratch._replace(gradients=written)


def _write_kernel(kernels: jax.Array, kernel: jax.Array, start: int | jax.Array, end: int | jax.Array) -> jax.Array:
    """Returns `kernels` with the first numbers of `kernel` from `start` to `end`, and the rest of the last chunk."""

    def body(number: int | jax.Array, kernels: jax.Array) -> jax.Array:
        return write(kernels, read(kernel, number * CHUNK, CHUNK), 0, start + number * CHUNK)

    return jax.lax.fori_loop(0, num_chunks(end - start), body, kernels)


def num_chunks(size: int | jax.Array) -> Any:
    """Returns how many chunks hold `size` numbers; `size` may be traced."""
    return (size + CHUNK - 1) // CHUNK


def _whole_chunks(size: int) -> int:
    return num_chunks(size) * CHUNK


def _branches(shapes: Shapes, function: Callable) -> tuple[list[Callable], list[Callable], list[Callable]]:
    """Returns functions for the products: of the first layer and the output for each width, of others for each pair."""
    widths, features, classes = shapes.space.layer_widths, shapes.num_features, shapes.num_classes
    make = functools.partial(functools.partial, function, shapes.width)
    hidden: list[Callable] = [make(before, after) for before in widths for after in widths]
    return [make(features, after) for after in widths], hidden, [make(before, classes) for before in widths]


def pair(shapes: Shapes, layout: Layout, number: int | jax.Array) -> jax.Array:
    """Returns the number of the pair of widths that a hidden layer after the first one has."""
    return _at(layout.widths, number - 1) * len(shapes.space.layer_widths) + _at(layout.widths, number)


def read(values: jax.Array, start: int | jax.Array, length: int) -> jax.Array:
    """Returns `length` numbers of each vector of `values` [S, P] from a traced start, which is not negative."""
    return jax.lax.dynamic_slice_in_dim(values, start, length, axis=1, allow_negative_indices=False)


def write(values: jax.Array, part: jax.Array, *start: int | jax.Array) -> jax.Array:
    """Returns `values` with `part` in the place that starts at `start`, which is not negative."""
    return jax.lax.dynamic_update_slice(values, part, start, allow_negative_indices=False)


def _at(layers: jax.Array, number: int | jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(layers, number, keepdims=False, allow_negative_indices=False)


def _bias(arrays: Arrays, number: int | jax.Array) -> jax.Array:
    return read(arrays.biases, number, 1)


def _kernel(kernels: jax.Array, start: int | jax.Array, fan_in: int, fan_out: int) -> jax.Array:
    return read(kernels, start, fan_in * fan_out).reshape(len(kernels), fan_in, fan_out)


def _product(a: jax.Array, b: jax.Array, axis_a: int, axis_b: int) -> jax.Array:
    """Returns the sums of the products of `a` and `b`, [S, ...] each, over one axis of each."""
    return jax.lax.dot_general(a, b, (((axis_a,), (axis_b,)), ((0,), (0,))))


def _padded(x: jax.Array, width: int) -> jax.Array:
    return jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (0, 0, 0), (0, width - x.shape[-1], 0)))


def _multiply(
    width: int, fan_in: int, fan_out: int, x: jax.Array, kernels: jax.Array, start: int | jax.Array
) -> jax.Array:
    return _padded(x[..., :fan_in] @ _kernel(kernels, start, fan_in, fan_out), width)


def _multiply_back(
    is_first: bool,
    width: int,
    fan_in: int,
    fan_out: int,
    layers: jax.Array,
    number: int | jax.Array,
    g: jax.Array,
    kernels: jax.Array,
    start: int | jax.Array,
    blank: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Returns the gradients of a kernel, written over the first numbers of `blank`, and of the inputs.

    In the first layer, whose inputs are the samples, the latter is `g` itself.
    """
    before = g
    if not is_first:
        before = _padded(_product(g[..., :fan_out], _kernel(kernels, start, fan_in, fan_out), 2, 2), width)
    kernel = _product(_at(layers, number)[..., :fan_in], g[..., :fan_out], 1, 1)
    return write(blank, kernel.reshape(len(blank), -1), 0, 0), before


def _activated(function: Callable, x: jax.Array, bias: jax.Array) -> jax.Array:
    return function(x + bias)


def _with_slope(function: Callable, x: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(function, (x + bias,), (jnp.ones_like(x),))


def _draw_scales(shape: tuple[int, ...], keep: jax.Array, keys: jax.Array, number: int | jax.Array) -> jax.Array:
    """Returns the factors on a layer's units, float32[S, N, W]: 0 if dropped, 1 / keep otherwise."""
    bits = jax.vmap(lambda key: jax.random.bits(jax.random.fold_in(key, number), shape[1:], jnp.uint32))(keys)
    return jnp.where((bits >> 8).astype(jnp.float32) < keep * 2**24, 1 / keep, 0)
