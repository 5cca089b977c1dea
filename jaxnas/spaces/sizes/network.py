"""Networks of a width for each layer: the layers of any architecture's, and the Flax module of one."""

import functools
import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers.blocks import Block
from jaxnas.spaces.layers.convolutional import Stem
from jaxnas.spaces.sizes.blocks import Head, Reduction, SizeCell
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.tasks.base import TaskSpec


@dataclass(frozen=True)
class Widths:
    """How wide the networks are: layers have the architecture's channels divided by `divisor`, rounded up.

    The published ones have a divisor of 1.
    """

    divisor: int = 4

    def __post_init__(self) -> None:
        if not isinstance(self.divisor, int) or self.divisor < 1:
            raise ValueError(f"Expected a divisor of 1 or more, got {self.divisor!r:.40}.")

    def of(self, channels: int) -> int:
        """Returns the width of a layer."""
        return -(-channels // self.divisor)


@functools.lru_cache(maxsize=256)
def blocks(space: SizeSpace, widths: Widths, spec: TaskSpec, arch: tuple[int, ...] | None) -> tuple[Block, ...]:
    """Returns the stem, a block for each layer, and the head, of the widths of an architecture.

    `arch` is None for the network that holds all of them: of the largest width everywhere.

    Raises ValueError if the space has no number of layers that three stages and two reductions have.
    """
    stages, rest = divmod(space.num_layers, 3)
    if rest != 2:
        raise ValueError(f"Expected a space of 2, 5, 8, ... layers to train its networks, got {space.num_layers}.")
    reduces = [*[False] * stages, True, *[False] * stages, True, *[False] * stages]
    channels = [max(space.channels)] * space.num_layers if arch is None else [space.channels[each] for each in arch]
    sizes = [widths.of(each) for each in channels]
    height, width, num_inputs = spec.shape
    found: list[Block] = [Stem(num_inputs, sizes[0], height * width)]
    for number, (before, after, reduce) in enumerate(zip([sizes[0], *sizes], sizes, reduces, strict=False)):
        if reduce:
            height, width = -(-height // 2), -(-width // 2)
            found.append(Reduction(before, after, height * width))
        else:
            may_project = number > 0 if arch is None else before != after
            found.append(SizeCell(before, after, height * width, may_project))
    return (*found, Head(sizes[-1], spec.num_outputs))


def live_channels(space: SizeSpace, widths: Widths, arch: jax.Array) -> list[jax.Array | None]:
    """Returns which channels are live before the stem, after it, after each layer; bool[C], None for all."""
    sizes = jnp.asarray([widths.of(each) for each in space.channels])[arch]
    numbers = jnp.arange(widths.of(max(space.channels)))
    live = [numbers < size for size in jnp.unstack(sizes)]
    return [None, live[0], *live]


def sliced(own: Block, arrays: dict[str, jax.Array], kind: int) -> dict[str, jax.Array]:
    """Returns a block's arrays, from the arrays of a wider one: the leading part of each."""
    shapes = (own.statistics() if kind else own.parameters()).items()
    return {name: arrays[name][tuple(slice(size) for size in values.shape)] for name, values in shapes}


def pairs(live: list[jax.Array | None]) -> list[tuple[jax.Array | None, jax.Array | None]]:
    """Returns the live channels before and after the stem, each layer and the head."""
    return [*itertools.pairwise(live), (live[-1], live[-1])]
