"""The supernet of DARTS's cells: each operation has an array of its own on each edge of each cell.

An edge leads from a cell's input or node to a node, 14 in a cell; an architecture uses two edges a node with one
operation each. There are single paths only: a mixture has no part for the choice of edges.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.darts.network import CellBlocks, blocks, branch, choice_of
from jaxnas.spaces.darts.space import NUM_INPUTS, NUM_NODES, OPERATIONS, DARTSSpace
from jaxnas.spaces.darts.traced import apply
from jaxnas.spaces.layers.blocks import Block, init_slot, slot_sizes
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Gates, Shared, Variables

SOURCES = np.concatenate([np.arange(NUM_INPUTS + node) for node in range(NUM_NODES)])
"""The input or node that each edge of a cell leads from, int[14], by the node that it leads to."""
_FIRST = np.cumsum([0, *(NUM_INPUTS + node for node in range(NUM_NODES - 1))])
"""The number of the first edge to each node."""
_FIXED = ("scale", "bias")
"""How the names of arrays end that batch normalization has besides its statistics."""


def init(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, key: jax.Array, partial: int = 1) -> dict[str, Any]:
    """Returns the initial parameters: vectors of the stem, of what is before each cell, and of the head; and for each
    cell float32[14, 7, P], of each operation on each edge.

    Raises ValueError on partial channels, which paths do not have.
    """
    if partial != 1:
        raise ValueError(f"Expected whole channels of the cells of {space.name}, got {partial} parts.")
    made, keys = blocks(config.network, spec), [jax.random.fold_in(key, number) for number in range(4)]

    def alone(block: Block, key: jax.Array) -> jax.Array:
        return init_slot((block,), 0, key)[0]

    def cell(number: int, own: CellBlocks) -> jax.Array:
        drawn = jax.random.split(jax.random.fold_in(keys[2], number), (len(SOURCES), len(OPERATIONS)))
        make = jax.vmap(jax.vmap(lambda choice, key: init_slot(own.slot, choice, key)[0]))
        return make(jnp.asarray(_branches(own.reduces)), drawn)

    before = [
        [alone(block, jax.random.fold_in(keys[1], 2 * number + place)) for place, block in enumerate(own.before)]
        for number, own in enumerate(made.cells)
    ]
    cells = [cell(number, own) for number, own in enumerate(made.cells)]
    return {"stem": alone(made.stem, keys[0]), "before": before, "cells": cells, "head": alone(made.head, keys[3])}


def _branches(reduces: bool) -> np.ndarray:
    """Returns the number in a cell's slot of each operation on each edge, int[14, 7]."""
    chosen = branch(reduces, SOURCES[:, None], np.arange(len(OPERATIONS)))
    return np.broadcast_to(chosen, (len(SOURCES), len(OPERATIONS)))


def edges_of(arch: jax.Array, reduces: bool) -> tuple[jax.Array, jax.Array]:
    """Returns the edges and the operations of what a cell of an architecture computes, int32[8] both."""
    choice = choice_of(arch, reduces)
    return choice.sources + jnp.asarray(np.repeat(_FIRST, 2)), choice.operations


def variables_of(config: TrainConfig, spec: TaskSpec, parameters: dict[str, Any], arch: jax.Array) -> Variables:
    """Returns the arrays of an architecture's own network, of those of the supernet."""
    made = blocks(config.network, spec)
    found, statistics = [parameters["stem"]], [_statistics((made.stem,))]
    for own, before, shared in zip(made.cells, parameters["before"], parameters["cells"], strict=True):
        found += [*before, *jnp.unstack(shared[edges_of(arch, own.reduces)])]
        statistics += [*(_statistics((block,)) for block in own.before), *[_statistics(own.slot)] * (2 * NUM_NODES)]
    return Variables([*found, parameters["head"]], [*statistics, _statistics((made.head,))])


def _statistics(slot: tuple[Block, ...]) -> jax.Array:
    """Returns statistics that are never read: batches are normalized by their own."""
    return jnp.zeros(slot_sizes(slot)[1])


def path(
    space: DARTSSpace,
    config: TrainConfig,
    spec: TaskSpec,
    parameters: dict[str, Any],
    arch: jax.Array,
    inputs: jax.Array,
    gates: Gates | None = None,
) -> jax.Array:
    """Returns the logits [N, K] of images [N, H, W, C] by one architecture. Gates are on decisions, some of which are
    of edges, and are ignored.
    """
    variables = variables_of(config, spec, parameters, arch)
    return apply(space, config, spec, arch, variables, inputs, mode="train").outputs


def trained(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, partial: int = 1) -> dict[str, Any]:
    """Returns 1 for the parameters that are trained, 0 for scales and biases of batch normalization."""
    made = blocks(config.network, spec)
    cells = []
    for own in made.cells:
        masks = np.stack([_trained(block, slot_sizes(own.slot)[0]) for block in own.slot])
        cells.append(masks[_branches(own.reduces)])
    before = [[_trained(block, slot_sizes((block,))[0]) for block in own.before] for own in made.cells]
    stem, head = (_trained(block, slot_sizes((block,))[0]) for block in (made.stem, made.head))
    return {"stem": stem, "before": before, "cells": cells, "head": head}


def _trained(block: Block, size: int) -> np.ndarray:
    """Returns 1 for what is trained of a block's vector, float32[P]."""
    parts = [np.full(values.size, not name.endswith(_FIXED)) for name, values in block.parameters().items()]
    values = np.concatenate([np.zeros(0, bool), *parts])
    return np.pad(values.astype(np.float32), (0, size - len(values)))


def used(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> dict[str, Any]:
    """Returns 1 for the parameters that an architecture uses, 0 for those of idle operations, as a pytree."""
    made = blocks(config.network, spec)
    one, none = jnp.float32(1), jnp.zeros((len(SOURCES), len(OPERATIONS), 1))
    cells = [none.at[edges_of(arch, own.reduces)].set(1) for own in made.cells]
    return {"stem": one, "before": [[one, one] for _ in made.cells], "cells": cells, "head": one}


SHARED = Shared(init, path, None, trained, used, None)
