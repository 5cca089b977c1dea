"""Operations: pure functions on the feature map of one edge of a cell, with the arrays that they need."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

ZERO = "zero"
IDENTITY = "identity"
FUNCTION = "function"


@dataclass(frozen=True)
class Operation:
    """An operation that an edge of a cell can carry. It keeps the shape of its input.

    Attributes:
        name: its name in architecture strings.
        apply: `(x, parameters, statistics, train) -> (y, statistics)`, pure. `x` and `y` are float32[C, H, W, N]: the
            images of a batch last, the fast order on CPU. `parameters` and `statistics` are dicts of arrays as `init`
            makes them; `train` is a Python bool. In training, it returns the statistics of the batch, which the
            network averages.
        init: `(key, num_channels) -> (parameters, statistics)`; None if the operation has no arrays.
        linear: `(x, parameters) -> z`, an expensive first part, of the shape of x; `apply` then takes z instead of x.
            Training keeps z for the backward pass: this part runs forward once, `apply` is run again.
        num_flops: `(num_channels, height, width) -> int`, multiply-accumulates for one image.
        rectifies: whether the operation begins with a rectifier of its input, for scores that count signs there.
        role: `"zero"` passes nothing, `"identity"` passes its input on, `"function"` is all else. The graph of a
            cell is simplified by roles.
    """

    name: str
    apply: Callable
    init: Callable | None = None
    linear: Callable | None = None
    num_flops: Callable[[int, int, int], int] = lambda num_channels, height, width: 0
    role: str = FUNCTION
    rectifies: bool = False

    def arrays(self, key: jax.Array, num_channels: int) -> tuple[dict, dict]:
        """Returns the initial parameters and statistics; both empty for an operation without arrays."""
        return self.init(key, num_channels) if self.init else ({}, {})

    def __call__(self, x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple:
        """Returns the output and the statistics after it: `linear`, if there is one, and then `apply`."""
        z = self.linear(x, parameters) if self.linear else x
        return self.apply(z, parameters, statistics, train)


@dataclass(frozen=True)
class Activated:
    """The linear part of an operation that begins with a function of the feature map, without arrays.

    Operations that share one or the other have one branch for it, in spaces of many operations.

    Attributes:
        activation: `(x) -> x`.
        linear: `(x, parameters) -> z`.
        kernel: the name of the one array that `linear` reads, and that the rest of the operation does not; the last of
            the operation's parameters in the order of names.
    """

    activation: Callable
    linear: Callable
    kernel: str

    def __call__(self, x: jax.Array, parameters: dict) -> jax.Array:
        """Returns the linear map of the activated feature map."""
        return self.linear(self.activation(x), parameters)


def as_operation(value: Operation | Callable) -> Operation:
    """Returns `value` if it is an operation, else a function as an operation without arrays.

    The function takes `(x, parameters, statistics, train)` with x as float32[N, H, W, C], as Flax modules do.
    """
    if isinstance(value, Operation):
        return value
    if callable(value):
        return Operation(value.__name__, _images_last(value))
    raise ValueError(f"Expected an operation: a name, an Operation or a function, got {value!r}.")


@functools.cache
def _images_last(function: Callable) -> Callable:
    """Returns a function on [N, H, W, C] as one on [C, H, W, N]."""

    def apply(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
        y, statistics = function(jnp.transpose(x, (3, 1, 2, 0)), parameters, statistics, train)
        return jnp.transpose(y, (3, 1, 2, 0)), statistics

    return apply
