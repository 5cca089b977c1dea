"""Multilayer perceptrons with taps: what they compute is what `layout.differentiable_logits` does."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.perceptrons import layout
from jaxnas.spaces.perceptrons.layout import Arrays, Shapes
from jaxnas.spaces.perceptrons.space import ACTIVATION, ACTIVATIONS
from jaxnas.training.taps import BLOCK, FEATURES, LINEAR, OUTPUT, RECTIFIER, Tap, nothing, total


def tapped(shapes: Shapes, arch: jax.Array, arrays: Arrays, x: jax.Array, tap: Tap) -> tuple[jax.Array, Any]:
    """Returns the logits [N, num_classes] of samples [N, num_features], and the sum of the statistics of all places.

    Absent layers, and units beyond a layer's width, are not live.
    """
    space, place = shapes.space, layout.make_layout(shapes, arch)
    widths = jnp.asarray(space.layer_widths)[place.widths]
    functions = [ACTIVATIONS[name] for name in space.activations]
    first, hidden, last = layout.branches(shapes)
    statistics = nothing(tap, x.T)

    def seen(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> jax.Array:
        nonlocal statistics
        shown, found = tap(kind, number, x[0].T[:, None, None], live)
        statistics = total(statistics, found)
        return shown[:, 0, 0].T[None]

    x = seen(BLOCK, 0, x[None], None)
    for number in range(space.max_layers):
        live = (jnp.arange(shapes.width) < widths[number]) & (number < place.depth)
        choice = layout.pair(shapes, place, number) if number else place.widths[0]
        y = jax.lax.switch(choice, hidden if number else first, x, arrays.kernels, place.offsets[number])
        y = seen(RECTIFIER, number, seen(LINEAR, number, y, live) + arrays.biases[:, number : number + 1], live)
        y = jax.lax.switch(arch[ACTIVATION], functions, y)
        x = seen(BLOCK, number + 1, jnp.where(number < place.depth, y, x) if number else y, live)
    x = seen(FEATURES, 0, x, jnp.arange(shapes.width) < widths[place.depth - 1])
    x = jax.lax.switch(place.widths[place.depth - 1], last, x, arrays.kernels, 0)
    x = seen(LINEAR, OUTPUT, x, jnp.arange(shapes.width) < shapes.num_classes)
    return (x + arrays.biases[:, -1:])[0, :, : shapes.num_classes], statistics
