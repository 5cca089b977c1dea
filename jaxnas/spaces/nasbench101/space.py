"""The space of NAS-Bench-101: 423,624 graphs of up to seven vertices and nine edges, with operations on vertices."""

import functools
from dataclasses import dataclass, field
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.checks import unknown_name
from jaxnas.spaces import decisions as of_decisions
from jaxnas.spaces.base import Space, check_valid
from jaxnas.spaces.decisions import Choices, Decision, checked
from jaxnas.spaces.enumerated import padded_rows
from jaxnas.spaces.nasbench101.codes import (
    INPUT,
    MAX_EDGES,
    NUM_EDGES,
    NUM_OPERATIONS,
    NUM_VERTICES,
    OUTPUT,
    PAIRS,
    edges_of,
    live_vertices,
    row_of,
)
from jaxnas.spaces.nasbench101.enumeration import NUM_GRAPHS, all_graphs, neighbors
from jaxnas.spaces.nasbench101.mutation import bit_at, valid_moves
from jaxnas.spaces.validity import valid_sample

CITES = ("ying2019nasbench101",)

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
_DECISIONS = (
    *(Decision(f"{source}-{target}", (0, 1)) for source, target in PAIRS),
    *(Decision(f"operation {vertex}", OPERATIONS) for vertex in range(1, NUM_VERTICES - 1)),
)


