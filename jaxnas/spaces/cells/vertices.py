"""The graph of a cell with operations on vertices rather than on edges, for traced architectures."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells.operations.base import FUNCTION, IDENTITY, Operation


def operations_on_vertices(
    arch: jax.Array, cell_edges: tuple[tuple[int, int], ...], operations: tuple[Operation, ...]
) -> tuple[jax.Array, jax.Array]:
    """Returns a cell as labels int32[E + 2] and edges bool[E + 2, E + 2]; see `jaxnas.spaces.graphs`.

    Vertices are the input, the edges of the cell, and the output; labels are positions in `operations`, that of the
    input the next one, that of the output the last. There is a vertex only for an edge that computes something: zeros
    and dead edges are absent, what reads an identity reads what the identity does, and equal applications of an
    operation without parameters are one vertex, the first. So cells of one class have one graph, up to the order of
    vertices. A vertex that reads another one twice is drawn as if it read it once.
    """
    reads, present = _applications(arch, cell_edges, operations)
    last = len(present) - 1
    live = np.arange(last + 1) == last
    live = jnp.asarray(live)
    for vertex in reversed(range(last)):
        live = live.at[vertex].set(present[vertex] & (reads[:, vertex] & live).any())
    live = live.at[0].set(True)
    labels = jnp.concatenate([jnp.asarray([len(operations)]), arch, jnp.asarray([len(operations) + 1])])
    return jnp.where(live, labels, -1).astype(jnp.int32), reads.T & live[:, None] & live


def _applications(
    arch: jax.Array, cell_edges: tuple[tuple[int, int], ...], operations: tuple[Operation, ...]
) -> tuple[jax.Array, jax.Array]:
    """Returns which vertices each vertex reads, bool[V, V], and which vertices there are, bool[V]; dead ones, too."""
    identity, function, shared = (
        jnp.asarray(flags)
        for flags in (
            [operation.role == IDENTITY for operation in operations],
            [operation.role == FUNCTION for operation in operations],
            [operation.role == FUNCTION and operation.init is None for operation in operations],
        )
    )
    num_vertices = len(cell_edges) + 2
    ones = jnp.eye(num_vertices, dtype=bool)
    sums = [ones[0] if node == 0 else ones[0] & False for node in range(max(target for _, target in cell_edges) + 1)]
    reads, present = [ones[0] & False], [jnp.asarray(True)]
    for number, (source, target) in enumerate(cell_edges):
        choice, argument = arch[number], sums[source]
        applies = function[choice] & argument.any()
        same = jnp.zeros(num_vertices, bool)
        if number:
            equal = (jnp.stack(reads[1:]) == argument).all(1) & (arch[:number] == choice) & jnp.stack(present[1:])
            same = same.at[1 : number + 1].set(equal & shared[choice])
        vertex = jnp.where(same.any(), ones[jnp.argmax(same)], ones[number + 1])
        sums[target] |= jnp.where(identity[choice], argument, vertex & applies)
        reads.append(argument)
        present.append(applies & ~same.any())
    return jnp.stack([*reads, sums[-1]]), jnp.stack([*present, jnp.asarray(True)])
