"""Networks of DARTS's cells: the slots for all architectures, and the Flax module of one.

A cell reads the two before it, through 1x1 convolutions; its output concatenates the outputs of its four nodes.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.spaces.darts.blocks import Head, Of, Pointwise, operations
from jaxnas.spaces.darts.space import CELLS, NUM_INPUTS, NUM_NODES, OPERATIONS, PAIRS
from jaxnas.spaces.layers.blocks import Block, Slot
from jaxnas.spaces.layers.convolutional import Stem
from jaxnas.spaces.layers.modules import MOMENTUM, Layer
from jaxnas.tasks.base import TaskSpec

STEM_FACTOR = 3
NUM_SLOTS = 2 * NUM_NODES


@dataclass(frozen=True)
class Stack:
    """The size of a network around its cells. The published one that is trained has 36 channels and 20 cells.

    Attributes:
        num_channels: channels of a node before the first reduction cell; each of the two doubles them.
        num_cells: cells, of which those after a third and after two thirds are reduction cells, but never the first.
    """

    num_channels: int = 4
    num_cells: int = 4

    def __post_init__(self) -> None:
        for name, least, most in (("num_channels", 1, 4096), ("num_cells", 1, 100)):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"Expected {name} of {least} to {most}, got {value!r:.40}.")


class CellBlocks(NamedTuple):
    """The blocks of one cell.

    `reduces`: whether it is a reduction cell. `before`: the blocks of its two inputs. `slot`: the blocks of each of its
    eight operations; in a reduction cell, first those on inputs, which halve the resolution, and then those on nodes.
    """

    reduces: bool
    before: tuple[Block, Block]
    slot: Slot


class Blocks(NamedTuple):
    """The blocks of a network."""

    stem: Block
    cells: tuple[CellBlocks, ...]
    head: Block


class Choice(NamedTuple):
    """The computation of a cell: the numbers of the source and of the operation for each of its eight operations."""

    sources: jax.Array
    operations: jax.Array


@functools.lru_cache(maxsize=64)
def blocks(stack: Stack, spec: TaskSpec) -> Blocks:
    """Returns the blocks of the networks."""
    height, width, num_inputs = spec.shape
    channels = stack.num_channels
    stem = Stem(num_inputs, STEM_FACTOR * channels, height * width)
    before_last, last, halved = STEM_FACTOR * channels, STEM_FACTOR * channels, False
    cells = []
    for number in range(stack.num_cells):
        reduces = number > 0 and number in (stack.num_cells // 3, 2 * stack.num_cells // 3)
        channels *= 2 if reduces else 1
        pixels = height * width
        before: tuple[Block, Block] = (
            Pointwise(before_last, channels, pixels, halves=halved),
            Pointwise(last, channels, pixels),
        )
        if reduces:
            height, width = -(-height // 2), -(-width // 2)
        slot = operations(channels, 1, height * width)
        if reduces:
            halving = operations(channels, 2, height * width)
            slot = (*(Of(each, 0) for each in halving), *(Of(each, 1) for each in slot))
        cells.append(CellBlocks(reduces, before, slot))
        before_last, last, halved = last, NUM_NODES * channels, reduces
    return Blocks(stem, tuple(cells), Head(last, spec.num_outputs))


def choice_of(arch: Any, reduces: bool) -> Choice:
    """Returns the computation of the normal or the reduction cell of an architecture; `arch` may be traced."""
    start = len(arch) // len(CELLS) * int(reduces)
    cell = jnp.asarray(arch)[start : start + 3 * NUM_NODES].reshape(NUM_NODES, 3)
    sources = [jnp.asarray(pairs)[cell[node, 0]] for node, pairs in enumerate(PAIRS)]
    return Choice(jnp.concatenate(sources), cell[:, 1:].reshape(-1))


def branch(reduces: bool, source: Any, operation: Any) -> Any:
    """Returns the number in a cell's slot of an operation on a source."""
    return operation + len(OPERATIONS) * (source >= NUM_INPUTS) if reduces else operation


class DARTSNetwork(nnx.Module):
    """The network of one architecture: `network(images, train=False) -> logits`; images are float32[N, H, W, C].

    Attributes:
        stem, head: a `Layer` each.
        before: for each cell, a `Layer` for each of its inputs.
        operations: for each cell, a `Layer` for each of its eight operations.
    """

    def __init__(self, arch: tuple[int, ...], made: Blocks, arrays: list[tuple[dict, dict]]):
        """Makes the network with the parameters and the statistics of each block, in the order of `used_blocks`."""
        self.arch = arch
        self.sources = tuple(tuple(choice_of(arch, cell.reduces).sources.tolist()) for cell in made.cells)
        self.reduces = tuple(cell.reduces for cell in made.cells)
        parts = [Layer(block, *each) for block, each in zip(used_blocks(made, arch), arrays, strict=True)]
        self.stem, self.head = parts[0], parts[-1]
        inside = [parts[start : start + NUM_INPUTS + NUM_SLOTS] for start in range(1, len(parts) - 1, 10)]
        self.before = nnx.List([nnx.List(each[:NUM_INPUTS]) for each in inside])
        self.operations = nnx.List([nnx.List(each[NUM_INPUTS:]) for each in inside])

    def __call__(self, x: jax.Array, train: bool = False, momentum: float | jax.Array = MOMENTUM) -> jax.Array:
        """Returns the logits [N, K]; in training, running averages move by 1 - momentum."""
        x = self.stem(jnp.transpose(x, (3, 1, 2, 0)), train, momentum)
        last = (x, x)
        for number, before in enumerate(self.before):
            states = [layer(each, train, momentum) for layer, each in zip(before, last, strict=True)]
            for node in range(NUM_NODES):
                terms = [self._term(number, 2 * node + each, states, train, momentum) for each in range(2)]
                states.append(terms[0] + terms[1])
            last = (last[1], jnp.concatenate(states[NUM_INPUTS:]))
        return self.head(last[1], train, momentum)

    def _term(
        self, cell: int, slot: int, states: list[jax.Array], train: bool, momentum: float | jax.Array
    ) -> jax.Array:
        state = states[self.sources[cell][slot]]
        x: Any = (state, state) if self.reduces[cell] else state
        return self.operations[cell][slot](x, train, momentum)


def used_blocks(made: Blocks, arch: tuple[int, ...]) -> list[Block]:
    """Returns the blocks that an architecture has, from the input on."""
    found = [made.stem]
    for cell in made.cells:
        choice = choice_of(arch, cell.reduces)
        pairs = zip(choice.sources.tolist(), choice.operations.tolist(), strict=True)
        found += [*cell.before, *(cell.slot[branch(cell.reduces, *pair)] for pair in pairs)]
    return [*found, made.head]
