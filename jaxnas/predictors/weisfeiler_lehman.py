"""A Gaussian process on the graphs of architectures, by the labels of Weisfeiler and Lehman."""

import functools
import itertools

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_size
from jaxnas.predictors.base import Predictor
from jaxnas.predictors.gaussian import Kernel, process
from jaxnas.spaces import graphs
from jaxnas.spaces.base import Space
from jaxnas.spaces.cells import encodings as cells
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.encodings import Encoding, weisfeiler_lehman

CITES = ("ru2021interpretable", "kriege2016valid")
LENGTHS = (0.4, 0.8, 1.6, 3.2)


@functools.cache
def gp_wl(space: Space, *, num_iterations: int = 2, num_buckets: int = 512) -> Predictor:
    """Returns a Gaussian process with the optimal assignment kernel of Weisfeiler-Lehman labels.

    The similarity of two graphs is the number of labels that they share, each matched with one of the other graph's,
    up to an iteration, over the root of the product of each graph's own: Ru, Wan, Dong and Osborne, "Interpretable
    Neural Architecture Search via Bayesian Optimization with Weisfeiler-Lehman Kernels", ICLR 2021, with the kernel of
    Kriege, Giscard and Wilson, "On Valid Optimal Assignment Kernels", NeurIPS 2016. Unlike there, the similarity is
    the mean over two graphs (labels from predecessors, with identities as vertices of a cell; and from successors in
    `Space.labeled`, without them), and the kernel is exp((similarity - 1) / length). Iterations and length maximize
    the marginal likelihood. Labels are hashed to buckets.

    Args:
        num_iterations: the maximum number of refinements of the labels.
        num_buckets: the number of features of each iteration.
    """
    sizes = {"num_iterations": checked_size("num_iterations", num_iterations, smallest=0), "num_buckets": num_buckets}
    checked_size("num_buckets", num_buckets)
    views = (before(space, **sizes), after(space, **sizes))
    arch = jax.ShapeDtypeStruct((len(space.decisions),), jnp.int32)
    widths = [jax.eval_shape(view, arch).shape[0] for view in views]
    ends = [[width - left * num_buckets for left in reversed(range(num_iterations + 1))] for width in widths]
    grid = list(itertools.product(range(num_iterations + 1), LENGTHS))

    def encode(arch: jax.Array) -> jax.Array:
        return jnp.concatenate([view(arch) for view in views])

    def compare(one: jax.Array, other: jax.Array) -> jax.Array:
        parts = [shared_labels(each[0], each[1], end) for each, end in zip(split(one, other), ends, strict=True)]
        return sum(parts[1:], parts[0]) / len(parts)

    def split(*features: jax.Array) -> list[list[jax.Array]]:
        return [[each[:, : widths[0]] for each in features], [each[:, widths[0] :] for each in features]]

    def combine(parts: jax.Array, number: jax.Array) -> jax.Array:
        iteration, length = jnp.asarray(grid).T[:, number.astype(int)]
        return jnp.exp((parts[iteration.astype(int)] - 1) / length)

    numbers = tuple(float(number) for number in range(len(grid)))
    fit, predict = process(Kernel(compare, combine), numbers)
    return Predictor("gp_wl", encode, fit, predict, hyperparameters=tuple(sizes.items()))


def before(space: Space, *, num_iterations: int, num_buckets: int) -> Encoding:
    """Returns counts of labels that are made of predecessors'; identities are vertices in a cell."""
    made = cells.weisfeiler_lehman if isinstance(space.plain, CellSpace) else weisfeiler_lehman
    return made(space, num_iterations=num_iterations, num_buckets=num_buckets)


def after(space: Space, *, num_iterations: int, num_buckets: int) -> Encoding:
    """Returns counts of labels that are made of successors'."""
    sizes = {"num_labels": len(space.label_names), "num_iterations": num_iterations, "num_buckets": num_buckets}

    def encode(arch: jax.Array) -> jax.Array:
        labels, edges = space.labeled(arch)
        return graphs.label_counts(labels, jnp.asarray(edges).T, jnp.ones(len(labels), bool), **sizes)

    return encode


def shared_labels(one: jax.Array, other: jax.Array, ends: list[int]) -> jax.Array:
    """Returns the similarities of counts [m, F] and [n, F] up to each of the positions `ends`, float32[E, m, n]."""
    starts = [0, *ends[:-1]]

    def shared(row: jax.Array) -> jax.Array:
        parts = [jnp.minimum(row[a:b], other[:, a:b]).sum(-1) for a, b in zip(starts, ends, strict=True)]
        return jnp.cumsum(jnp.stack(parts), axis=0)

    common = jnp.moveaxis(jax.lax.map(shared, one), 0, 1)
    totals = [jnp.stack([each[:, :end].sum(-1) for end in ends]) for each in (one, other)]
    return common / jnp.sqrt(jnp.maximum(totals[0][:, :, None] * totals[1][:, None], 1))
