"""The space of DARTS: two cells, each of four nodes with two inputs and their operations."""

import ast
import itertools
import math
import re
from dataclasses import dataclass, field
from typing import ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import unknown_name
from jaxnas.spaces.base import Space
from jaxnas.spaces.darts import drawing
from jaxnas.spaces.decisions import Choices, Decision, checked

CITES = ("liu2019darts",)

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
CELLS, NUM_NODES, NUM_INPUTS = ("normal", "reduce"), 4, 2
PAIRS = tuple(tuple(itertools.combinations(range(NUM_INPUTS + node), 2)) for node in range(NUM_NODES))
"""The pairs of inputs that each node may have: the outputs of the two cells before are 0 and 1, nodes follow."""
_ORDERS = tuple(itertools.permutations(range(NUM_NODES)))
_NUM_CHOICES = 3 * NUM_NODES
_CARDINALITIES = [size for pairs in PAIRS for size in (len(pairs), len(OPERATIONS), len(OPERATIONS))]
_WEIGHTS = np.asarray([math.prod(_CARDINALITIES[place + 1 :]) for place in range(_NUM_CHOICES)], np.int32)
_CONCAT = list(range(NUM_INPUTS, NUM_INPUTS + NUM_NODES))


def _decisions() -> tuple[Decision, ...]:
    found = []
    for cell in CELLS:
        for node, pairs in enumerate(PAIRS, start=NUM_INPUTS):
            names = tuple(f"{first},{second}" for first, second in pairs)
            found.append(Decision(f"{cell} {node} inputs", names))
            found += [Decision(f"{cell} {node} operation {number}", OPERATIONS) for number in (1, 2)]
    return tuple(found)


