"""Networks with a recurrent cell: a cell over the steps of a sequence, and a linear map of its outputs.

The functions take a traced architecture. Which state a node reads and which function it applies are chosen by
selection, not by branches: a state is a few thousand numbers, and all choices together, which XLA fuses into one loop,
cost less than a branch.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.checks import checked_flag, checked_size
from jaxnas.spaces.layers.steps import chosen, num_features, steps_of
from jaxnas.spaces.recurrent.space import ACTIVATIONS, parts
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.recorder import BLOCK, FEATURES, LINEAR, OUTPUT, RECTIFIER, SILENT, Recorder

MAX_WIDTH = 4096


@dataclass(frozen=True)
class Recurrence:
    """The settings of a network besides its cell.

    Attributes:
        width: the size of a state.
        gate: whether each state mixes the node's input and its activation of it, weighted by a gate, as in DARTS, with
            twice the parameters. Cells then differ less.
    """

    width: int = 24
    gate: bool = False

    def __post_init__(self) -> None:
        checked_size("width", self.width, 1, MAX_WIDTH, "whose linear maps are kept for every node")
        checked_flag("gate", self.gate)


class Arrays(NamedTuple):
    """The parameters of a network: W is the width, twice that with a gate; H the width, n the number of nodes.

    `inputs` [F, W] and `recurrent` [H, W] of a step's input and the last output, with `offset` [W]; `nodes` [n, H, W];
    `head` [H, K] with `head_offset` [K].
    """

    inputs: jax.Array
    recurrent: jax.Array
    offset: jax.Array
    nodes: jax.Array
    head: jax.Array
    head_offset: jax.Array


def make_arrays(num_nodes: int, recurrence: Recurrence, spec: TaskSpec, key: jax.Array) -> Arrays:
    """Returns initial parameters: normal, with the variance with which a linear map preserves the size of its input."""
    width = recurrence.width
    mapped = 2 * width if recurrence.gate else width
    features = num_features(spec)
    shapes = ((features, mapped), (width, mapped), (num_nodes, width, mapped), (width, spec.num_outputs))
    fans = (features if spec.kind == "sequences" else 1, width, width, width)  # of tokens, one number is not 0
    inputs, recurrent, nodes, head = (
        jax.random.normal(part, shape) / fan**0.5
        for part, shape, fan in zip(jax.random.split(key, 4), shapes, fans, strict=True)
    )
    return Arrays(inputs, recurrent, jnp.zeros(mapped), nodes, head, jnp.zeros(spec.num_outputs))


def over_steps(
    step: Callable[[Any, jax.Array], tuple[Any, Any]], carry: Any, projected: jax.Array, real: jax.Array
) -> tuple[Any, Any]:
    """Returns the carry of a cell after the last real step, and its outputs at each step, the axis of steps first.

    Args:
        step: `(carry, projected [N, W]) -> (carry, given)`; the carry has leading axes [N].
        projected: [N, T, W].
        real: bool[N, T]; a step of padding changes nothing.
    """

    def masked(carry: Any, at: tuple[jax.Array, jax.Array]) -> tuple[Any, Any]:
        new, given = step(carry, at[0])
        return jax.tree.map(lambda old, each: jnp.where(at[1][:, None], each, old), carry, new), given

    return jax.lax.scan(masked, carry, (jnp.moveaxis(projected, 1, 0), jnp.moveaxis(real, 1, 0)))


def outputs(
    recurrence: Recurrence,
    spec: TaskSpec,
    arch: jax.Array,
    arrays: Arrays,
    inputs: jax.Array,
    recorder: Recorder = SILENT,
) -> jax.Array:
    """Returns the outputs [N, K], or [N, T, K] if the goal has one a step, of inputs [N, T, F] or tokens [N, T].

    Inputs of all steps are mapped together, and so are the outputs of all; with a recorder, step by step.
    """
    steps, real = steps_of(spec, inputs)
    if recorder.silent:
        steps = steps @ arrays.inputs + arrays.offset
    each_step = GOALS[spec.goal].each_step
    start = jnp.zeros((inputs.shape[0], recurrence.width))

    def step(state: jax.Array, at: jax.Array) -> tuple[jax.Array, tuple[Any, Any]]:
        show = recorder.inside()
        if not show.silent:
            at = show.rows(BLOCK, show.rows(LINEAR, at @ arrays.inputs, 0) + arrays.offset, 0)
        new = show.rows(BLOCK, cell(recurrence, arch, arrays, state, at, show), 1)
        given = new if each_step else ()
        if each_step and not show.silent:
            given = show.rows(LINEAR, show.rows(FEATURES, new, 0) @ arrays.head, OUTPUT)
        return new, (given, show.statistics)

    last, (given, found) = over_steps(step, start, steps, real)
    recorder.add_steps(found)
    if not each_step:
        found = recorder.rows(LINEAR, recorder.rows(FEATURES, last, 0) @ arrays.head, OUTPUT)
    else:
        found = jnp.moveaxis(given, 0, 1)
        found = found @ arrays.head if recorder.silent else found
    return found + arrays.head_offset


def cell(
    recurrence: Recurrence, arch: jax.Array, arrays: Arrays, state: jax.Array, projected: jax.Array, show: Recorder
) -> jax.Array:
    """Returns the output of a cell [N, H], given its last one and the projected input of a step [N, W]."""
    parents, activations = parts(arch)
    linear = show.rows(LINEAR, state @ arrays.recurrent, 1) + projected
    states = [_mixed(recurrence, show.rows(RECTIFIER, linear, 0), jnp.tanh, state)]
    for node in range(len(arrays.nodes)):
        read = chosen(parents[node], states)
        linear = show.rows(LINEAR, read @ arrays.nodes[node], node + 2)
        linear = show.rows(RECTIFIER, linear, node + 1)
        states.append(_mixed(recurrence, linear, functools.partial(activated, activations[node]), read))
    return sum(states[1:], jnp.zeros_like(state)) / len(arrays.nodes)


def _mixed(recurrence: Recurrence, linear: jax.Array, function: Callable, read: jax.Array) -> jax.Array:
    """Returns the state of a node: a function of its linear map; with a gate, mixed with the state that it reads."""
    if not recurrence.gate:
        return function(linear)
    gate, made = jnp.split(linear, 2, axis=-1)
    return read + jax.nn.sigmoid(gate) * (function(made) - read)


def activated(number: jax.Array, x: jax.Array) -> jax.Array:
    """Returns the activation function of a number, position in `ACTIVATIONS`, of x."""
    tanh, relu, sigmoid, _ = (number == position for position in range(len(ACTIVATIONS)))
    smooth = jnp.tanh(jnp.where(sigmoid, 0.5 * x, x))
    smooth = jnp.where(sigmoid, 0.5 * smooth + 0.5, smooth)
    return jnp.where(tanh | sigmoid, smooth, jnp.where(relu, jnp.maximum(x, 0), x))


class RecurrentNetwork(nnx.Module):
    """The network of one architecture: `network(inputs, train=False) -> outputs`.

    Inputs are [N, T, F] with NaN for steps of padding, or tokens int[N, T] with -1; T may be any number.

    Attributes:
        inputs, recurrent: `nnx.Linear` of the step's input and of the cell's last output, which are added.
        nodes: an `nnx.Linear` for each node.
        head: an `nnx.Linear` of the cell's output.
    """

    def __init__(self, recurrence: Recurrence, spec: TaskSpec, arch: tuple[int, ...], arrays: Arrays):
        self.recurrence, self.spec, self.arch = recurrence, spec, tuple(arch)
        self.inputs = _linear(arrays.inputs, arrays.offset)
        self.recurrent = _linear(arrays.recurrent)
        self.nodes = nnx.List([_linear(kernel) for kernel in arrays.nodes])
        self.head = _linear(arrays.head, arrays.head_offset)

    def __call__(self, inputs: jax.Array, train: bool = False) -> jax.Array:
        """Returns the outputs [N, K], or [N, T, K] with one a step."""
        nodes = jnp.stack([node.kernel[...] for node in self.nodes])
        assert self.inputs.bias is not None
        assert self.head.bias is not None  # as both were made with one
        arrays = Arrays(
            self.inputs.kernel[...],
            self.recurrent.kernel[...],
            self.inputs.bias[...],
            nodes,
            self.head.kernel[...],
            self.head.bias[...],
        )
        return outputs(self.recurrence, self.spec, jnp.asarray(self.arch), arrays, jnp.asarray(inputs))


def _linear(kernel: jax.Array, bias: jax.Array | None = None) -> nnx.Linear:
    made = nnx.Linear(
        *kernel.shape, use_bias=bias is not None, kernel_init=nnx.initializers.zeros_init(), rngs=nnx.Rngs(0)
    )
    made.kernel.set_value(kernel)
    if bias is not None:
        assert made.bias is not None
        made.bias.set_value(bias)
    return made
