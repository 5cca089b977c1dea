"""Cell spaces: a small graph whose every edge carries one of a few operations. `NB201` is the best-known instance."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import checks
from jaxnas.spaces.base import Space
from jaxnas.spaces.cells import drawing, graph
from jaxnas.spaces.cells.paths import path_features
from jaxnas.spaces.cells.vertices import operations_on_vertices
from jaxnas.spaces.decisions import Choices, Decision, checked, position
from jaxnas.spaces.enumerated import MAX_ENUMERABLE, check_enumerable
from jaxnas.spaces.layers import OPERATIONS
from jaxnas.spaces.layers.base import ZERO, Operation, as_operation

CITES = ("dong2020nasbench201",)
MAX_NODES = 100


@final
@dataclass(frozen=True)
class CellSpace(Space):
    """The search space of all cells on a complete graph of `num_nodes` nodes.

    Nodes are 0 to num_nodes - 1, with an edge between each pair, from the lower to the higher. A decision is the
    operation on one edge, in the order 0-1, 0-2, 1-2, 0-3, ... (by target, then by source).

    Attributes:
        num_nodes: nodes of the cell, input and output included; 2 or more.
        operations: the choices for an edge: names of `OPERATIONS`, `Operation`s, or functions `(x, parameters,
            statistics, train) -> (y, statistics)`.

    Raises ValueError on fewer than two nodes or operations, unknown names, or two operations of one
    name.
    """

    num_nodes: int
    operations: tuple[Operation, ...]
    name: str = "cell"
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.cells.networks:CellNetworks"

    if TYPE_CHECKING:

        def __init__(
            self, num_nodes: int, operations: Iterable[Operation | str | Callable], name: str = "cell"
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.num_nodes, int) or self.num_nodes < 2:
            raise ValueError(f"Expected at least 2 nodes, got {self.num_nodes!r:.40}.")
        checks.checked_size("num_nodes", self.num_nodes, 2, MAX_NODES, "which have 4,950 edges, each in the program")
        operations = tuple(_resolve(operation) for operation in self.operations)
        names = tuple(operation.name for operation in operations)
        if len(set(names)) != len(names) or len(names) < 2:
            raise ValueError(f"Expected two or more operations with different names, got {list(names)}.")
        if any(character in name for name in names for character in "|~+"):
            raise ValueError(f"Expected operation names without any of |~+, got {list(names)}.")
        decisions = tuple(Decision(f"{source}-{target}", names) for source, target in self.edges)
        object.__setattr__(self, "operations", operations)
        object.__setattr__(self, "decisions", decisions)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Returns the pairs (source, target) of the cell, in the order of the decisions."""
        return tuple((source, target) for target in range(1, self.num_nodes) for source in range(target))

    def graph(self, arch: Choices) -> graph.Graph:
        """Returns the graph of a cell, dead edges included."""
        choices = checked(arch, self.decisions)
        edges = (graph.Edge(*edge, self.operations[choice]) for edge, choice in zip(self.edges, choices, strict=True))
        return graph.Graph(self.num_nodes, tuple(edges))

    def pruned(self, arch: ArrayLike) -> jax.Array:
        """Returns the architecture with a zero operation on its dead edges; `arch` may be traced."""
        zeros = [operation.role == ZERO for operation in self.operations]
        arch = jnp.asarray(arch, jnp.int32)
        if not any(zeros):
            return arch
        passes = ~jnp.asarray(zeros)[arch]
        reached = [jnp.asarray(node == 0) for node in range(self.num_nodes)]
        needed = [jnp.asarray(node == self.num_nodes - 1) for node in range(self.num_nodes)]
        for number, (source, target) in enumerate(self.edges):
            reached[target] |= reached[source] & passes[number]
        for number, (source, target) in reversed(list(enumerate(self.edges))):
            needed[source] |= needed[target] & passes[number]
        live = jnp.stack([reached[source] & needed[target] for source, target in self.edges]) & passes
        return jnp.where(live, arch, zeros.index(True)).astype(jnp.int32)

    def classes(self) -> np.ndarray:
        """Returns for each row of the enumeration the row of its class's representative, int32[A].

        The representative is the smallest row of the class. Two architectures are in one class when
        `graph.canonical_form` is the same. Raises ValueError if the space is too large to enumerate.
        """
        return _classes(self)

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's class, the member with the smallest index.

        `arch` may be traced. In a space too large to enumerate, the architecture with its dead edges removed stands
        for the class instead.
        """
        if self.num_architectures > MAX_ENUMERABLE:
            return self.pruned(arch)
        return self.arch_at(jnp.asarray(self.classes())[self.index(arch)])

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture in the format of NAS-Bench-201: `"|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"`."""
        names = iter(self.decode(arch).values())
        nodes = [
            "|" + "".join(f"{next(names)}~{source}|" for source in range(target)) for target in range(1, self.num_nodes)
        ]
        return "+".join(nodes)

    def from_str(self, text: str) -> jax.Array:
        names = [operation.name for operation in self.operations]
        choices = []
        nodes = text.strip().split("+")
        if len(nodes) != self.num_nodes - 1:
            raise self.malformed(text)
        for target, node in enumerate(nodes, start=1):
            parts = node.split("|")
            if len(parts) != target + 2 or parts[0] or parts[-1]:
                raise self.malformed(text)
            for source, part in enumerate(parts[1:-1]):
                name, _, number = part.partition("~")
                if number != str(source):
                    raise self.malformed(text)
                choices.append(position("an operation", name, names))
        return jnp.asarray(choices, jnp.int32)

    def features(self, arch: ArrayLike) -> jax.Array:
        """Returns the features of the paths through a cell, float32[F], as `jaxnas.spaces.cells.encodings.path`."""
        return path_features(self.edges, self.operations)(jnp.asarray(arch, jnp.int32))

    @property
    def label_names(self) -> tuple[str, ...]:
        return (*(operation.name for operation in self.operations), "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns a cell with its operations on vertices; see `jaxnas.spaces.cells.vertices`."""
        return operations_on_vertices(jnp.asarray(arch, jnp.int32), self.edges, self.operations)

    @property
    def cell(self) -> dict:
        zero = [operation.name for operation in self.operations if operation.role == ZERO]
        return {"num_nodes": self.num_nodes, "edges": [list(edge) for edge in self.edges], "zero": zero}

    def drawing(self, arch: Choices) -> str:
        """Returns a cell as an SVG image, with operations on edges; cells of one space share their colors."""
        return drawing.draw(self.graph(arch), [operation.name for operation in self.operations])


def _resolve(operation: Operation | str | Callable) -> Operation:
    if isinstance(operation, str):
        if operation not in OPERATIONS:
            raise checks.unknown_name("an operation", operation, OPERATIONS)
        return OPERATIONS[operation]
    return as_operation(operation)


@functools.lru_cache(maxsize=8)
def _classes(space: CellSpace) -> np.ndarray:
    check_enumerable(space)
    rows = np.arange(space.num_architectures)
    with jax.ensure_compile_time_eval():  # a caller may be traced
        pruned = np.asarray(jax.jit(jax.vmap(lambda row: space.index(space.pruned(space.arch_at(row)))))(rows))
        archs = np.asarray(space.arch_at(rows))
    forms = {row: graph.canonical_form(space.graph(archs[row])) for row in np.unique(pruned)}
    first: dict[tuple, int] = {}
    return np.asarray([first.setdefault(forms[row], number) for number, row in enumerate(pruned)], np.int32)


NB201 = CellSpace(4, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"), name="nb201")
"""The topology space of NAS-Bench-201 (Dong & Yang, ICLR 2020): 15,625 cells of 4 nodes and 5 operations."""

NB201X5 = CellSpace(5, NB201.operations, name="nb201x5")
"""Cells of NAS-Bench-201's operations with a fifth node: 9,765,625 of them, too many to train."""
