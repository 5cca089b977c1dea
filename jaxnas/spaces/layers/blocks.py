"""Blocks: parts of networks as pure functions on packed arrays, and slots, whose block is a traced choice.

A block has its arrays in two vectors, parameters and statistics. A slot has vectors long enough for any of its blocks,
each of which reads its own arrays from the front. Images are float32[C, H, W, N].
"""

import abc
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.layers import feature_maps
from jaxnas.training.networks import Kernels, Size, Variables
from jaxnas.training.recorder import LINEAR, NORM, RECTIFIER, SILENT, Recorder

KERNEL = "kernel"
"""The ending of the names of kernels."""
AFFINE = ("scale", "bias")
"""The endings of the names of batch normalization's arrays besides its statistics."""


class Values(NamedTuple):
    """The shape of an array, and the normal distribution of its initial numbers: their deviation and mean."""

    shape: tuple[int, ...]
    deviation: float = 0.0
    mean: float = 0.0

    @property
    def size(self) -> int:
        """Returns the number of numbers in the array."""
        return int(np.prod(self.shape))


def he_normal(*shape: int, fan_in: int) -> Values:
    """Returns a kernel whose numbers have variance 2 / fan-in (He et al., ICCV 2015)."""
    return Values(shape, float(np.sqrt(2 / fan_in)))


def normalization(name: str, num_channels: int) -> dict[str, Values]:
    """Returns the parameters of a batch normalization of a name; `Block.statistics` has its statistics."""
    return {f"{name}_scale": Values((num_channels,), mean=1.0), f"{name}_bias": Values((num_channels,))}


class Scope:
    """The arrays of a block while it is traced: the inputs of its layers, and the statistics after them.

    Attributes:
        train: whether batches are normalized by their own statistics.
        changed: the statistics after the block.
        live: which channels of its output are the architecture's own, bool[C]; None for all. The others are 0.
        live_inputs: the same for the channels of its input.
    """

    def __init__(self, parameters: dict, statistics: dict, train: bool, recorder: Recorder = SILENT):
        self.parameters, self.statistics, self.train, self.recorder = parameters, statistics, train, recorder
        self.changed = dict(statistics)
        self.live: jax.Array | None = None
        self.live_inputs: jax.Array | None = None

    def __getitem__(self, name: str) -> jax.Array:
        return self.parameters[name]

    def show(self, kind: str, x: jax.Array, number: int | None = None) -> jax.Array:
        """Returns x, or the array that a tap returns for it."""
        return self._show(kind, x, number, self.live)

    def _show(self, kind: str, x: jax.Array, number: int | None, live: jax.Array | None) -> jax.Array:
        return self.recorder(kind, x, number, live)

    def normalize(self, name: str, x: jax.Array) -> jax.Array:
        """Returns x, the output of a linear map, after batch normalization; 0 in channels that are not live."""
        return self.batch_norm(name, self.show(NORM, self.show(LINEAR, x)))

    def batch_norm(self, name: str, x: jax.Array) -> jax.Array:
        """Returns x after batch normalization; 0 in channels that are not live."""
        arrays = {kind: self.parameters[f"{name}_{kind}"] for kind in ("scale", "bias")}
        if self.live is not None:
            arrays = {kind: jnp.where(self.live, each, 0) for kind, each in arrays.items()}
        used = {kind: self.statistics[f"{name}_{kind}"] for kind in ("mean", "variance")}
        x, found = feature_maps.batch_norm(x, arrays, used, self.train)
        self.changed |= {f"{name}_{kind}": value for kind, value in found.items()}
        return x

    def masked(self, x: jax.Array) -> jax.Array:
        """Returns x with 0 in channels that are not live."""
        return x if self.live is None else jnp.where(self.live[:, None, None, None], x, 0)

    def rectify(self, x: jax.Array, *, inputs: bool = False) -> jax.Array:
        """Returns the positive part of x; `inputs`: whether x has the channels of the block's input."""
        return jax.nn.relu(self._show(RECTIFIER, x, None, self.live_inputs if inputs else self.live))


