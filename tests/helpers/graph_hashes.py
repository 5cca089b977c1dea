"""Hashes of labeled graphs that do not depend on the order of vertices."""

import jax
import jax.numpy as jnp

from jaxnas.spaces import graphs


def wl_codes(labels: jax.Array, edges: jax.Array) -> jax.Array:
    """Returns a hash of a graph that does not depend on the order of its vertices, uint32[2].

    Weisfeiler and Leman's refinement: each round mixes into a vertex's word those of its predecessors and, otherwise,
    of its successors. Equal graphs have equal hashes; different ones have different hashes where four rounds
    distinguish them, but for collisions of 64 bits.
    """
    present, salts = labels >= 0, jnp.asarray([[1], [2]], jnp.uint32)

    def refine(_: jax.Array, words: jax.Array) -> jax.Array:
        passed = jnp.where(present, graphs.hash_label(words, jnp.uint32(0)), 0)[:, None]
        before = jnp.where(edges.T, passed, 0).sum(-1, dtype=jnp.uint32)
        after = jnp.where(edges, passed, 0).sum(-1, dtype=jnp.uint32)
        return graphs.hash_label(graphs.hash_label(words, before), after)

    words = jax.lax.fori_loop(0, 4, refine, graphs.hash_label(labels, salts))
    total = jnp.where(present, words, 0).sum(-1, dtype=jnp.uint32)
    return graphs.hash_label(total, salts[:, 0])
