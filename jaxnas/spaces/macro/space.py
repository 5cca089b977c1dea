"""The space of NAS-Bench-Macro: a chain of eight blocks in three stages."""

from dataclasses import dataclass, field
from typing import ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices, Decision, checked
from jaxnas.spaces.graphs import chain

CITES = ("su2021prioritized",)

STAGES = (2, 3, 3)
MAX_LAYERS = 64
BLOCKS = ("identity", "mbconv_k3_e3", "mbconv_k5_e6")


@final
@dataclass(frozen=True)
class BlockSpace(Space):
    """The search space of chains of blocks in stages: NAS-Bench-Macro's has stages of two, three and three layers.

    The first layer of a stage changes the shape; elsewhere an identity does nothing. Architectures with the same other
    blocks of a stage, in the same order, are therefore one class.

    Attributes:
        stages: the number of layers of each stage.
        blocks: the names of a layer's blocks.

    Raises ValueError if there are no stages, or stages without layers.
    """

    name: str = "nb-macro"
    stages: tuple[int, ...] = STAGES
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.macro.networks:ChainNetworks"
    blocks: ClassVar[tuple[str, ...]] = BLOCKS

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages or not all(isinstance(each, int) and each > 0 for each in self.stages):
            raise ValueError(f"Expected one or more stages of 1 or more layers, got {list(self.stages)!r:.60}.")
        checked_size("the number of layers", sum(self.stages), 1, MAX_LAYERS, "each of which is in the program")
        layers = range(1, 1 + sum(self.stages))
        object.__setattr__(self, "decisions", tuple(Decision(f"layer {number}", BLOCKS) for number in layers))

    def layers(self, arch: tuple[int, ...] | jax.Array) -> list:
        """Returns the number of each layer's block."""
        return list(arch if isinstance(arch, tuple) else jnp.unstack(arch))

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's class: identities come first in their stage."""
        arch = jnp.asarray(arch, jnp.int32)
        parts = []
        for stage in np.split(np.arange(sum(self.stages)), np.cumsum(self.stages)[:-1]):
            blocks = arch[stage[1:]]
            parts += [arch[stage[:1]], blocks[jnp.argsort(blocks != 0, stable=True)]]
        return jnp.concatenate(parts)

    def to_str(self, arch: Choices) -> str:
        """Returns the digits of the blocks as the benchmark writes them, `"22212220"`."""
        return "".join(str(choice) for choice in checked(arch, self.decisions))

    def from_str(self, text: str) -> jax.Array:
        digits = text.strip()
        if len(digits) != sum(self.stages) or set(digits) - set("012"):
            example = ("22212220" * MAX_LAYERS)[: sum(self.stages)]
            raise ValueError(f"Expected an architecture such as {example!r}, got {text!r:.60}.")
        return jnp.asarray([int(digit) for digit in digits], jnp.int32)

    @property
    def label_names(self) -> tuple[str, ...]:
        return (*BLOCKS, "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the chain from the input over the layers of the representative to the output.

        Layers whose identity does nothing are absent.
        """
        blocks = self.canonical(arch)
        reduces = np.isin(np.arange(sum(self.stages)), np.cumsum([0, *self.stages[:-1]]))
        layers = jnp.where(reduces | (blocks != 0), blocks, -1)
        return chain(jnp.concatenate([jnp.asarray([len(BLOCKS)]), layers, jnp.asarray([len(BLOCKS) + 1])]))


NB_MACRO = BlockSpace()
"""The space of NAS-Bench-Macro: 6,561 architectures in 3,969 classes."""
