"""The networks of DARTS's cells by a traced architecture.

A cell is a loop over its eight operations, so that one program of each width holds them once.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.darts.network import NUM_SLOTS, CellBlocks, Choice, blocks, branch, choice_of
from jaxnas.spaces.darts.space import NUM_INPUTS, NUM_NODES, DARTSSpace
from jaxnas.spaces.layers.blocks import UNSEEN, Seen, Slot, init_slots, kernels_of_slots, tapped_slot, traced_slot
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Kernels, Variables
from jaxnas.training.taps import BLOCK, Tap, of_steps


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
    return Applied(*_computed(config, spec, arch, variables, inputs, mode == "train", UNSEEN))


def tapped(
    space: DARTSSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the logits [N, K] of images [N, H, W, C], and what a tap found.

    A place in an operation is one for all eight operations of a cell, whose statistics are added up.
    """
    seen = Seen(tap, len(inputs))
    outputs, _ = _computed(config, spec, arch, variables, inputs, mode == "train", seen)
    return outputs, seen.statistics


def _computed(
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    train: bool,
    seen: Seen,
) -> tuple[jax.Array, list[jax.Array]]:
    """Returns the logits, and the statistics after them."""
    made, arrays = blocks(config.network, spec), list(zip(*variables, strict=True))
    x, statistics = _run((made.stem,), 0, jnp.transpose(inputs, (3, 1, 2, 0)), *arrays[0], train, seen)
    x = seen(BLOCK, x, 0)
    changed, last, start = [statistics], (x, x), 1
    for number, cell in enumerate(made.cells, 1):
        end = start + NUM_INPUTS + NUM_SLOTS
        states = []
        for block, each, own in zip(cell.before, last, arrays[start:end], strict=False):
            y, statistics = _run((block,), 0, each, *own, train, seen)
            states.append(y)
            changed.append(statistics)
        y, found = _cell(cell, choice_of(arch, cell.reduces), states, arrays[start + NUM_INPUTS : end], train, seen)
        changed += found
        last, start = (last[1], seen(BLOCK, y, number)), end
    outputs, statistics = _run((made.head,), 0, last[1], *arrays[-1], train, seen)
    return outputs, [*changed, statistics]


def _run(
    slot: Slot, choice: Any, x: Any, parameters: jax.Array, statistics: jax.Array, train: bool, seen: Seen
) -> tuple[jax.Array, jax.Array]:
    """Returns what a slot gives, and its statistics after it; where a tap is shown what is inside, those before."""
    if seen.tap is None:
        return traced_slot(slot, train)(choice, x, parameters, statistics)
    return tapped_slot(slot, choice, x, parameters, statistics, train, seen), statistics


def _cell(
    cell: CellBlocks,
    choice: Choice,
    inputs: list[jax.Array],
    arrays: list[tuple[jax.Array, jax.Array]],
    train: bool,
    seen: Seen,
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
        inside = seen.inside()
        number = branch(cell.reduces, source, operation)
        y, changed = _run(cell.slot, number, x, parameters, statistics, train, inside)
        return states.at[target].add(y), (changed, inside.statistics)

    targets = jnp.arange(NUM_SLOTS) // 2 + (0 if cell.reduces else NUM_INPUTS)
    parameters, statistics = (jnp.stack(each) for each in zip(*arrays, strict=True))
    states, (changed, found) = jax.lax.scan(add, states, (*choice, targets, parameters, statistics))
    seen.add(of_steps(found))
    return states[-NUM_NODES:].reshape(-1, *shape[1:]), list(jnp.unstack(changed))


def kernels(space: DARTSSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture's blocks; layers are numbered from the input on."""
    return kernels_of_slots(places(config, spec, arch))