@final
@dataclass(frozen=True)
class DARTSSpace(Space):
    """The search space of DARTS: a normal and a reduction cell, each of four nodes that add up two operations.

    An architecture is int32[24]: for each node of the normal cell and then of the reduction cell the pair of its
    inputs, different and by ascending number, and the operation on each. Every vector is an architecture, and there
    are too many for rows. Cells that differ in the order of their nodes are one class.
    """

    name: str = "darts"
    decisions: tuple[Decision, ...] = field(default=_decisions(), init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.darts.networks:DARTSNetworks"

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's class: of each cell, the smallest order of its nodes."""
        arch = jnp.asarray(arch, jnp.int32)
        return jnp.concatenate([_smallest(arch[:_NUM_CHOICES]), _smallest(arch[_NUM_CHOICES:])])

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as a genotype, `"Genotype(normal=[('sep_conv_3x3', 0), ...], ...)"`."""
        values = checked(arch, self.decisions)
        cells = (genes(values[start : start + _NUM_CHOICES]) for start in (0, _NUM_CHOICES))
        parts = [f"{name}={genes}, {name}_concat={_CONCAT}" for name, genes in zip(CELLS, cells, strict=True)]
        return f"Genotype({', '.join(parts)})"

    def from_str(self, text: str) -> jax.Array:
        """Returns the architecture of a genotype, whose nodes may name their inputs in any order.

        Raises ValueError if it is malformed, or no architecture of the space.
        """
        choices: list[int] = []
        for cell in CELLS:
            found = re.search(rf"\b{cell}\s*=\s*(\[[^\[\]]*\])", text)
            choices += _choices(_literal(found[1]) if found else None, text)
        return jnp.asarray(choices, jnp.int32)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Returns the operations of each cell, the cells before for each, "input" and "output"."""
        operations = (f"{cell} {operation}" for cell in CELLS for operation in OPERATIONS)
        before = (f"{cell} cell -{back}" for cell in CELLS for back in (2, 1))
        return (*operations, *before, "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns both cells side by side, with a vertex for each operation and each cell before.

        A node is the sum of its two operations: its readers read both.
        """
        arch = jnp.asarray(arch, jnp.int32)
        first_before = len(CELLS) * len(OPERATIONS)
        labels, num_vertices = [jnp.asarray([first_before + 4])], 2 + len(CELLS) * (NUM_INPUTS + 2 * NUM_NODES)
        edges = jnp.zeros((num_vertices, num_vertices), bool)
        start = 1
        for number in range(len(CELLS)):
            cell = arch[number * _NUM_CHOICES :][:_NUM_CHOICES].reshape(NUM_NODES, 3)
            labels += [first_before + NUM_INPUTS * number + jnp.arange(NUM_INPUTS)]
            labels += [cell[:, 1:].reshape(-1) + number * len(OPERATIONS)]
            edges = edges.at[0, start : start + NUM_INPUTS].set(True)
            edges = _with_reads(edges, cell, start)
            edges = edges.at[start + NUM_INPUTS : start + NUM_INPUTS + 2 * NUM_NODES, -1].set(True)
            start += NUM_INPUTS + 2 * NUM_NODES
        return jnp.concatenate([*labels, jnp.asarray([first_before + 5])]).astype(jnp.int32), edges

    def drawing(self, arch: Choices) -> str:
        """Returns both cells as an SVG image; see `jaxnas.spaces.darts.drawing`."""
        values = checked(arch, self.decisions)
        cells = {name: genes(values[_NUM_CHOICES * number :][:_NUM_CHOICES]) for number, name in enumerate(CELLS)}
        return drawing.draw(cells, OPERATIONS)


def _with_reads(edges: jax.Array, cell: jax.Array, start: int) -> jax.Array:
    """Returns edges and the edges of a cell int32[4, 3] with vertices from `start` on: from the operations' inputs."""
    vertices = np.arange(NUM_INPUTS + 2 * NUM_NODES)
    owner = np.where(vertices < NUM_INPUTS, vertices, NUM_INPUTS + (vertices - NUM_INPUTS) // 2)
    for node, pairs in enumerate(PAIRS):
        inputs = jnp.asarray(pairs)[cell[node, 0]]
        for number in range(2):
            vertex = start + NUM_INPUTS + 2 * node + number
            edges = edges.at[start + vertices, vertex].set(owner == inputs[number])
    return edges


def _smallest(cell: jax.Array) -> jax.Array:
    """Returns a cell int32[12] with its nodes in the order that makes its choices smallest."""
    nodes = cell.reshape(NUM_NODES, 3)
    inputs = jnp.stack([jnp.asarray(pairs)[nodes[node, 0]] for node, pairs in enumerate(PAIRS)])
    found = [_reordered(inputs, nodes[:, 1:], order) for order in _ORDERS]
    cells, allowed = (jnp.stack(each) for each in zip(*found, strict=True))
    numbers = jnp.where(allowed, (cells * _WEIGHTS).sum(-1), jnp.iinfo(jnp.int32).max)
    return cells[jnp.argmin(numbers)]


def _reordered(inputs: jax.Array, operations: jax.Array, order: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Returns the choices of a cell with its nodes in another order, and whether each follows its inputs.

    Args:
        inputs, operations: of the nodes, both int32[4, 2].
        order: the node that comes first, second, ...
    """
    places = np.asarray([*range(NUM_INPUTS), *(NUM_INPUTS + np.argsort(order))], np.int32)
    moved = jnp.asarray(places)[inputs[np.asarray(order)]]
    swapped = moved[:, 0] > moved[:, 1]
    lower, upper = moved.min(1), moved.max(1)
    ranks = [_rank(lower[node], upper[node], node) for node in range(NUM_NODES)]
    named = operations[np.asarray(order)]
    named = jnp.where(swapped[:, None], named[:, ::-1], named)
    allowed = (upper < NUM_INPUTS + np.arange(NUM_NODES)).all()
    return jnp.concatenate([jnp.stack(ranks)[:, None], named], 1).reshape(-1), allowed


def _rank(lower: jax.Array, upper: jax.Array, node: int) -> jax.Array:
    """Returns the position of a pair of inputs among the pairs of a node, 0 if it is not among them."""
    ranks = np.zeros((NUM_INPUTS + NUM_NODES,) * 2, np.int32)
    ranks[tuple(zip(*PAIRS[node], strict=True))] = np.arange(len(PAIRS[node]))
    return jnp.asarray(ranks)[lower, upper]


def genes(choices: tuple[int, ...]) -> list[tuple[str, int]]:
    """Returns the operations of a cell with their inputs, two a node."""
    found = []
    for node, pairs in enumerate(PAIRS):
        pair, *operations = choices[3 * node : 3 * node + 3]
        found += [(OPERATIONS[operation], source) for operation, source in zip(operations, pairs[pair], strict=True)]
    return found


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _choices(genes: object, text: str) -> list[int]:
    """Returns the choices of a cell's genes. Raises ValueError if they are none of a cell of the space."""
    if (
        not isinstance(genes, list)
        or len(genes) != 2 * NUM_NODES
        or not all(isinstance(gene, tuple) and [type(each) for each in gene] == [str, int] for gene in genes)
    ):
        shown = text if len(text) < 60 else f"{text[:60]}..."
        raise ValueError(f"Expected a genotype with 8 pairs such as ('sep_conv_3x3', 0) in each cell, got {shown!r}.")
    found = []
    for node, pairs in enumerate(PAIRS):
        (first, lower), (second, upper) = sorted(genes[2 * node : 2 * node + 2], key=lambda gene: gene[1])
        if (lower, upper) not in pairs:
            raise ValueError(f"Expected two inputs below {NUM_INPUTS + node} for a node, got {lower} and {upper}.")
        for name in (first, second):
            if name not in OPERATIONS:
                raise unknown_name("an operation", name, OPERATIONS)
        found += [pairs.index((lower, upper)), OPERATIONS.index(first), OPERATIONS.index(second)]
    return found


DARTS = DARTSSpace()
"""The space of DARTS: 1.08e18 architectures."""
