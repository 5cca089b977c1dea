"""How trainings of cells are batched: one architecture after another, or packed by operation."""

import functools
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells import packed
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.tasks.goals import GOALS
from jaxnas.training.curves import Curves
from jaxnas.training.experimental.memory import bytes_of, fitting, free_bytes
from jaxnas.training.loop import Splits, run
from jaxnas.training.networks import Applied, Networks, Variables
from jaxnas.training.order import epoch_order, training_key

CACHE_SIZE = 2**19
"""Upper bound on the bytes of the first stage's feature maps, summed over the seeds trained together; beyond it (about
the L2 cache) a training gets slower."""

_log = logging.getLogger(__name__)


def num_seeds_together(networks: Networks, num_seeds: int) -> int:
    """Returns how many seeds of an architecture are trained side by side.

    It is the largest divisor of their number (one program then serves all) whose feature maps fit in the processor's
    cache, or 1.
    """
    config, (height, width, _) = networks.config, networks.spec.shape
    size = 4 * config.batch_size * config.network.num_channels * height * width
    fitting = [count for count in range(1, num_seeds + 1) if num_seeds % count == 0 and count * size <= CACHE_SIZE]
    return max(fitting, default=1)


def train_packed(
    networks: Networks,
    capacities: packed.Capacities,
    archs: jax.Array,
    keys: jax.Array,
    placement: packed.Placement,
    splits: Splits,
) -> Curves:
    """Returns the curves of `jaxnas.training.loop.train`, for B trainings that are packed by operation, [B, ...].

    It is pure and can be jitted. The trainings are as in the plan `"sequential"`: initial weights, examples and steps
    are the same, and results differ only by the order of sums.

    Args:
        networks, capacities: static; see `jaxnas.spaces.cells.packed`.
        archs, keys: int32[B, D] and [B].
        placement: of these architectures in the capacities.
        splits: training, validation and test data.
    """
    training, batch_size = splits[0], networks.config.batch_size
    num_steps = training.inputs.shape[1] // batch_size
    init_keys, order_keys = jnp.unstack(jax.vmap(jax.random.split)(keys), axis=1)

    def apply(variables: Variables, inputs: jax.Array, mode: str) -> Applied:
        return packed.apply(networks, variables, inputs, placement, capacities, mode == "train")

    def batches(number: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        epoch_keys = jax.vmap(jax.random.fold_in, (0, None))(order_keys, number)
        order = functools.partial(epoch_order, split=training, num_steps=num_steps, batch_size=batch_size)
        indices, views = jax.vmap(order, out_axes=1)(epoch_keys)
        return (views, indices), training.labels[indices]

    def read(numbers: tuple[jax.Array, jax.Array]) -> jax.Array:
        return training.inputs[numbers]

    variables = jax.vmap(networks.init)(init_keys, archs)
    curves, _ = run(apply, variables, GOALS[networks.spec.goal], batches, read, networks.config, splits)
    return Curves._make(values.T for values in curves)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _train_pack(
    networks: Networks,
    capacities: packed.Capacities,
    archs: jax.Array,
    seeds: jax.Array,
    placement: packed.Placement,
    splits: Splits,
) -> Curves:
    """Returns the curves of each architecture with each seed, with one leading axis, architectures first."""
    archs, seeds = jnp.repeat(archs, len(seeds), axis=0), jnp.tile(seeds, len(archs))
    keys = jax.vmap(training_key)(archs, seeds)
    with jax.default_matmul_precision("float32"):  # some accelerators would round products to ten bits
        return train_packed(networks, capacities, archs, keys, placement, splits)


def in_packs(networks: Networks, archs: np.ndarray, seeds: jax.Array, splits: Splits) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of the architectures of int32[A, D] that are trained together, under their bytes."""
    if networks.config.adaptation:
        raise ValueError("Expected the plan sequential for an adaptation, which is each training's own, got packed.")
    pruned = packed.pruned(networks.space, archs)
    packs = _packs_that_fit(networks, archs, pruned, seeds, splits)
    waste = packed.waste(networks.space, pruned, packs.places)
    _log.info("%d classes in %d batches: %.2f slots computed for each used", len(archs), len(packs.batches), waste)
    for batch in packs.batches:
        found = jax.device_get(packs.train(*packs.arguments(batch)))
        curves = [values.reshape(packs.places, len(seeds), *values.shape[1:]) for values in found]
        yield {
            archs[number].tobytes(): Curves._make(values[position] for values in curves)
            for position, number in enumerate(batch)
        }


class _Packs(NamedTuple):
    """The batches of architectures that one program trains, each in `places`, and the program with its arguments."""

    places: int
    batches: list[list[int]]
    arguments: Callable[[list[int]], tuple]
    train: Callable[..., Curves]


def _packs_that_fit(
    networks: Networks, archs: np.ndarray, pruned: np.ndarray, seeds: jax.Array, splits: Splits
) -> _Packs:
    """Returns the largest packs whose program fits into the device's memory; if that is unknown, the planned packs."""
    space, places, free = networks.space, packed.num_places(len(archs), len(seeds)), free_bytes()
    while True:
        capacities = packed.capacities(space, places, len(seeds))

        def arguments(batch: list[int], places: int = places, capacities: packed.Capacities = capacities) -> tuple:
            candidates = np.repeat(pruned[batch], len(seeds), axis=0)
            placement = packed.place(space, candidates, capacities, places * len(seeds))
            filled = archs[np.resize(batch, places)]  # an architecture in a place to spare has no slots
            return filled, seeds, placement, splits

        found = packed.batches(space, pruned, places)
        if free is None:
            return _Packs(places, found, arguments, functools.partial(_train_pack, networks, capacities))
        program = _train_pack.lower(networks, capacities, *arguments(found[0])).compile()
        smaller = fitting(places, bytes_of(program), free)
        if smaller == places:
            return _Packs(places, found, arguments, program)
        places = smaller


def packed_chunks(space: CellSpace, rows: np.ndarray, num_seeds: int) -> list[tuple[int, ...]]:
    """Returns the rows in chunks of as many classes as fit into the slots of one program."""
    archs = packed.pruned(space, np.asarray(space.arch_at(rows)))
    batches = packed.batches(space, archs, packed.num_places(len(rows), num_seeds))
    return [tuple(int(rows[number]) for number in batch) for batch in batches]
