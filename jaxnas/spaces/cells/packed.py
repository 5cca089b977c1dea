"""Networks of many architectures in one program, packed by operation: the form for an accelerator.

`CellNetworks.apply` runs one architecture and chooses each edge's operation; a packed cell runs B candidates
(trainings of any architectures) at once. Take the edges that leave one node, of all candidates: each operation has a
fixed number of slots there, its capacity, and runs once, by `jax.vmap` over its slots. Edges with an identity pass
their input on, edges with a zero operation are omitted, and neither takes a slot. Empty slots are computed, too;
`waste` measures the overhead. For all 5,260 classes of `nb201` with 5 seeds it is 1.18.

This has run on CPU only: no accelerator was available, and nothing was measured on one. Images wider than
`convolution.MAX_ROW_TOEPLITZ_WIDTH` are convolved one slot after another, which does not suit an accelerator.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.spaces.base import MAX_ENUMERABLE
from jaxnas.spaces.cells import edges
from jaxnas.spaces.cells.network import after, apply_head, apply_reduction, apply_stem
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers.base import FUNCTION, IDENTITY, Operation
from jaxnas.training.networks import Applied, Networks, Variables

MAX_TRAININGS = 1024  # of one program: bounds its memory; not tuned, as no accelerator was available
SLACK = 2.0  # standard deviations
_SAMPLE_SIZE = 4096

Capacities = tuple[tuple[int, ...], ...]
"""The slots of each operation with the role `"function"`, for the edges out of each node but the last."""


class Placement(NamedTuple):
    """Which slot computes which edge of B candidates; an entry of a tuple is for the E edges out of one node.

    A pair is a candidate and one of the edges, numbered candidate * E + edge.

    Attributes:
        pairs: int32[K] each, the pair of each slot; B * E for empty slots.
        slots: int32[B * E] each, the slot of each pair; K for pairs without a slot.
        identity: bool[B, E] each, the pairs that pass their input on.
    """

    pairs: tuple[jax.Array, ...]
    slots: tuple[jax.Array, ...]
    identity: tuple[jax.Array, ...]


def num_places(num_archs: int, num_seeds: int) -> int:
    """Returns how many architectures a program holds: a power of two with room for all, up to `MAX_TRAININGS`.

    So few sizes mean few compilations. `jaxnas.spaces.cells.plans` halves it if the device's memory is too small.
    """
    return min(1 << (num_archs - 1).bit_length(), max(1, MAX_TRAININGS // num_seeds))


@functools.lru_cache(maxsize=64)
def capacities(space: CellSpace, places: int, num_seeds: int = 1) -> Capacities:
    """Returns the slots of a program for `num_archs` architectures, each with `num_seeds` seeds.

    They depend on the space alone, so one compilation serves all trainings: the slots that a random sample of the
    space's classes takes in the mean, and `SLACK` standard deviations more. Any one architecture fits.
    """
    counts = _num_slots(space, _typical(space))
    wanted = np.ceil(places * counts.mean(0) + SLACK * np.sqrt(places) * counts.std(0))
    num_edges = np.asarray([[len(numbers)] for numbers in _outgoing(space)])
    slots = num_seeds * np.clip(wanted, num_edges, places * num_edges).astype(int)
    return tuple(tuple(row) for row in slots.tolist())


def batches(space: CellSpace, archs: np.ndarray, places: int) -> list[list[int]]:
    """Returns the numbers of the architectures (pruned, int32[A, D]) that are trained together: first fit, in order.

    A batch has at most `places` architectures, whose operations fit into `capacities(space, places)`.
    """
    room = np.asarray(capacities(space, places))
    found: list[list[int]] = []
    left: list[np.ndarray] = []
    for number, need in enumerate(_num_slots(space, archs)):
        fitting = (at for at, batch in enumerate(found) if len(batch) < places and (need <= left[at]).all())
        position = next(fitting, len(found))
        if position == len(found):
            found.append([])
            left.append(room.copy())
        found[position].append(number)
        left[position] -= need
    return found


def waste(space: CellSpace, archs: np.ndarray, places: int) -> float:
    """Returns how many slots are computed for each that is used, 1 or more, to train pruned architectures int32[A, D].

    It is infinite if none is used.
    """
    used = _num_slots(space, archs).sum()
    computed = len(batches(space, archs, places)) * np.sum(capacities(space, places))
    return float(computed / used) if used else float("inf")


def place(space: CellSpace, archs: np.ndarray, slots: Capacities, num_candidates: int) -> Placement:
    """Returns the placement of candidates of pruned architectures int32[n, D]; candidates from n on carry nothing.

    Raises ValueError if a capacity does not suffice.
    """
    identities = [number for number, operation in enumerate(space.operations) if operation.role == IDENTITY]
    found = []
    for numbers, sizes in zip(_outgoing(space), slots, strict=True):
        choices = np.full((num_candidates, len(numbers)), -1)
        choices[: len(archs)] = archs[:, numbers]
        functions = zip(_functions(space), sizes, strict=True)
        parts = [_padded(np.flatnonzero(choices == function), size, choices.size) for function, size in functions]
        pairs = np.concatenate([*parts, np.zeros(0)]).astype(np.int32)
        inverse = np.full(choices.size + 1, len(pairs), np.int32)
        inverse[pairs] = np.arange(len(pairs))
        found.append((pairs, inverse[:-1], np.isin(choices, identities)))
    return Placement._make(zip(*found, strict=True))


def _padded(pairs: np.ndarray, size: int, padding: int) -> np.ndarray:
    if len(pairs) > size:
        raise ValueError(f"Expected at most {size} edges with one operation, got {len(pairs)}.")
    return np.pad(pairs, (0, size - len(pairs)), constant_values=padding)


@functools.partial(jax.jit, static_argnums=0)
def _pruned(space: CellSpace, archs: jax.Array) -> jax.Array:
    return jax.vmap(space.pruned)(archs)


def pruned(space: CellSpace, archs: ArrayLike) -> np.ndarray:
    """Returns the architectures int32[A, D] with a zero operation on their dead edges."""
    return np.asarray(_pruned(space, np.asarray(archs, np.int32)))


def _typical(space: CellSpace) -> np.ndarray:
    """Returns the pruned architectures of all classes of a space, or of a sample if it is too large, int32[A, D]."""
    if space.num_architectures <= MAX_ENUMERABLE:
        return pruned(space, space.arch_at(np.unique(space.classes())))
    return pruned(space, jax.vmap(space.sample)(jax.random.split(jax.random.key(0), _SAMPLE_SIZE)))


def _functions(space: CellSpace) -> list[int]:
    return [number for number, operation in enumerate(space.operations) if operation.role == FUNCTION]


def _outgoing(space: CellSpace) -> list[list[int]]:
    """Returns the numbers of the edges out of each node but the last, by target."""
    return [
        [number for number, edge in enumerate(space.edges) if edge[0] == node] for node in range(space.num_nodes - 1)
    ]


def _num_slots(space: CellSpace, archs: np.ndarray) -> np.ndarray:
    """Returns the slots that each pruned architecture takes, int[A, nodes but the last, operations]."""
    chosen = np.asarray(archs)[..., None] == np.asarray(_functions(space), np.int32)
    return np.stack([chosen[:, numbers].sum(1) for numbers in _outgoing(space)], axis=1)


def apply(
    networks: Networks,
    variables: Variables,
    images: jax.Array,
    placement: Placement,
    capacities: Capacities,
    train: bool,
) -> Applied:
    """Returns the logits [B, N, K] of B candidates, and the statistics after them.

    Args:
        variables: as from `CellNetworks.init`, with a leading axis B.
        images: [B, N, H, W, C], or [N, H, W, C] for all candidates.
    """

    def each(layer: Callable, x: jax.Array, *arrays: dict) -> tuple[jax.Array, dict]:
        own = functools.partial(layer, train=train)
        return jax.vmap(own, (0 if x.ndim == 5 else None, 0, 0))(x, *arrays)

    parameters, statistics = variables
    changed: dict[str, Any] = {"reductions": [], "cells": []}
    x, changed["stem"] = each(apply_stem, jnp.swapaxes(images, -4, -1), parameters["stem"], statistics["stem"])
    for number, arrays in enumerate(zip(parameters["cells"], statistics["cells"], strict=True)):
        stage, position = divmod(number, networks.config.network.cells_per_stage)
        if stage and not position:
            own = parameters["reductions"][stage - 1], statistics["reductions"][stage - 1]
            x, of_reduction = each(apply_reduction, x, *own)
            changed["reductions"].append(of_reduction)
        x, of_cell = _apply_cell(networks.space, x, arrays, placement, capacities, train)
        changed["cells"].append(of_cell)
    outputs, changed["head"] = each(apply_head, x, parameters["head"], statistics["head"])
    return Applied(outputs, after(statistics, changed, train))


def _apply_cell(
    space: CellSpace,
    x: jax.Array,
    arrays: tuple[jax.Array, jax.Array],
    placement: Placement,
    capacities: Capacities,
    train: bool,
) -> tuple[jax.Array, jax.Array]:
    """Returns the output of the cells of B candidates on x [B, C, H, W, N], and the statistics [B, E, S] after them."""
    parameters, statistics = (jnp.unstack(values, axis=1) for values in arrays)
    changed = list(statistics)
    nodes: list[Any] = [x] + [None] * (space.num_nodes - 1)
    for node, numbers in enumerate(_outgoing(space)):
        mine, running = (
            jnp.stack([values[number] for number in numbers], axis=1) for values in (parameters, statistics)
        )
        places = (placement.pairs[node], placement.slots[node])
        y, new = _apply_edges(space, nodes[node], mine, running, places, capacities[node], train)
        y = jnp.where(placement.identity[node][:, :, None, None, None, None], nodes[node][:, None], y)
        for position, number in enumerate(numbers):
            target = space.edges[number][1]
            nodes[target] = y[:, position] if nodes[target] is None else nodes[target] + y[:, position]
            changed[number] = new[:, position]
    return nodes[-1], jnp.stack(changed, axis=1)


def _apply_edges(
    space: CellSpace,
    x: jax.Array,
    parameters: jax.Array,
    statistics: jax.Array,
    places: tuple[jax.Array, jax.Array],
    sizes: tuple[int, ...],
    train: bool,
) -> tuple[jax.Array, ...]:
    """Returns the outputs [B, E, C, H, W, N] and the new statistics [B, E, S] of the E edges out of one node.

    Both are zero for pairs without a slot.

    Args:
        x: [B, C, H, W, N].
        parameters, statistics: [B, E, P] and [B, E, S], packed as `edges.pack` does.
        places: the pairs of the slots and the slots of the pairs.
        sizes: the slots of each operation.
    """
    pairs, slots = places
    by_pair = (jnp.broadcast_to(x[:, None], (*parameters.shape[:2], *x.shape[1:])), parameters, statistics)
    rows = [_take(values.reshape(len(slots), *values.shape[2:]), pairs, slots) for values in by_pair]
    found, start = [(rows[0][:0], rows[2][:0])], 0
    for number, size in zip(_functions(space), sizes, strict=True):
        apply = functools.partial(_apply_packed, space.operations[number], train)
        found.append(jax.vmap(apply)(*(values[start : start + size] for values in rows)))
        start += size
    results = (jnp.concatenate(values) for values in zip(*found, strict=True))
    return tuple(_take(values, slots, pairs).reshape(*parameters.shape[:2], *values.shape[1:]) for values in results)


def _apply_packed(
    operation: Operation, train: bool, x: jax.Array, parameters: jax.Array, statistics: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the output of one operation on x [C, H, W, N] and its new statistics, on packed vectors."""
    shapes = edges.array_shapes(operation, len(x))
    y, changed = operation(x, edges.unpack(parameters, shapes[0]), edges.unpack(statistics, shapes[1]), train)
    return y, edges.pack(changed, statistics.size)


@jax.custom_vjp
def _take(rows: jax.Array, index: jax.Array, inverse: jax.Array) -> jax.Array:
    """Returns the rows at `index`, zero for indices out of range.

    `inverse` has the place in `index` of each row, out of range for rows without one. So the backward pass is a gather,
    too: a sum by `scatter` would have no fixed order on an accelerator. Results of slots without an edge are unused,
    even if they are not finite.
    """
    if not len(rows):  # a space with nothing to compute
        return jnp.zeros((len(index), *rows.shape[1:]), rows.dtype)
    return rows.at[index].get(mode="fill", fill_value=0)


def _take_forward(
    rows: jax.Array, index: jax.Array, inverse: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _take(rows, index, inverse), (index, inverse)


def _take_backward(residuals: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, None, None]:
    index, inverse = residuals
    return _take(gradient, inverse, index), None, None


_take.defvjp(_take_forward, _take_backward)
