"""Spaces of recurrent cells: for each node, which state it reads and its activation function."""

from dataclasses import dataclass, field
from typing import ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices, Decision, checked, position

CITES = ("pham2018enas", "liu2019darts")

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
MAX_NODES = 16
INPUT, OUTPUT = "x, h", "mean"
"""The labels of a cell's first state, made of the input and the last output, and of its output."""
_END = -1


@final
@dataclass(frozen=True)
class RecurrentSpace(Space):
    """The search space of recurrent cells of `num_nodes` nodes, as in ENAS and DARTS.

    The first state is made of the step's input and the cell's last output. Each node reads the first state or the state
    of an earlier node, and has a separate linear map and activation function; the cell's output is the mean of all
    nodes. So the states are a tree. An architecture is int32[2 n - 1]: the activation of the first node, then for each
    other one the state that it reads, 0 for the first, and its activation. Every vector is an architecture. Cells that
    differ in the order of their nodes are one class.

    Attributes:
        num_nodes: 1 or more; 3 make 384 architectures in 188 classes, 4 make 6,144 in 1,499.
    """

    num_nodes: int = 8
    name: str = "recurrent"
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.recurrent.networks:recurrent_networks()"
    drawing_note: ClassVar[str] = "The output is the mean of all nodes."

    def __post_init__(self) -> None:
        checked_size("num_nodes", self.num_nodes, 1, MAX_NODES, "whose orders are compared")
        decisions = [Decision("activation 1", ACTIVATIONS)]
        for node in range(2, self.num_nodes + 1):
            read = ("input", *(f"node {before}" for before in range(1, node)))
            decisions += [Decision(f"node {node} reads", read), Decision(f"activation {node}", ACTIVATIONS)]
        object.__setattr__(self, "decisions", tuple(decisions))

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's class: nodes in depth-first order, smaller subtrees first.

        `arch` may be traced.
        """
        parents, activations = parts(jnp.asarray(arch, jnp.int32))
        return _vector(*_depth_first(parents, activations))

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as the source, 0 the first state, and activation of each node: `"0.tanh-1.relu"`."""
        parents, activations = parts(np.asarray(checked(arch, self.decisions)))
        pairs = zip(parents.tolist(), activations.tolist(), strict=True)
        return "-".join(f"{parent}.{ACTIVATIONS[activation]}" for parent, activation in pairs)

    def from_str(self, text: str) -> jax.Array:
        nodes = [node.partition(".") for node in text.strip().split("-")]
        if len(nodes) != self.num_nodes:
            raise self.malformed(text)
        choices = []
        for number, (parent, _, activation) in enumerate(nodes):
            if not parent.isdecimal() or int(parent) > number:
                raise ValueError(f"Expected node {number + 1} to read a state from 0 to {number}, got {parent!r}.")
            choices += [int(parent), position("an activation", activation, ACTIVATIONS)]
        return jnp.asarray(choices[1:], jnp.int32)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Returns the activations, and the names of the first state and of the output."""
        return (*ACTIVATIONS, INPUT, OUTPUT)

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the tree of states, with an edge from each node to the output."""
        parents, activations = parts(jnp.asarray(arch, jnp.int32))
        ends = jnp.asarray([len(ACTIVATIONS), len(ACTIVATIONS) + 1])
        states = np.arange(self.num_nodes + 2)
        reads = jnp.concatenate([jnp.asarray([_END]), parents, jnp.asarray([_END])])
        edges = (reads == states[:, None]).at[1 : self.num_nodes + 1, -1].set(True)
        return jnp.concatenate([ends[:1], activations, ends[1:]]).astype(jnp.int32), edges

    def drawn(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the tree of states, without the mean of all nodes, whose edges would hide it."""
        labels, edges = self.labeled(arch)
        return labels[:-1], edges[:-1, :-1]


def parts(arch: jax.Array | np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Returns the state that each node reads, 0 the first one and i for node i, and its activation, both int32[n]."""
    module = np if isinstance(arch, np.ndarray) else jnp
    pairs = module.concatenate([module.zeros(1, arch.dtype), arch]).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _vector(parents: jax.Array, activations: jax.Array) -> jax.Array:
    return jnp.stack([parents, activations], axis=1).reshape(-1)[1:].astype(jnp.int32)


def _depth_first(parents: jax.Array, activations: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the nodes of a tree in depth-first order, the subtrees of a state in ascending order of their codes.

    The code of a subtree is the sequence, in that order, of its nodes' depths and activations. Equal subtrees thus have
    equal codes.
    """
    num_nodes, base = len(parents), len(ACTIVATIONS)
    places = np.arange(num_nodes)
    codes = jnp.full((num_nodes + 1, num_nodes), _END)
    lengths = jnp.zeros(num_nodes + 1, jnp.int32)
    for state in reversed(range(num_nodes + 1)):
        below, sizes = codes[state + 1 :], lengths[state + 1 :]
        code = jnp.full(num_nodes, _END)
        used = jnp.asarray(min(state, 1))
        if state:
            code = code.at[0].set(activations[state - 1])
        if state < num_nodes:
            own = parents[state:] == state
            order = jnp.lexsort((*(below[:, place] for place in reversed(range(num_nodes))), ~own))
            below, sizes = below[order], jnp.where(own, sizes, 0)[order]
            starts = used + jnp.cumsum(sizes) - sizes
            target = jnp.where(places < sizes[:, None], starts[:, None] + places, num_nodes)
            code = code.at[target.reshape(-1)].set((below + base).reshape(-1), mode="drop")
            used = used + sizes.sum()
        codes, lengths = codes.at[state].set(code), lengths.at[state].set(used)
    depths = codes[0] // base  # 1 for those that read the first state
    earlier = (depths == depths[:, None] - 1) & (places < places[:, None])
    return jnp.where(earlier, places + 1, 0).max(1), codes[0] % base


RECURRENT = RecurrentSpace()
"""Cells of eight nodes, as in DARTS: 2.64e9 architectures."""
RECURRENT_3 = RecurrentSpace(3, "recurrent-3")
RECURRENT_4 = RecurrentSpace(4, "recurrent-4")
