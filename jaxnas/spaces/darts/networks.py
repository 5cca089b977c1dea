"""DARTS's cells as a kind of network: how they are initialized, applied, shared, trained and sized.

A cell is a loop over its eight operations: one program of each width holds them once. In the supernet each operation
has a separate array on each edge of each cell. An edge leads from a cell's input or node to a node, 14 in a cell; an
architecture uses two edges a node with one operation each. There are single paths only: a mixture has no part for the
choice of edges.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.darts.network import (
    NUM_SLOTS,
    CellBlocks,
    Choice,
    DARTSNetwork,
    Stack,
    blocks,
    branch,
    choice_of,
    used_blocks,
)
from jaxnas.spaces.darts.space import NUM_INPUTS, NUM_NODES, OPERATIONS, DARTSSpace
from jaxnas.spaces.layers.blocks import (
    AFFINE,
    Block,
    Slot,
    init_slot,
    init_slots,
    kernels_of_slots,
    run_slot,
    size_of,
    slot_sizes,
    unpacked,
)
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Kernels, ScoredNetworks, SharedNetworks, Size, Variables
from jaxnas.training.recorder import BLOCK, SILENT, Recorder

SOURCES = np.concatenate([np.arange(NUM_INPUTS + node) for node in range(NUM_NODES)])
"""The input or node that each edge of a cell leads from, int[14], by the node that it leads to."""
_FIRST = np.cumsum([0, *(NUM_INPUTS + node for node in range(NUM_NODES - 1))])
"""The number of the first edge to each node."""


@final
class DARTSNetworks(ScoredNetworks, SharedNetworks):
    """The networks of DARTS's cells; of each slot the arrays are a vector of parameters and one of statistics."""

    space: DARTSSpace
    inputs = ("images",)
    default = TrainConfig(network=Stack(), learning_rate=0.1)
    plans: ClassVar = {"sequential": sequential_plan("scan-sequential-1")}

    def _places(self, arch: Any) -> Iterator[tuple[Slot, Any]]:
        """Yields the slots from the input on, with the number of the block of an architecture in each."""
        made = blocks(self.config.network, self.spec)
        yield (made.stem,), 0
        for cell in made.cells:
            yield from (((block,), 0) for block in cell.before)
            choice = choice_of(arch, cell.reduces)
            chosen = branch(cell.reduces, choice.sources, choice.operations)
            yield from ((cell.slot, each) for each in jnp.unstack(chosen))
        yield (made.head,), 0

    def init(self, key: jax.Array, arch: jax.Array | None = None) -> Variables:
        """Returns the initial arrays of an architecture.

        The supernet has vectors of the stem, of the blocks before each cell, and of the head; and for each cell
        float32[14, 7, P], of each operation on each edge.
        """
        if arch is not None:
            return init_slots(self._places(arch), key)
        made, keys = blocks(self.config.network, self.spec), [jax.random.fold_in(key, number) for number in range(4)]

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
        stem, head = alone(made.stem, keys[0]), alone(made.head, keys[3])
        return Variables({"stem": stem, "before": before, "cells": cells, "head": head})

    def own(self, parameters: dict[str, Any], arch: jax.Array) -> Variables:
        """Returns the arrays of an architecture's own network, selected from the supernet's arrays."""
        made = blocks(self.config.network, self.spec)
        found, statistics = [parameters["stem"]], [_unread((made.stem,))]
        for cell, before, shared in zip(made.cells, parameters["before"], parameters["cells"], strict=True):
            found += [*before, *jnp.unstack(shared[edges_of(arch, cell.reduces)])]
            statistics += [*(_unread((block,)) for block in cell.before), *[_unread(cell.slot)] * (2 * NUM_NODES)]
        return Variables([*found, parameters["head"]], [*statistics, _unread((made.head,))])

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's.

        A place in an operation is one for all eight operations of a cell, whose statistics are added up.
        """
        variables = variables if variables.statistics else self.own(variables.parameters, choice)
        made, arrays, train = (
            blocks(self.config.network, self.spec),
            list(zip(*variables, strict=True)),
            mode == "train",
        )
        x, statistics = run_slot((made.stem,), 0, jnp.transpose(inputs, (3, 1, 2, 0)), *arrays[0], train, recorder)
        x = recorder(BLOCK, x, 0)
        changed, last, start = [statistics], (x, x), 1
        for number, cell in enumerate(made.cells, 1):
            end = start + NUM_INPUTS + NUM_SLOTS
            states = []
            for block, each, own in zip(cell.before, last, arrays[start:end], strict=False):
                y, statistics = run_slot((block,), 0, each, *own, train, recorder)
                states.append(y)
                changed.append(statistics)
            inside = arrays[start + NUM_INPUTS : end]
            y, found = _cell(cell, choice_of(choice, cell.reduces), states, inside, train, recorder)
            changed += found
            last, start = (last[1], recorder(BLOCK, y, number)), end
        outputs, statistics = run_slot((made.head,), 0, last[1], *arrays[-1], train, recorder)
        return Applied(outputs, [*changed, statistics])

    def module(self, arch: tuple[int, ...], variables: Variables) -> DARTSNetwork:
        made = blocks(self.config.network, self.spec)
        return DARTSNetwork(arch, made, unpacked(used_blocks(made, arch), variables))

    def size(self, arch: tuple[int, ...]) -> Size:
        return size_of(used_blocks(blocks(self.config.network, self.spec), tuple(map(int, arch))))

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels of an architecture's blocks; layers are numbered from the input on."""
        return kernels_of_slots(self._places(arch))

    def trained(self) -> dict[str, Any]:
        """Returns 1 for the parameters that are trained, 0 for scales and biases of batch normalization."""
        made = blocks(self.config.network, self.spec)
        cells = [
            np.stack([_trained(block, own.slot) for block in own.slot])[_branches(own.reduces)] for own in made.cells
        ]
        before = [[_trained(block, (block,)) for block in own.before] for own in made.cells]
        stem, head = (_trained(block, (block,)) for block in (made.stem, made.head))
        return {"stem": stem, "before": before, "cells": cells, "head": head}

    def used(self, arch: jax.Array) -> dict[str, Any]:
        """Returns 1 for the parameters that an architecture uses, 0 for the parameters of idle operations."""
        made = blocks(self.config.network, self.spec)
        one, none = jnp.float32(1), jnp.zeros((len(SOURCES), len(OPERATIONS), 1))
        cells = [none.at[edges_of(arch, own.reduces)].set(1) for own in made.cells]
        return {"stem": one, "before": [[one, one] for _ in made.cells], "cells": cells, "head": one}


