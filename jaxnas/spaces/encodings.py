"""Encodings for every space: functions of an architecture whose values, float32[F], predictors learn from.

An encoding takes one architecture of its space, which may be traced; `jax.vmap` gives batches. Architectures of an
enumerated space, which are rows, have the features of those behind the rows. Encodings that know cells are in
`jaxnas.spaces.cells.encodings`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_size
from jaxnas.spaces import decisions, graphs
from jaxnas.spaces.base import Space

Encoding = Callable[[jax.Array], jax.Array]
"""`arch int32[D] -> float32[F]`."""


@functools.cache
def one_hot(space: Space) -> Encoding:
    """Returns the encoding with one feature for each value of each decision, 1 if chosen, else 0: [D] -> float32[F].

    Features are ordered by decision and then by value.
    """

    def encode(arch: jax.Array) -> jax.Array:
        return decisions.one_hot(space.choices(arch), space.plain.decisions)

    return encode


@functools.cache
def adjacency(space: Space) -> Encoding:
    """Returns the encoding by the adjacency matrix and the one-hot labels of a graph: [D] -> float32[F].

    The graph is `space.labeled`. The first features are 1 for each pair of vertices u < v with an edge from u to v,
    ordered by u and then by v; the others for each vertex and label, 1 if the vertex has it. White, Neiswanger,
    Nolen and Savani, "A Study on Encodings for Neural Architecture Search", NeurIPS 2020.
    """
    num_labels = len(space.label_names)

    def encode(arch: jax.Array) -> jax.Array:
        labels, edges = space.labeled(arch)
        above = edges[np.triu_indices(len(labels), 1)]
        chosen = labels[:, None] == np.arange(num_labels)
        return jnp.concatenate([above, chosen.reshape(-1)]).astype(jnp.float32)

    return encode


@functools.cache
def weisfeiler_lehman(space: Space, *, num_iterations: int = 1, num_buckets: int = 256) -> Encoding:
    """Returns the encoding by the counts of Weisfeiler-Lehman labels in a graph: [D] -> float32[F].

    The graph is `space.labeled`; see `graphs.label_counts`. Ru, Wan, Dong and Osborne, "Interpretable Neural
    Architecture Search via Bayesian Optimization with Weisfeiler-Lehman Kernels", ICLR 2021.

    Args:
        num_iterations: how often labels are refined; 0 counts labels only.
        num_buckets: features of each iteration; labels that share one are counted together.
    """
    sizes = {
        "num_iterations": checked_size("num_iterations", num_iterations, smallest=0),
        "num_buckets": checked_size("num_buckets", num_buckets),
    }
    num_labels = len(space.label_names)

    def encode(arch: jax.Array) -> jax.Array:
        labels, edges = space.labeled(arch)
        counted = jnp.ones(len(labels), bool)
        return graphs.label_counts(labels, edges, counted, num_labels=num_labels, **sizes)

    return encode
