"""Codes of graphs of NAS-Bench-101, equal for isomorphic graphs, and the look-up of a code's row.

The hash is written with a scalar for each edge and each vertex, and with barriers between rounds: as arithmetic on
matrices it is a hundred times slower on a CPU, because fusion recomputes shared values.
"""

import itertools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.graphs import hash_label

NUM_VERTICES, MAX_EDGES, NUM_OPERATIONS = 7, 9, 3
PAIRS = tuple(itertools.combinations(range(NUM_VERTICES), 2))
"""The possible edges, row after row of the upper triangle of the adjacency matrix."""
NUM_EDGES = len(PAIRS)
INPUT, OUTPUT = NUM_OPERATIONS, NUM_OPERATIONS + 1
"""Labels of the first and the last vertex; the labels of the others are the numbers of their operations."""
NUM_ROUNDS = 2
"""Rounds of refinement; two distinguish all graphs of the space."""
_SALTS = (0x51ED270B, 0x2545F491)
_BUCKET_BITS = 19
MOST_IN_A_BUCKET = 8

Edges = dict[tuple[int, int], jax.Array]


def edges_of(arch: jax.Array) -> Edges:
    """Returns for each pair of vertices whether there is an edge, bool[]."""
    return {pair: arch[number] == 1 for number, pair in enumerate(PAIRS)}


def live_vertices(edges: Edges) -> list[jax.Array]:
    """Returns for each vertex whether it is on a path from the first to the last one, bool[]."""
    last = NUM_VERTICES - 1
    reached, needed = {0: jnp.asarray(True)}, {last: jnp.asarray(True)}
    for target in range(1, NUM_VERTICES):
        reached[target] = _any(reached[source] & edges[source, target] for source in range(target))
    for source in reversed(range(last)):
        needed[source] = _any(needed[target] & edges[source, target] for target in range(source + 1, NUM_VERTICES))
    return [reached[vertex] & needed[vertex] for vertex in range(NUM_VERTICES)]


def _any(values: Iterable[jax.Array]) -> jax.Array:
    first, *others = values
    for other in others:
        first = first | other
    return first


def graph_code(arch: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the code of an architecture int32[26], two words of uint32[]: equal for isomorphic graphs, and only then.

    Vertices and edges that are on no path from input to output do not enter.
    """
    edges = edges_of(arch)
    live = live_vertices(edges)
    edges = {(source, target): edge & live[source] & live[target] for (source, target), edge in edges.items()}
    operations = [arch[NUM_EDGES + number] for number in range(NUM_VERTICES - 2)]
    labels = [jnp.int32(INPUT), *operations, jnp.int32(OUTPUT)]
    edges, live, labels = jax.lax.optimization_barrier((edges, live, labels))
    return _lane(edges, live, labels, _SALTS[0]), _lane(edges, live, labels, _SALTS[1])


def _lane(edges: Edges, live: list[jax.Array], labels: list[jax.Array], salt: int) -> jax.Array:
    words = [hash_label(label, jnp.uint32(salt)) for label in labels]
    for _ in range(NUM_ROUNDS + 1):  # the first round sees the degrees
        words = jax.lax.optimization_barrier(_refined(words, edges, salt))
    total = _sum(jnp.where(alive, word, 0) for alive, word in zip(live, words, strict=True))
    return hash_label(total, jnp.uint32(salt))


def _refined(words: list[jax.Array], edges: Edges, salt: int) -> list[jax.Array]:
    """Returns each vertex's word, mixed with its predecessors' words and, differently, with its successors' words."""
    passed = [word * jnp.uint32(0x9E3779B9) ^ (word >> 15) for word in words]
    mixed = []
    for vertex, word in enumerate(words):
        before = _sum(jnp.where(edges[other, vertex], passed[other], 0) for other in range(vertex))
        after = _sum(jnp.where(edges[vertex, other], passed[other], 0) for other in range(vertex + 1, NUM_VERTICES))
        mixed.append(hash_label(hash_label(word, before), after ^ jnp.uint32(salt)))
    return mixed


def _sum(values: Iterable[jax.Array]) -> jax.Array:
    total = jnp.uint32(0)
    for value in values:
        total = total + value
    return total


@jax.jit
def graph_codes(archs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the codes of architectures int32[N, 26], two uint32[N]."""
    return jax.vmap(graph_code)(archs)


def bucket_starts(codes: np.ndarray) -> np.ndarray:
    """Returns the first position of each bucket, the codes of equal upper bits, among ascending uint32[A]."""
    return np.searchsorted(codes >> (32 - _BUCKET_BITS), np.arange(1 << _BUCKET_BITS)).astype(np.int32)


def row_of(starts: jax.Array, first: jax.Array, second: jax.Array, arch: jax.Array) -> jax.Array:
    """Returns the row of an architecture, int32[]: the position of its code.

    Args:
        starts: see `bucket_starts`.
        first, second: the words of all codes, ascending, with as many more at the end as a bucket may hold.
    """
    code = graph_code(jnp.asarray(arch, jnp.int32))
    start = jnp.asarray(starts)[code[0] >> jnp.uint32(32 - _BUCKET_BITS)]
    positions = start + jnp.arange(MOST_IN_A_BUCKET)
    found = (jnp.asarray(first)[positions] == code[0]) & (jnp.asarray(second)[positions] == code[1])
    return start + jnp.argmax(found).astype(jnp.int32)
