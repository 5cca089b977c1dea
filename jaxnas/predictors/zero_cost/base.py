"""The objects that passes measure: untrained networks, on a batch of examples and noise."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.tasks.base import Task, TaskSpec
from jaxnas.tasks.graphs import num_features
from jaxnas.training.networks import Kernels, ScoredNetworks


class Batch(NamedTuple):
    """The data that networks are scored on: a few examples of a task's training split, and noise.

    Attributes:
        inputs: [B, ...], as balanced between classes as the split allows, classes in turns. Tokens are one-hot real
            numbers, by which outputs can be differentiated; padding is NaN.
        labels: [B, ...].
        noise: [2, B, ...], two independent standard normal draws; in graphs only of features, with the batch's edges.
    """

    inputs: jax.Array
    labels: jax.Array
    noise: jax.Array


def input_shape(spec: TaskSpec) -> tuple[int, ...]:
    """Returns the shape of one example's numbers: a number for each token that there may be."""
    return (*spec.shape, spec.num_tokens) if spec.kind == "tokens" else spec.shape


def make_batch(task: Task, size: int, seed: int) -> Batch:
    """Returns the batch of a task: `size` training examples, one of the views of each, all drawn by the seed.

    Classes take turns as long as they have examples; if labels are not classes, examples are drawn uniformly.
    """
    generator = np.random.default_rng([seed, 0])
    labels = task.train.labels
    order = generator.permutation(len(labels))
    if task.goal == "class":
        turn = np.empty(len(labels), int)
        for label in np.unique(labels):
            turn[order[labels[order] == label]] = np.arange((labels == label).sum())
        order = order[np.lexsort((labels[order], turn[order]))]
    rows = order[:size]
    views = generator.integers(0, len(task.train.inputs), len(rows))
    noise = generator.standard_normal((2, len(rows), *input_shape(task.spec))).astype(np.float32)
    inputs = jnp.asarray(task.train.inputs[views, rows])
    if task.kind == "graphs":
        is_feature = np.arange(task.shape[1]) < num_features(task.shape)
        noise = np.where(is_feature & ~np.isnan(inputs), noise, inputs)
    if task.kind == "tokens":
        inputs = jnp.where((inputs >= 0)[..., None], jax.nn.one_hot(inputs, task.num_tokens), jnp.nan)
    return Batch(inputs, jnp.asarray(labels[rows]), jnp.asarray(noise))


def sums_by_layer(kernels: Kernels, values: Any) -> jax.Array:
    """Returns the sums over the live kernel of each layer, [num_layers], of values in the structure of the parameters.

    A layer that the architecture lacks has 0.
    """
    sums = jnp.zeros(kernels.num_layers)
    for live, layer, each in zip(*map(jax.tree.leaves, (kernels.live, kernels.layer, values)), strict=True):
        rows, numbers = jnp.where(live > 0, each, 0), jnp.broadcast_to(layer, each.shape)
        if each.ndim > 1:
            rows, numbers = rows.reshape(len(each), -1).sum(1), numbers.reshape(len(each), -1).max(1)
        sums += rows @ jax.nn.one_hot(numbers, kernels.num_layers)
    return sums


def tapped_shapes(
    networks: ScoredNetworks, arch: jax.Array, variables: Any, inputs: jax.Array, *kinds: str
) -> list[tuple[int, ...]]:
    """Returns the shapes [C, H, W, N] of the inner arrays of some kinds, by their numbers."""
    found: dict[int, tuple[int, ...]] = {}

    def tap(own: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, tuple]:
        found.update({number: x.shape} if own in kinds else {})
        return x, ()

    jax.eval_shape(lambda inputs: networks.tapped(variables, arch, inputs, tap)[0], inputs)
    return [found[number] for number in sorted(found)]


def log(values: np.ndarray) -> np.ndarray:
    """Returns the logarithms: -inf for 0, NaN for negative values and for NaN, without warnings."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)