def _cell(
    cell: CellBlocks,
    choice: Choice,
    inputs: list[jax.Array],
    arrays: list[tuple[jax.Array, jax.Array]],
    train: bool,
    recorder: Recorder,
) -> tuple[jax.Array, list[jax.Array]]:
    """Returns the output of a cell, its four nodes one below another, and the statistics of its operations."""
    images = jnp.stack(inputs)
    shape = jax.eval_shape(cell.slot[0].compute, (inputs[0], inputs[0]) if cell.reduces else inputs[0], None).shape
    nodes = jnp.zeros((NUM_NODES, *shape))
    states = nodes if cell.reduces else jnp.concatenate([images, nodes])

    def add(states: jax.Array, step: tuple) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        source, operation, target, parameters, statistics = step
        x: Any = states[source]
        if cell.reduces:
            x = (images[jnp.minimum(source, NUM_INPUTS - 1)], states[jnp.maximum(source - NUM_INPUTS, 0)])
        inside = recorder.inside()
        number = branch(cell.reduces, source, operation)
        y, changed = run_slot(cell.slot, number, x, parameters, statistics, train, inside)
        return states.at[target].add(y), (changed, inside.statistics)

    targets = jnp.arange(NUM_SLOTS) // 2 + (0 if cell.reduces else NUM_INPUTS)
    parameters, statistics = (jnp.stack(each) for each in zip(*arrays, strict=True))
    states, (changed, found) = jax.lax.scan(add, states, (*choice, targets, parameters, statistics))
    recorder.add_steps(found)
    return states[-NUM_NODES:].reshape(-1, *shape[1:]), list(jnp.unstack(changed))


def _branches(reduces: bool) -> np.ndarray:
    """Returns the number in a cell's slot of each operation on each edge, int[14, 7]."""
    chosen = branch(reduces, SOURCES[:, None], np.arange(len(OPERATIONS)))
    return np.broadcast_to(chosen, (len(SOURCES), len(OPERATIONS)))


def edges_of(arch: jax.Array, reduces: bool) -> tuple[jax.Array, jax.Array]:
    """Returns the edges and the operations that a cell of an architecture uses, int32[8] both."""
    choice = choice_of(arch, reduces)
    return choice.sources + jnp.asarray(np.repeat(_FIRST, 2)), choice.operations


def _unread(slot: Slot) -> jax.Array:
    """Returns statistics that are never read: a supernet is normalized by the batch."""
    return jnp.zeros(slot_sizes(slot)[1])


def _trained(block: Block, slot: Slot) -> np.ndarray:
    """Returns 1 for the trained part of a block's vector in a slot, 0 elsewhere, float32[P]."""
    parts = [np.full(values.size, not name.endswith(AFFINE)) for name, values in block.parameters().items()]
    values = np.concatenate([np.zeros(0, bool), *parts])
    return np.pad(values.astype(np.float32), (0, slot_sizes(slot)[0] - len(values)))
