"""The networks of DARTS's cells by a traced architecture.

A cell is a loop over its eight operations, so that one program of each width holds them once.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.blocks import Slot, init_slots, kernels_of_slots, traced_slot
from jaxnas.spaces.darts.network import NUM_SLOTS, CellBlocks, Choice, blocks, branch, choice_of
from jaxnas.spaces.darts.space import NUM_INPUTS, NUM_NODES, DARTSSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Kernels, Variables


def places(config: TrainConfig, spec: TaskSpec, arch: Any) -> Iterator[tuple[Slot, Any]]:
    """Yields the slots of a network from the input on, with the number of the block of an architecture in each."""
    made = blocks(config.network, spec)
    yield (made.stem,), 0
    for cell in made.cells:
        yield from (((block,), 0) for block in cell.before)
        choice = choice_of(arch, cell.reduces)
        chosen = branch(cell.reduces, choice.sources, choice.operations)
        yield from ((cell.slot, each) for each in jnp.unstack(chosen))
    yield (made.head,), 0


def init(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of an architecture: of each slot, a vector of parameters and one of statistics."""
    return init_slots(places(config, spec, arch), key)


def apply(
    space: DARTSSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
    train, made = mode == "train", blocks(config.network, spec)
    arrays = list(zip(*variables, strict=True))
    x, statistics = traced_slot((made.stem,), train)(0, jnp.transpose(inputs, (3, 1, 2, 0)), *arrays[0])
    changed, last, start = [statistics], (x, x), 1
    for cell in made.cells:
        end = start + NUM_INPUTS + NUM_SLOTS
        states = []
        for block, each, own in zip(cell.before, last, arrays[start:end], strict=False):
            y, statistics = traced_slot((block,), train)(0, each, *own)
            states.append(y)
            changed.append(statistics)
        y, found = _cell(cell, choice_of(arch, cell.reduces), states, arrays[start + NUM_INPUTS : end], train)
        changed += found
        last, start = (last[1], y), end
    outputs, statistics = traced_slot((made.head,), train)(0, last[1], *arrays[-1])
    return Applied(outputs, [*changed, statistics])


def _cell(
    cell: CellBlocks, choice: Choice, inputs: list[jax.Array], arrays: list[tuple[jax.Array, jax.Array]], train: bool
) -> tuple[jax.Array, list[jax.Array]]:
    """Returns the output of a cell, its four nodes one below another, and the statistics of its operations."""
    run = traced_slot(cell.slot, train)
    images = jnp.stack(inputs)
    shape = jax.eval_shape(cell.slot[0].compute, (inputs[0], inputs[0]) if cell.reduces else inputs[0], None).shape
    nodes = jnp.zeros((NUM_NODES, *shape))
    states = nodes if cell.reduces else jnp.concatenate([images, nodes])

    def add(states: jax.Array, step: tuple) -> tuple[jax.Array, jax.Array]:
        source, operation, target, parameters, statistics = step
        x: Any = states[source]
        if cell.reduces:
            x = (images[jnp.minimum(source, NUM_INPUTS - 1)], states[jnp.maximum(source - NUM_INPUTS, 0)])
        y, changed = run(branch(cell.reduces, source, operation), x, parameters, statistics)
        return states.at[target].add(y), changed

    targets = jnp.arange(NUM_SLOTS) // 2 + (0 if cell.reduces else NUM_INPUTS)
    parameters, statistics = (jnp.stack(each) for each in zip(*arrays, strict=True))
    states, changed = jax.lax.scan(add, states, (*choice, targets, parameters, statistics))
    return states[-NUM_NODES:].reshape(-1, *shape[1:]), list(jnp.unstack(changed))


def kernels(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture's blocks; layers are numbered from the input on."""
    return kernels_of_slots(places(config, spec, arch))
