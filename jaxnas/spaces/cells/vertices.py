"""The graph of a cell with operations on vertices rather than on edges, for traced architectures."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.graphs import pruned_mask
from jaxnas.spaces.layers.base import FUNCTION, IDENTITY, Operation

Carry = tuple[jax.Array, jax.Array, jax.Array]


def operations_on_vertices(
    arch: jax.Array, cell_edges: tuple[tuple[int, int], ...], operations: tuple[Operation, ...]
) -> tuple[jax.Array, jax.Array]:
    """Returns a cell as labels int32[E + 2] and edges bool[E + 2, E + 2]; see `jaxnas.spaces.graphs`.

    Vertices are the input, the edges of the cell, and the output. Labels are positions in `operations`; the input has
    the next number, the output the last. There is a vertex only for an edge that computes something: zeros and dead
    edges are absent, identities are bypassed, and equal applications of an operation without parameters are one vertex,
    the first. So cells of one class have one graph, up to the order of vertices. The graph does not count how often a
    vertex reads another one: x + x has the same graph as x.
    """
    names = jnp.concatenate([jnp.asarray([len(operations)]), arch, jnp.asarray([len(operations) + 1])])
    reads, present = _applications(names, cell_edges, operations)
    labels = jnp.where(present, names, -1).astype(jnp.int32)
    live = pruned_mask(labels, reads.T).at[np.asarray([0, -1])].set(True)
    return jnp.where(live, labels, -1), reads.T & live[:, None] & live


def _applications(
    names: jax.Array, cell_edges: tuple[tuple[int, int], ...], operations: tuple[Operation, ...]
) -> tuple[jax.Array, jax.Array]:
    """Returns which vertices each vertex reads, bool[V, V], and which vertices there are, bool[V], dead ones, too."""
    identity = jnp.asarray([operation.role == IDENTITY for operation in operations])
    function = jnp.asarray([operation.role == FUNCTION for operation in operations])
    shared = function & np.asarray([operation.init is None for operation in operations])
    num_vertices, num_nodes = len(names), 1 + max(target for _, target in cell_edges)
    numbers = np.arange(num_vertices)

    def apply(carry: Carry, edge: jax.Array) -> tuple[Carry, None]:
        sums, reads, present = carry  # sums: which vertices are added up at each node of the cell
        vertex, source, target = edge
        name, argument = names[vertex], sums[source]
        applies = function[name] & argument.any()
        equal = shared[name] & present & (names == name) & (reads == argument).all(1)
        result = jnp.where(equal.any(), jnp.argmax(equal), vertex)
        passed = jnp.where(identity[name], argument, applies & (numbers == result))
        present = present.at[vertex].set(applies & ~equal.any())
        return (sums.at[target].set(sums[target] | passed), reads.at[vertex].set(argument), present), None

    input_only = jnp.zeros((num_nodes, num_vertices), bool).at[0, 0].set(True)
    start = input_only, jnp.zeros((num_vertices, num_vertices), bool), jnp.asarray(numbers == 0)
    edges = jnp.asarray([(number + 1, *edge) for number, edge in enumerate(cell_edges)], jnp.int32)
    (sums, reads, present), _ = jax.lax.scan(apply, start, edges)
    return reads.at[-1].set(sums[-1]), present.at[-1].set(True)
