"""Which changes of a graph of NAS-Bench-101 leave an architecture, all judged at once by numbers of paths.

Vertices have an order: an edge from u to v adds as many paths as lead to u, times the number that lead on from v.
Judged one by one, the 31 changed graphs cost twenty times as much.
"""

import jax
import jax.numpy as jnp

from jaxnas.spaces.nasbench101.codes import MAX_EDGES, NUM_EDGES, NUM_OPERATIONS, NUM_VERTICES, PAIRS

NUM_MOVES = NUM_EDGES + (NUM_VERTICES - 2) * (NUM_OPERATIONS - 1)


def valid_moves(arch: jax.Array) -> jax.Array:
    """Returns which neighbors of a vector int32[26] are architectures, int32[]: bit i stands for neighbor i.

    Neighbors are in the order of `decisions.neighbors`: each edge changed, then each operation to each other one.
    """
    edges = {pair: arch[number] for number, pair in enumerate(PAIRS)}
    num_edges = arch[:NUM_EDGES].sum()
    to, onward = jax.lax.optimization_barrier(_paths(edges))
    num_paths = to[NUM_VERTICES - 1]
    bits = jnp.where((num_paths > 0) & (num_edges <= MAX_EDGES), (1 << NUM_MOVES) - (1 << NUM_EDGES), 0)
    for number, (source, target) in enumerate(PAIRS):
        added = 1 - 2 * edges[source, target]
        valid = (num_paths + added * to[source] * onward[target] > 0) & (num_edges + added <= MAX_EDGES)
        bits |= valid.astype(jnp.int32) << number
    return bits


def _paths(edges: dict[tuple[int, int], jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
    """Returns for each vertex how many paths lead to it from the first one, and from it to the last, int32[] each."""
    one, vertices = jnp.int32(1), range(NUM_VERTICES)
    to, onward = [one], {NUM_VERTICES - 1: one}
    for target in vertices[1:]:
        to.append(sum(to[source] * edges[source, target] for source in range(target)))
    for source in reversed(vertices[:-1]):
        onward[source] = sum(onward[target] * edges[source, target] for target in vertices[source + 1 :])
    return to, [onward[vertex] for vertex in vertices]


def bit_at(bits: jax.Array, number: jax.Array) -> jax.Array:
    """Returns the position of a set bit of int32[], 0 or more, by its number among those that are set, int32[]."""
    position = jnp.int32(0)
    for width in (16, 8, 4, 2, 1):
        below = jax.lax.population_count(bits >> position & ((1 << width) - 1))
        further = number >= below
        position, number = position + jnp.where(further, width, 0), number - jnp.where(further, below, 0)
    return position
