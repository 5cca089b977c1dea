"""The spaces of TransNAS-Bench-101, in its notation: cells of four operations, and chains of modules."""

from dataclasses import dataclass, field
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.spaces.base import ReadThrough, Space, check_valid
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.decisions import Choices, Decision, checked
from jaxnas.spaces.graphs import chain

CITES = ("duan2021transnas",)

MODULES = ("normal", "channels", "resolution", "channels_and_resolution")
"""Effects of a module besides its convolutions: none, twice the channels, half the resolution, or both."""
FEWEST_MODULES, MOST_MODULES = 4, 6
MOST_DOUBLED, MOST_HALVED = 3, 4
_CELLS = CellSpace(4, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"), "transnas-micro")
_START, _NODES = "64-41414-", (1, 2, 3)


@final
@dataclass(frozen=True)
class TransNASCellSpace(ReadThrough):
    """The micro space of TransNAS-Bench-101: 4,096 cells, in the benchmark's macro structure `64-41414`.

    Some cells of that structure halve the resolution, which the networks of `CellSpace` do not: they are not trained.

    Attributes:
        space: the space of the same cells whose networks keep the resolution.
    """

    space: CellSpace = _CELLS
    name: str = field(init=False, repr=False)
    decisions: tuple[Decision, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.space.name)
        object.__setattr__(self, "decisions", self.space.decisions)

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of the cells that compute the same function; they were trained separately."""
        return self.space.canonical(arch)

    def to_str(self, arch: Choices) -> str:
        """Returns a cell as the benchmark writes it, `"64-41414-1_02_333"`, by target and then by source."""
        digits = iter(str(choice) for choice in checked(arch, self.decisions))
        return _START + "_".join("".join(next(digits) for _ in range(node)) for node in _NODES)

    def from_str(self, text: str) -> jax.Array:
        parts = text.strip().removeprefix(_START).split("_")
        fits = text.strip().startswith(_START) and [len(part) for part in parts] == list(_NODES)
        if not fits or set("".join(parts)) - set("0123"):
            raise ValueError(f"Expected a cell such as '64-41414-1_02_333', got {text!r}.")
        return jnp.asarray([int(digit) for digit in "".join(parts)], jnp.int32)

    @property
    def cell(self) -> dict:
        return self.space.cell


@final
@dataclass(frozen=True)
class ModuleSpace(Space):
    """The macro space of TransNAS-Bench-101: four to six modules, of which some double channels or halve resolution.

    An architecture is int32[6], the kind of each module; of the last two, 0 is a module that is not there. One to
    three modules double the channels, and one to four halve the resolution: 3,256 architectures. Networks are not
    trained.
    """

    name: str = "transnas-macro"
    decisions: tuple[Decision, ...] = field(
        default=tuple(
            Decision(f"module {number}", MODULES if number <= FEWEST_MODULES else ("none", *MODULES))
            for number in range(1, 1 + MOST_MODULES)
        ),
        init=False,
        repr=False,
    )

    def valid(self, arch: jax.Array, /) -> jax.Array:
        """Returns whether the modules are an architecture of the benchmark, bool[]."""
        kinds = self._kinds(arch)
        doubled = ((kinds == 2) | (kinds == 4)).sum(-1)
        halved = ((kinds == 3) | (kinds == 4)).sum(-1)
        counts = (doubled >= 1) & (doubled <= MOST_DOUBLED) & (halved >= 1) & (halved <= MOST_HALVED)
        return counts & ((kinds[..., -2] > 0) | (kinds[..., -1] == 0))

    def _kinds(self, arch: ArrayLike) -> jax.Array:
        """Returns the digits of the modules, 1 to 4, and 0 for absent modules."""
        return jnp.asarray(arch, jnp.int32) + (np.arange(MOST_MODULES) < FEWEST_MODULES)

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as the benchmark writes it, `"64-1234-basic"`."""
        kinds = np.asarray(checked(arch, self.decisions)) + (np.arange(MOST_MODULES) < FEWEST_MODULES)
        return f"64-{''.join(str(kind) for kind in kinds if kind)}-basic"

    def from_str(self, text: str) -> jax.Array:
        start, _, rest = text.strip().partition("-")
        digits, _, end = rest.partition("-")
        length = FEWEST_MODULES <= len(digits) <= MOST_MODULES
        if (start, end) != ("64", "basic") or not length or set(digits) - set("1234"):
            raise ValueError(f"Expected an architecture such as '64-1234-basic' of 4 to 6 modules, got {text!r}.")
        kinds = [int(digit) for digit in digits.ljust(MOST_MODULES, "0")]
        return check_valid(self, jnp.asarray(kinds, jnp.int32) - (np.arange(MOST_MODULES) < FEWEST_MODULES))

    @property
    def label_names(self) -> tuple[str, ...]:
        return (*MODULES, "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the chain from the input over the modules to the output."""
        modules = self._kinds(arch) - 1
        return chain(jnp.concatenate([jnp.asarray([len(MODULES)]), modules, jnp.asarray([len(MODULES) + 1])]))


TRANSNAS_MICRO = TransNASCellSpace()
"""The micro space of TransNAS-Bench-101."""

TRANSNAS_MACRO = ModuleSpace()
"""The macro space of TransNAS-Bench-101."""
