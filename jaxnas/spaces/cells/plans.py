"""Training: one program for a whole search space, compiled once; the architecture is an argument of it."""

import functools
import logging
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells import packed
from jaxnas.spaces.cells.network import Network
from jaxnas.tasks.base import Split
from jaxnas.training.compilation import ONE_THREAD
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.loop import _run
from jaxnas.training.order import epoch_order, training_key

CACHE_SIZE = 2**19
"""Bytes of a feature map of the first stage, of all trainings side by side. Larger ones take longer a training."""

_log = logging.getLogger(__name__)


def train(
    space, config: TrainConfig, num_classes: int, arch: jax.Array, key: jax.Array, splits: tuple[Split, Split, Split]
):
    """Returns the `Curves` of one training and the `Trainee` after it.

    Pure, so that it can be jitted and vmapped over keys.

    Args:
        space, config, num_classes: static.
        arch: int32[D], traced. Under `jax.vmap` it must not be batched, or every operation would run on every edge.
        key: determines initial weights, order of images and views.
        splits: training, validation and test data.
    """
    training = splits[0]
    num_steps = training.images.shape[1] // config.batch_size
    init_key, order_key = jax.random.split(key)
    network = Network(space, config.skeleton, training.images.shape[2:], num_classes, arch, key=init_key)

    def batches(number):
        indices, views = epoch_order(jax.random.fold_in(order_key, number), training, num_steps, config.batch_size)
        return training.images[views, indices], training.labels[indices]

    return _run(network, arch, batches, lambda images: images, config, splits)


def train_packed(
    space, config: TrainConfig, num_classes: int, capacities, archs: jax.Array, keys: jax.Array, placement, splits
):
    """Returns what `train` does, for B trainings that are packed by operation, with the axis B first in the `Curves`.

    Pure, so that it can be jitted. The trainings are those of `train`: initial weights, images and steps are the same,
    and results differ only by the order of sums.

    Args:
        space, config, num_classes, capacities: static; see `jaxnas.spaces.cells.packed`.
        archs, keys: int32[B, D] and [B].
        placement: of these architectures in the capacities.
        splits: training, validation and test data.
    """
    training = splits[0]
    num_steps = training.images.shape[1] // config.batch_size
    init_keys, order_keys = jnp.unstack(jax.vmap(jax.random.split)(keys), axis=1)
    shape = training.images.shape[2:]
    network = packed.PackedNetwork(space, config.skeleton, shape, num_classes, archs, capacities, keys=init_keys)

    def batches(number):
        epoch_keys = jax.vmap(jax.random.fold_in, (0, None))(order_keys, number)
        order = functools.partial(epoch_order, split=training, num_steps=num_steps, batch_size=config.batch_size)
        indices, views = jax.vmap(order, out_axes=1)(epoch_keys)
        return (views, indices), training.labels[indices]

    curves, trainee = _run(network, placement, batches, lambda numbers: training.images[numbers], config, splits)
    return Curves(*(values.T for values in curves)), trainee


@functools.partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=ONE_THREAD)
def _train_seeds(space, config, num_classes, arch, seeds, splits):
    """Returns the curves of one architecture for each seed.

    Seeds are batched, the architecture is not, so that branches stay branches.
    """
    keys = jax.vmap(training_key, (None, 0))(arch, seeds)
    together = _num_seeds_together(config, splits[0].images.shape[2:], len(seeds))

    def train_seed(key):
        return train(space, config, num_classes, arch, key, splits)[0]

    if together == len(seeds):
        return jax.vmap(train_seed)(keys)
    return jax.lax.map(train_seed, keys, batch_size=together)


def _num_seeds_together(config: TrainConfig, image_shape: tuple[int, ...], num_seeds: int) -> int:
    """Returns how many seeds of an architecture are trained side by side: of the numbers that divide theirs, so that
    one program serves all, the largest whose feature maps fit in the processor's cache, or 1.
    """
    size = 4 * config.batch_size * config.skeleton.num_channels * image_shape[0] * image_shape[1]
    fitting = [count for count in range(1, num_seeds + 1) if num_seeds % count == 0 and count * size <= CACHE_SIZE]
    return max(fitting, default=1)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=ONE_THREAD)
def _train_one(space, config, num_classes, arch, seed, splits):
    return train(space, config, num_classes, arch, training_key(arch, seed), splits)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _train_pack(space, config, num_classes, capacities, archs, seeds, placement, splits):
    """Returns the curves of each architecture with each seed, with one leading axis, architectures first."""
    archs, seeds = jnp.repeat(archs, len(seeds), axis=0), jnp.tile(seeds, len(archs))
    keys = jax.vmap(training_key)(archs, seeds)
    with jax.default_matmul_precision("float32"):  # some accelerators would round products to ten bits
        return train_packed(space, config, num_classes, capacities, archs, keys, placement, splits)[0]


def _in_sequence(space, config, num_classes, archs, seeds, splits) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of one architecture of int32[A, D] after another, under its bytes."""
    for arch in archs:
        curves = _train_seeds(space, config, num_classes, jnp.asarray(arch), seeds, splits)
        yield {arch.tobytes(): jax.device_get(curves)}


def _in_packs(space, config, num_classes, archs, seeds, splits) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of the architectures of int32[A, D] that are trained together, under their bytes."""
    pruned = packed.pruned(space, archs)
    places = packed.num_places(len(archs), len(seeds))
    capacities = packed.capacities(space, places, len(seeds))
    batches = packed.batches(space, pruned, places)
    waste = packed.waste(space, pruned, places)
    _log.info("%d classes in %d batches: %.2f slots computed for each used", len(archs), len(batches), waste)
    for batch in batches:
        candidates = np.repeat(pruned[batch], len(seeds), axis=0)
        placement = packed.place(space, candidates, capacities, places * len(seeds))
        filled = archs[np.resize(batch, places)]  # an architecture in a place to spare has no slots
        curves = _train_pack(space, config, num_classes, capacities, filled, seeds, placement, splits)
        curves = [values.reshape(places, len(seeds), *values.shape[1:]) for values in jax.device_get(curves)]
        yield {
            archs[number].tobytes(): Curves(*(values[position] for values in curves))
            for position, number in enumerate(batch)
        }
