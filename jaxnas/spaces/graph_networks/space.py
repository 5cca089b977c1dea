"""The space of NAS-Bench-Graph: graph neural networks of four layers, each of which reads the input or one before."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import unknown_name
from jaxnas.spaces.base import Space, check_valid
from jaxnas.spaces.decisions import Choices, Decision, mixed_radix, num_combinations, radix_weights
from jaxnas.spaces.enumerated import padded_rows, symmetric_closure

CITES = ("qin2022nasbenchgraph",)

LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
"""The source of each of four layers: the input, 0, or an earlier layer. The output reads layers that no layer reads."""
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
PROTEINS_OPERATIONS = ("gcn", "sage", "arma", "fc", "skip")
"""Those that were trained on `proteins`."""
SKIP, NUM_LAYERS = "skip", 4


@final
@dataclass(frozen=True)
class GraphNetworkSpace(Space):
    """The search space of NAS-Bench-Graph: trees of four layers with an operation each.

    An architecture is int32[5]: the position of its links in `LINKS`, and of the operation of each layer in
    `operations`. Architectures that are the same network are one row: the order of equal branches does not count, nor
    does the place of an identity that a later layer reads, or that is its only reader's sibling. At least one layer is
    not an identity. A row has the neighbors of all its members.

    Attributes:
        operations: names of operations, `"skip"` last.
    """

    operations: tuple[str, ...] = OPERATIONS
    name: str = "nb-graph"
    networks: ClassVar[str] = "jaxnas.spaces.graph_networks.networks:GraphNetworks"
    decisions: tuple[Decision, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        layers = (Decision(f"layer {number}", self.operations) for number in range(1, NUM_LAYERS + 1))
        object.__setattr__(self, "decisions", (Decision("links", LINKS), *layers))

    def valid(self, arch: jax.Array, /) -> jax.Array:
        """Returns whether a layer is not an identity, bool[]."""
        return (jnp.asarray(arch)[..., 1:] != len(self.operations) - 1).any(-1)

    @property
    def codes(self) -> np.ndarray:
        """Returns the mixed-radix numbers of the representatives, ascending, int32[A]."""
        return _enumerated(self)[0]

    @property
    def indexer(self) -> jax.tree_util.Partial:
        """Returns the function from an architecture to the row of its network, whose arrays are leaves."""
        weights = radix_weights(self.decisions).astype(np.int32)
        return jax.tree_util.Partial(_row, weights, _enumerated(self)[1])

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture: identities before all other layers, branches in order."""
        return self.arch_at(self.index(arch))

    def classes(self) -> np.ndarray:
        """Returns each row: no two rows are the same network."""
        return np.arange(self.num_architectures, dtype=np.int32)

    def neighbor_rows(self) -> np.ndarray:
        """Returns the rows of the neighbors of each network, int32[A, K], its own row after them."""
        return padded_rows(*symmetric_closure(_neighbor_pairs(self), self.num_architectures))

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as its links and operations, `"0012/gcn-gat-fc-skip"`."""
        links, *operations = self.decode(arch).values()
        return f"{links}/{'-'.join(operations)}"

    def from_str(self, text: str) -> jax.Array:
        links, _, names = text.strip().partition("/")
        operations = names.split("-")
        if len(operations) != NUM_LAYERS:
            raise ValueError(f"Expected an architecture such as '0012/gcn-sage-fc-skip', got {text!r}.")
        if links not in LINKS:
            raise unknown_name("links", links, LINKS)
        for name in operations:
            if name not in self.operations:
                raise unknown_name("an operation", name, self.operations)
        choices = [LINKS.index(links), *(self.operations.index(name) for name in operations)]
        return check_valid(self, jnp.asarray(choices, jnp.int32))

    @property
    def label_names(self) -> tuple[str, ...]:
        return (*self.operations, "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the layers of the representative, between the input and the output, which reads the last ones."""
        arch = self.canonical(arch)
        sources = np.asarray([[int(digit) for digit in links] for links in LINKS])
        edges = np.zeros((len(LINKS), NUM_LAYERS + 2, NUM_LAYERS + 2), bool)
        for number, read in enumerate(sources):
            edges[number, read, np.arange(1, NUM_LAYERS + 1)] = True
            edges[number, 1:-1, -1] = ~edges[number, 1:-1, :-1].any(1)
        ends = len(self.operations) + np.arange(2)
        return jnp.concatenate([ends[:1], arch[1:], ends[1:]]).astype(jnp.int32), jnp.asarray(edges)[arch[0]]


