"""Recorders: they show the inner arrays of a network to scores that need no training."""

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp

RECTIFIER = "rectifier"
"""The input of an activation function."""
LINEAR = "linear"
"""The output of a convolution or a linear map, before normalization and activation."""
NORM = "norm"
"""The input of a normalization."""
BLOCK = "block"
"""The output of a block: the stem, a cell or a layer; blocks are numbered from 0, in order."""
REDUCTION = "reduction"
"""The output of a reduction between two blocks, with a number between theirs."""
FEATURES = "features"
"""The last map before it is pooled and classified, before its activation function."""
OUTPUT = -1
"""The number of the linear map that computes a network's outputs."""
KINDS = (RECTIFIER, LINEAR, NORM, BLOCK, REDUCTION, FEATURES)


class Tap(Protocol):
    """`(kind, number, x, live) -> (x, statistics)`: called wherever a network has an array of a kind.

    Arguments are one of `KINDS`; the number of the place, which is static and differs between places of a kind; the
    array, float32[C, H, W, N] with the examples last (features have H = W = 1); and which channels are the
    architecture's own, bool[C], None for all. The network continues with the returned array. Statistics are any pytree
    whose shapes are the same for all places. They are added up over places, which lets operations of different shapes
    fit into one program.
    """

    def __call__(self, kind: str, number: int, x: jax.Array, live: jax.Array | None, /) -> tuple[jax.Array, Any]: ...


class Recorder:
    """Shows a tap the inner arrays of a network and adds up its statistics; it lives while the network is traced.

    Without a tap it is silent: arrays are unchanged.

    Attributes:
        numbers: the numbers of places that are called without one.
        statistics: the sum over all places so far.
    """

    def __init__(self, tap: Tap | None, num_examples: int = 0):
        self.tap, self.numbers = tap, itertools.count()
        self._nothing = () if tap is None else _nothing(tap, num_examples)
        self.statistics = self._nothing

    @property
    def silent(self) -> bool:
        """Returns whether there is no tap."""
        return self.tap is None

    def __call__(self, kind: str, x: jax.Array, number: int | None = None, live: jax.Array | None = None) -> jax.Array:
        """Returns the tap's array for an array [C, H, W, N]; the network continues with it."""
        if self.tap is None:
            return x
        x, found = self.tap(kind, next(self.numbers) if number is None else number, x, live)
        self.add(found)
        return x

    def rows(self, kind: str, x: jax.Array, number: int | None = None, live: jax.Array | None = None) -> jax.Array:
        """Returns the tap's array for numbers of examples [N, C], or of their steps or nodes [N, T, C]."""
        if self.tap is None:
            return x
        return self(kind, x.T.reshape(x.shape[-1], -1, 1, len(x)), number, live).reshape(x.T.shape).T

    def add(self, statistics: Any) -> None:
        """Adds the statistics of a branch."""
        self.statistics = jax.tree.map(jnp.add, self.statistics, statistics)

    def add_steps(self, statistics: Any) -> None:
        """Adds the statistics of all steps of a loop; the axis of steps is the first."""
        self.add(jax.tree.map(lambda values: values.sum(0, dtype=values.dtype), statistics))

    def inside(self) -> "Recorder":
        """Returns the recorder of a branch or of a loop's step, whose result its statistics are."""
        found = copy.copy(self)
        found.statistics = self._nothing
        return found

    def branches(self, functions: Sequence[Callable]) -> list[Callable]:
        """Returns `(*arrays) -> (y, statistics)` for each function `(recorder, *arrays) -> y`."""

        def branch(function: Callable) -> Callable:
            def run(*arrays: Any) -> tuple[Any, Any]:
                inside = self.inside()
                return function(inside, *arrays), inside.statistics

            return run

        return [branch(function) for function in functions]


def _nothing(tap: Tap, num_examples: int) -> Any:
    """Returns the statistics of no place at all, zeros of the shapes that a tap returns."""
    example = jax.ShapeDtypeStruct((1, 1, 1, num_examples), jnp.float32)
    shapes = jax.eval_shape(lambda x: tap(RECTIFIER, 0, x, None)[1], example)
    return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)


SILENT = Recorder(None)