class Block(abc.ABC):
    """A part of a network. Kinds are frozen dataclasses, which makes blocks with equal fields equal."""

    def parameters(self) -> dict[str, Values]:
        """Returns the trained arrays, none by default; the names of kernels end in `kernel`."""
        return {}

    def statistics(self) -> dict[str, Values]:
        """Returns the mean and the variance of each batch normalization, which is known by its scale."""
        found: dict[str, Values] = {}
        for name, scale in self.parameters().items():
            if name.endswith("_scale"):
                start = name.removesuffix("scale")
                found |= {f"{start}mean": Values(scale.shape), f"{start}variance": Values(scale.shape, mean=1.0)}
        return found

    @abc.abstractmethod
    def compute(self, x: Any, scope: Scope) -> jax.Array:
        """Returns the output of the block for x."""

    def num_flops(self) -> int:
        """Returns the multiply-accumulates for one example, by default 0: there are no multiplications with weights."""
        return 0

    def __call__(self, x: Any, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
        """Returns the output of the block for x, and its statistics after it: in training, the batch's statistics."""
        scope = Scope(parameters, statistics, train)
        return self.compute(x, scope), scope.changed

    @property
    def num_parameters(self) -> int:
        """Returns how many numbers are trained."""
        return _length(self.parameters())


Slot = tuple[Block, ...]
"""The blocks that may be at one place of a network; all give arrays of one shape."""


def slot_sizes(slot: Slot) -> tuple[int, int]:
    """Returns the lengths of the vectors that can hold the parameters and the statistics of any block."""
    return max(map(_length, _each(slot, 0))), max(map(_length, _each(slot, 1)))


def init_slot(slot: Slot, choice: int | jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the initial vectors of a slot with a block."""
    (means, deviations), (statistics, _) = (_initial(slot, kind) for kind in range(2))
    noise = jax.random.normal(key, means.shape[1:])
    return jnp.asarray(means)[choice] + jnp.asarray(deviations)[choice] * noise, jnp.asarray(statistics)[choice]


def slot_kernels(slot: Slot, choice: int | jax.Array, first: int) -> tuple[jax.Array, jax.Array]:
    """Returns which numbers of a slot's vector are of kernels, float32[P], and the layer of each, -1 for others.

    Args:
        first: the number of the slot's first layer.
    """
    numbers = np.stack([_layers(block, slot_sizes(slot)[0]) for block in slot])
    layer = jnp.asarray(np.where(numbers >= 0, numbers + first, -1).astype(np.int32))[choice]
    return (layer >= 0).astype(jnp.float32), layer


def num_layers(slot: Slot) -> int:
    """Returns the maximum number of kernels in a block of the slot."""
    return max(sum(name.endswith(KERNEL) for name in arrays) for arrays in _each(slot, 0))


Filled = Iterable[tuple["Slot", int | jax.Array]]
"""The slots of a network from the input on, each with the number of the block in it."""


def init_slots(filled: Filled, key: jax.Array) -> Variables:
    """Returns the initial arrays of a network: of each slot, a vector of parameters and one of statistics."""
    made = [init_slot(slot, choice, jax.random.fold_in(key, number)) for number, (slot, choice) in enumerate(filled)]
    parameters, statistics = zip(*made, strict=True)
    return Variables(list(parameters), list(statistics))


def kernels_of_slots(filled: Filled) -> Kernels:
    """Returns which parameters of a network are kernels of its blocks; layers are numbered from the input on."""
    live, layers, first = [], [], 0
    for slot, choice in filled:
        found = slot_kernels(slot, choice, first)
        live.append(found[0])
        layers.append(found[1])
        first += num_layers(slot)
    return Kernels(live, layers, first)


def unpack(vector: jax.Array, arrays: dict[str, Values]) -> dict[str, jax.Array]:
    """Returns arrays that are stored one after another at the front of a vector."""
    sizes = [values.size for values in arrays.values()]
    parts = jax.lax.split(vector, [*sizes, vector.size - sum(sizes)])
    return {name: part.reshape(values.shape) for (name, values), part in zip(arrays.items(), parts, strict=False)}


def unpacked(blocks: Sequence[Block], variables: Variables) -> list[tuple[dict, dict]]:
    """Returns the parameters and the statistics of blocks, from the front of a vector for each."""
    return [
        (unpack(parameters, block.parameters()), unpack(statistics, block.statistics()))
        for block, parameters, statistics in zip(blocks, *variables, strict=True)
    ]


def size_of(blocks: Sequence[Block]) -> Size:
    """Returns the `Size` of a network of blocks."""
    return Size(sum(block.num_parameters for block in blocks), sum(block.num_flops() for block in blocks))


def pack(arrays: dict[str, jax.Array], size: int) -> jax.Array:
    """Returns arrays one after another, padded with zeros."""
    values = [each.reshape(-1) for each in arrays.values()]
    return jnp.concatenate([*values, jnp.zeros(size - sum(each.size for each in values))])


@functools.cache
def traced_slot(slot: Slot, train: bool) -> Callable:
    """Returns `(choice, x, parameters, statistics) -> (y, statistics)` of a slot, of whose blocks one runs.

    The backward pass keeps the inputs and runs the block again: by default, differentiation would store the residuals
    of every block. Under `jax.vmap` with an unbatched choice the branches remain branches.
    """
    forwards = [functools.partial(_forward, block, train) for block in slot]
    if len(slot) == 1:
        return lambda choice, x, parameters, statistics: forwards[0](x, parameters, statistics)

    @jax.custom_vjp
    def run(choice: jax.Array, x: Any, parameters: jax.Array, statistics: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.lax.switch(choice, forwards, x, parameters, statistics)

    def forward(choice: jax.Array, *inputs: Any) -> tuple[tuple[jax.Array, jax.Array], tuple]:
        return run(choice, *inputs), (choice, *inputs)

    def backward(residuals: tuple, gradients: tuple[jax.Array, jax.Array]) -> tuple:
        choice, *inputs = residuals
        branches = [functools.partial(_backward, each) for each in forwards]
        found = jax.lax.switch(choice, branches, *inputs, gradients[0])
        return np.zeros(jnp.shape(choice), jax.dtypes.float0), *found, jnp.zeros_like(inputs[-1])

    run.defvjp(forward, backward)
    return run


def run_slot(
    slot: Slot,
    choice: int | jax.Array,
    x: Any,
    parameters: jax.Array,
    statistics: jax.Array,
    train: bool,
    recorder: Recorder,
) -> tuple[jax.Array, jax.Array]:
    """Returns the output of a slot, and its statistics after it; with an active recorder, the statistics before."""
    if recorder.silent:
        return traced_slot(slot, train)(choice, x, parameters, statistics)

    def run(block: Block, inside: Recorder, x: Any, parameters: jax.Array, statistics: jax.Array) -> jax.Array:
        arrays = unpack(parameters, block.parameters()), unpack(statistics, block.statistics())
        return block.compute(x, Scope(*arrays, train, inside))

    branches = recorder.branches([functools.partial(run, block) for block in slot])
    y, found = jax.lax.switch(choice, branches, x, parameters, statistics)
    recorder.add(found)
    return y, statistics


def _forward(
    block: Block, train: bool, x: Any, parameters: jax.Array, statistics: jax.Array
) -> tuple[jax.Array, jax.Array]:
    arrays = unpack(parameters, block.parameters()), unpack(statistics, block.statistics())
    y, changed = block(x, *arrays, train)
    return y, pack(changed, statistics.size)


def _backward(
    forward: Callable, x: Any, parameters: jax.Array, statistics: jax.Array, gradient: jax.Array
) -> tuple[Any, jax.Array]:
    return jax.vjp(lambda x, parameters: forward(x, parameters, statistics)[0], x, parameters)[1](gradient)


def _each(slot: Slot, kind: int) -> list[dict[str, Values]]:
    return [block.statistics() if kind else block.parameters() for block in slot]


def _length(arrays: dict[str, Values]) -> int:
    return sum(values.size for values in arrays.values())


@functools.cache
def _initial(slot: Slot, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the means and the deviations of the initial vectors of each block, both float32[K, P]."""
    found = np.zeros((2, len(slot), slot_sizes(slot)[kind]), np.float32)
    for number, arrays in enumerate(_each(slot, kind)):
        end = 0
        for values in arrays.values():
            start, end = end, end + values.size
            found[:, number, start:end] = [[values.mean], [values.deviation]]
    return found[0], found[1]


def _layers(block: Block, size: int) -> np.ndarray:
    """Returns the number of the kernel of a block that each number of its vector is of, int[P], -1 for others."""
    found, end, number = np.full(size, -1), 0, 0
    for name, values in block.parameters().items():
        start, end = end, end + values.size
        if name.endswith(KERNEL):
            found[start:end] = number
            number += 1
    return found