@final
@dataclass(frozen=True)
class NB101Space(Space):
    """The search space of NAS-Bench-101: directed graphs without cycles, with operations on vertices.

    An architecture is int32[26]: whether there is an edge between each pair of seven vertices, by the first and then
    by the second, and the operations of the five vertices between input and output. Vertices that are on no path from
    input to output do not count, so smaller graphs are architectures, too. At most nine edges are allowed, including
    edges that do not count, as in the benchmark. Rows are the 423,624 graphs that are not isomorphic. They are
    enumerated when first needed, in seconds, and then kept in the cache folder.

    Neighbors of a vector differ in one edge or operation. Neighbors of a row differ in one edge such that all vertices
    still count, in one operation, or in a vertex with one edge in and one out. Networks are not trained.
    """

    name: str = "nb101"
    decisions: tuple[Decision, ...] = field(default=_DECISIONS, init=False, repr=False)

    @property
    def codes(self) -> None:
        """Returns None: rows are not numbered by mixed-radix numbers."""
        return None

    @property
    def num_architectures(self) -> int:
        """Returns the number of graphs that are not isomorphic."""
        return NUM_GRAPHS

    @property
    def indexer(self) -> jax.tree_util.Partial:
        """Returns the function from an architecture to the row of its graph, by its hash; its arrays are leaves."""
        return _indexer()

    def arch_at(self, row: ArrayLike) -> jax.Array:
        """Returns the representative of the graph at a row, int32[26]: its vertices come first."""
        graphs, row = all_graphs(), jnp.asarray(row)
        matrix, labels = jnp.asarray(graphs.matrix)[row][..., None], jnp.asarray(graphs.labels)[row][..., None]
        edges = matrix >> np.arange(NUM_EDGES, dtype=np.int32) & 1
        weights = NUM_OPERATIONS ** np.arange(NUM_VERTICES - 2, dtype=np.int32)[::-1]
        return jnp.concatenate([edges, labels.astype(jnp.int32) // weights % NUM_OPERATIONS], -1).astype(jnp.int32)

    def valid(self, arch: jax.Array, /) -> jax.Array:
        """Returns whether there are at most nine edges and a path from input to output, bool[]."""
        arch = jnp.asarray(arch)
        return (arch[:NUM_EDGES].sum() <= MAX_EDGES) & live_vertices(edges_of(arch))[0]

    def sample_bits(self, key: jax.Array) -> jax.Array:
        """Returns a draw as published searches draw: each edge with probability 1/2, until it is valid, int32[26].

        It is far from uniform over graphs: `sample` is uniform.
        """
        return valid_sample(self, key)

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns the representative of a uniformly drawn graph, int32[26]."""
        return self.arch_at(prng.draw_index(key, NUM_GRAPHS))

    def mutate(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        """Returns a uniformly drawn neighbor of an architecture, as `Space.mutate` does, in less time."""
        valid = valid_moves(arch)
        number = bit_at(valid, prng.draw_index(key, jax.lax.population_count(valid)))
        return jnp.where(valid == 0, arch, of_decisions.neighbor_at(arch, number, self.decisions))

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's graph."""
        return self.arch_at(self.index(arch))

    def classes(self) -> np.ndarray:
        """Returns each row: no two graphs are isomorphic."""
        return np.arange(NUM_GRAPHS, dtype=np.int32)

    def neighbor_rows(self) -> np.ndarray:
        """Returns the rows of the neighbors of each graph, int32[A, K], its own row after them."""
        return padded_rows(*neighbors())

    def graphs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the identifiers of the graph of each row: edges as bits, int32[A]; operations in base 3, uint8[A]."""
        return all_graphs()[:2]

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as the benchmark's files write it: adjacency matrix row by row, then operations.

        `"0100000...|input,conv3x3-bn-relu,...,output"`, with 49 digits.
        """
        choices = checked(arch, self.decisions)
        matrix = np.zeros((NUM_VERTICES, NUM_VERTICES), int)
        matrix[tuple(zip(*PAIRS, strict=True))] = choices[:NUM_EDGES]
        operations = [OPERATIONS[choice] for choice in choices[NUM_EDGES:]]
        return f"{''.join(map(str, matrix.reshape(-1)))}|{','.join(['input', *operations, 'output'])}"

    def from_str(self, text: str) -> jax.Array:
        """Returns the architecture of a string in the format of `to_str`, of up to seven vertices.

        Raises ValueError if it is malformed or no architecture.
        """
        digits, _, names = text.strip().partition("|")
        labels = names.split(",")
        size = len(labels)
        if not 2 <= size <= NUM_VERTICES or len(digits) != size**2 or set(digits) - set("01"):
            raise self._malformed(text)
        matrix = np.asarray([int(digit) for digit in digits]).reshape(size, size)
        if [labels[0], labels[-1]] != ["input", "output"] or np.tril(matrix).any():
            raise self._malformed(text)
        arch = np.zeros(len(self.decisions), np.int32)
        for source, target in zip(*np.nonzero(matrix), strict=True):
            arch[PAIRS.index((source, target if target < size - 1 else NUM_VERTICES - 1))] = 1
        for position, name in enumerate(labels[1:-1]):
            if name not in OPERATIONS:
                raise unknown_name("an operation", name, OPERATIONS)
            arch[NUM_EDGES + position] = OPERATIONS.index(name)
        return check_valid(self, jnp.asarray(arch))

    def _malformed(self, text: str) -> ValueError:
        return ValueError(
            f"Expected a graph of up to {NUM_VERTICES} vertices such as '0100|input,output', got {text!r}."
        )

    @property
    def label_names(self) -> tuple[str, ...]:
        return (*OPERATIONS, "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the vertices and edges that are on a path from input to output."""
        arch = jnp.asarray(arch, jnp.int32)
        edges = edges_of(arch)
        live = jnp.stack(live_vertices(edges))
        matrix = jnp.zeros((NUM_VERTICES, NUM_VERTICES), bool)
        matrix = matrix.at[tuple(np.transpose(PAIRS))].set(jnp.stack(list(edges.values())))
        labels = jnp.concatenate([jnp.asarray([INPUT]), arch[NUM_EDGES:], jnp.asarray([OUTPUT])])
        return jnp.where(live, labels, -1).astype(jnp.int32), matrix & live[:, None] & live


@functools.cache
def _indexer() -> jax.tree_util.Partial:
    graphs = all_graphs()
    return jax.tree_util.Partial(row_of, graphs.starts, graphs.first, graphs.second)


NB101 = NB101Space()
"""The space of NAS-Bench-101."""
