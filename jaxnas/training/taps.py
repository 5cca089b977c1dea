"""Taps: where a network shows its inner arrays to what scores it without training."""

from typing import Any, Protocol

import jax
import jax.numpy as jnp

RECTIFIER = "rectifier"
"""What enters an activation function."""
LINEAR = "linear"
"""What a convolution or a linear map gives, before normalization and activation."""
NORM = "norm"
"""What enters a normalization."""
BLOCK = "block"
"""What a block gives, the stem or a cell or a layer; blocks are numbered from 0, in order."""
FEATURES = "features"
"""The last map before it is pooled and classified, before its activation function."""
OUTPUT = -1
"""The number of the linear map that gives a network's outputs."""
KINDS = (RECTIFIER, LINEAR, NORM, BLOCK, FEATURES)


class Tap(Protocol):
    """`(kind, number, x, live) -> (x, statistics)`: called wherever a network has an array of a kind.

    Arguments are one of `KINDS`; the number of the place, which is static and differs between places of a kind; the
    array, float32[C, H, W, N] with the examples last (features have H = W = 1); and which channels are the
    architecture's own, bool[C], None for all. The network goes on with the array that is returned. Statistics are any
    pytree whose shapes are the same for all places, and are added up over them, so that operations of different shapes
    fit into one program.
    """

    def __call__(self, kind: str, number: int, x: jax.Array, live: jax.Array | None, /) -> tuple[jax.Array, Any]: ...


def nothing(tap: Tap, x: jax.Array) -> Any:
    """Returns the statistics of no place at all: zeros of the shapes that a tap gives for arrays with the examples of
    x [..., N].
    """
    example = jax.ShapeDtypeStruct((1, 1, 1, x.shape[-1]), x.dtype)
    shapes = jax.eval_shape(lambda x: tap(RECTIFIER, 0, x, None)[1], example)
    return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)


def total(first: Any, second: Any) -> Any:
    """Returns the statistics of two places together."""
    return jax.tree.map(jnp.add, first, second)


def of_steps(found: Any) -> Any:
    """Returns the statistics of all steps of a loop together; the axis of steps is the first."""
    return jax.tree.map(lambda values: values.sum(0, dtype=values.dtype), found)