def _row(weights: ArrayLike, rows: ArrayLike, arch: ArrayLike) -> jax.Array:
    return jnp.asarray(rows)[mixed_radix(weights, arch)]


@functools.lru_cache(maxsize=8)
def _enumerated(space: GraphNetworkSpace) -> tuple[np.ndarray, np.ndarray]:
    """Returns the codes of representatives, int32[A], and the row of each vector, int32[N]; 0 if not valid."""
    weights = radix_weights(space.decisions)
    codes = np.arange(num_combinations(space.decisions))
    archs = codes[:, None] // weights % [len(decision.values) for decision in space.decisions]
    skips = archs[:, 1:] == len(space.operations) - 1
    smallest = codes.copy()
    for number, links in enumerate(LINKS):
        for skipped in itertools.product((False, True), repeat=NUM_LAYERS):
            chosen = np.flatnonzero((archs[:, 0] == number) & (skips == skipped).all(1))
            found = [
                np.concatenate([np.full((len(chosen), 1), target), archs[chosen][:, 1 + np.asarray(order)]], 1)
                @ weights
                for target, order in _same_networks([int(digit) for digit in links], list(skipped))
            ]
            smallest[chosen] = np.min(found, axis=0)
    valid = ~skips.all(1)
    representatives = np.unique(smallest[valid])
    rows = np.where(valid, np.searchsorted(representatives, smallest), 0)
    return representatives.astype(np.int32), rows.astype(np.int32)


def _same_networks(links: list[int], skipped: list[bool]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yields the listed links, by number, and the orders of layers that make a network with identities in front.

    Args:
        links: the source of each layer.
        skipped: which layers are identities.
    """
    layers = list(range(1, NUM_LAYERS + 1))
    reads = dict(zip(layers, links, strict=True))
    front = []
    while moved := [layer for layer in reads if skipped[layer - 1] and _does_nothing(layer, reads)]:
        layer = moved[0]
        source = reads.pop(layer)
        reads = {other: source if read == layer else read for other, read in reads.items()}
        front.append(layer)
    for order in itertools.permutations(reads):
        places = {0: len(front)} | {layer: len(front) + place for place, layer in enumerate(order, start=1)}
        digits = [*range(len(front)), *(places[reads[layer]] for layer in order)]
        name = "".join(str(digit) for digit in digits)
        if name in LINKS and all(source < place for place, source in enumerate(digits, start=1)):
            yield LINKS.index(name), tuple(layer - 1 for layer in [*front, *order])


def _does_nothing(layer: int, reads: dict[int, int]) -> bool:
    """Returns whether an identity can be omitted: a layer reads it, no other has its source, or that is the input."""
    is_read = layer in reads.values()
    has_siblings = any(other != layer and read == reads[layer] for other, read in reads.items())
    return is_read or not has_siblings or reads[layer] == 0


def _neighbor_pairs(space: GraphNetworkSpace) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the rows of vectors that differ in one choice."""
    _, rows = _enumerated(space)
    sizes = [len(decision.values) for decision in space.decisions]
    grid = rows.reshape(sizes)
    valid = np.ones((len(LINKS), len(space.operations) ** NUM_LAYERS), bool)
    valid[:, -1] = False  # identities only
    valid = valid.reshape(sizes)
    for axis, size in enumerate(sizes):
        for step in range(1, size):
            both = valid & np.roll(valid, step, axis)
            yield grid[both], np.roll(grid, step, axis)[both]


NB_GRAPH = GraphNetworkSpace()
"""The space of NAS-Bench-Graph: 26,206 networks."""

GRAPH_NETWORKS = GraphNetworkSpace(name="graph-networks")
"""The same networks, by the name under which they are trained here."""

NB_GRAPH_PROTEINS = GraphNetworkSpace(PROTEINS_OPERATIONS, "nb-graph-proteins")
"""The networks that NAS-Bench-Graph has on `proteins`: 2,021 of them."""
