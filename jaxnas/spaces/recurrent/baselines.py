"""Recurrent cells of the literature, as a space of three: baselines, trained by the same loop as searched cells."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.spaces.layers.steps import num_features, steps_of
from jaxnas.spaces.recurrent.network import Recurrence, over_steps
from jaxnas.spaces.recurrent.networks import UngatedNetworks
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Networks, Size, Variables
from jaxnas.training.recorder import SILENT, Recorder

CITES = ("elman1990finding", "hochreiter1997long", "cho2014learning")

CELLS = ("tanh", "gru", "lstm")
NUM_MAPS = {"tanh": 1, "gru": 3, "lstm": 4}
"""The number of linear maps of a step in each cell."""
MOST = max(NUM_MAPS.values())


@final
@dataclass(frozen=True)
class ReferenceSpace(Space):
    """The space of three cells: a recurrent network with tanh, gated recurrent units (GRU), and an LSTM."""

    name: str = "recurrent-references"
    decisions: tuple[Decision, ...] = field(default=(Decision("cell", CELLS),), init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.recurrent.baselines:BaselineNetworks"


class Arrays(NamedTuple):
    """The parameters of a network, with room for the cell of the most linear maps, m: `inputs` [F, m, H], `recurrent`
    [H, m, H], `offset` [m, H], `head` [H, K] and `head_offset` [K].
    """

    inputs: jax.Array
    recurrent: jax.Array
    offset: jax.Array
    head: jax.Array
    head_offset: jax.Array


def _states(name: str, arrays: Arrays, steps: jax.Array, real: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the state after the last real step [N, H], and after each step [T, N, H]."""
    count, width = NUM_MAPS[name], arrays.head.shape[0]
    used = (arrays.inputs[:, :count].reshape(-1, count * width), arrays.recurrent[:, :count].reshape(width, -1))
    projected = steps @ used[0] + arrays.offset[:count].reshape(-1)

    def step(carry: tuple[jax.Array, jax.Array], at: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        state, memory = cell(name, *carry, at, carry[0] @ used[1])
        return (state, memory), state

    start = jnp.zeros((len(steps), width))
    (last, _), given = over_steps(step, (start, start), projected, real)
    return last, given


def cell(
    name: str, state: jax.Array, memory: jax.Array, inputs: jax.Array, recurrent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the next state and the next memory of a cell, both [N, H]; only an LSTM has a memory.

    Args:
        inputs, recurrent: the linear maps of the step's input, with offsets, and of the state, [N, m H] both: for a GRU
            reset gate, update gate and new state, for an LSTM input gate, forget gate, new memory and output gate.
    """
    width = state.shape[-1]
    one, other = (values.reshape(*values.shape[:-1], -1, width) for values in (inputs, recurrent))
    if name == "tanh":
        return jnp.tanh(one[..., 0, :] + other[..., 0, :]), memory
    if name == "gru":
        reset, update = (jax.nn.sigmoid(one[..., number, :] + other[..., number, :]) for number in range(2))
        new = jnp.tanh(one[..., 2, :] + reset * other[..., 2, :])
        return (1 - update) * new + update * state, memory
    enters, kept, new, shown = (one[..., number, :] + other[..., number, :] for number in range(4))
    memory = jax.nn.sigmoid(kept) * memory + jax.nn.sigmoid(enters) * jnp.tanh(new)
    return jax.nn.sigmoid(shown) * jnp.tanh(memory), memory


class ReferenceNetwork(nnx.Module):
    """The network of one of the cells: `network(inputs) -> outputs`."""

    def __init__(self, spec: TaskSpec, arch: tuple[int, ...], arrays: Arrays):
        count = NUM_MAPS[CELLS[arch[0]]]
        self.spec, self.cell = spec, CELLS[arch[0]]
        self.inputs, self.recurrent = nnx.Param(arrays.inputs[:, :count]), nnx.Param(arrays.recurrent[:, :count])
        self.offset = nnx.Param(arrays.offset[:count])
        self.head, self.head_offset = nnx.Param(arrays.head), nnx.Param(arrays.head_offset)

    def __call__(self, inputs: jax.Array, train: bool = False) -> jax.Array:
        """Returns the outputs [N, K], or [N, T, K] with one a step."""
        steps, real = steps_of(self.spec, jnp.asarray(inputs))
        arrays = Arrays(
            *(each[...] for each in (self.inputs, self.recurrent, self.offset, self.head, self.head_offset))
        )
        last, given = _states(self.cell, arrays, steps, real)
        states = jnp.moveaxis(given, 0, 1) if GOALS[self.spec.goal].each_step else last
        return states @ arrays.head + arrays.head_offset


@final
class BaselineNetworks(Networks):
    """The networks of the three cells, trained as searched cells are."""

    space: ReferenceSpace
    inputs = UngatedNetworks.inputs
    goals = UngatedNetworks.goals
    default = UngatedNetworks.default
    plans: ClassVar = {"sequential": sequential_plan("switch-sequential-1")}

    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        """Returns the initial arrays, drawn as for searched cells; the forget gate of an LSTM is open, its offset 1."""
        width, features, num_outputs = self.config.network.width, num_features(self.spec), self.spec.num_outputs
        fan = features if self.spec.kind == "sequences" else 1
        first, second, third = jax.random.split(key, 3)
        offset = jnp.zeros((MOST, width)).at[1].set(jnp.where(arch[0] == CELLS.index("lstm"), 1.0, 0.0))
        return Variables(
            Arrays(
                jax.random.normal(first, (features, MOST, width)) / fan**0.5,
                jax.random.normal(second, (width, MOST, width)) / width**0.5,
                offset,
                jax.random.normal(third, (width, num_outputs)) / width**0.5,
                jnp.zeros(num_outputs),
            )
        )

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the outputs of inputs [N, T, F] or tokens [N, T], as searched cells give them."""
        arrays: Arrays = variables.parameters
        steps, real = steps_of(self.spec, inputs)
        branches = [lambda arrays, steps, name=name: _states(name, arrays, steps, real) for name in CELLS]
        last, given = jax.lax.switch(choice[0], branches, arrays, steps)
        states = jnp.moveaxis(given, 0, 1) if GOALS[self.spec.goal].each_step else last
        return Applied(states @ arrays.head + arrays.head_offset)

    def module(self, arch: tuple[int, ...], variables: Variables) -> ReferenceNetwork:
        return ReferenceNetwork(self.spec, arch, variables.parameters)

    def size(self, arch: tuple[int, ...]) -> Size:
        recurrence: Recurrence = self.config.network
        step = (num_features(self.spec) + 1 + recurrence.width) * NUM_MAPS[CELLS[arch[0]]] * recurrence.width
        head = (recurrence.width + 1) * self.spec.num_outputs
        num_heads = self.spec.shape[0] if GOALS[self.spec.goal].each_step else 1
        return Size(step + head, self.spec.shape[0] * step + num_heads * head)


BASELINE_CELLS = ReferenceSpace()
