"""Spaces of transformers: how many layers, how wide, and for each layer its heads, its hidden units and its mixer."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_size, unknown_name
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices, Decision, checked, decode, position
from jaxnas.spaces.graphs import chain

CITES = ("vaswani2017attention", "wu2019pay", "leethorp2022fnet")

MIXERS = ("attention", "conv5", "fourier")
FIRST_LAYER, PER_LAYER = 2, 3
MAX_LAYERS, MAX_WIDTH = 32, 4096


@final
@dataclass(frozen=True)
class TransformerSpace(Space):
    """The search space of transformers of up to `max_layers` layers.

    An architecture is the number of layers, the width of all of them, and for each layer its number of heads, the
    number of its hidden units and its mixer: attention (Vaswani et al., NeurIPS 2017), a convolution over five steps
    with a kernel for each head (Wu et al., ICLR 2019), or a Fourier transform over steps and over the numbers of a head
    (Lee-Thorp et al., NAACL 2022). Decisions on absent layers do not count: such architectures are one class. `sample`
    draws the number of layers uniformly, not architectures, most of which have the maximum number of layers.

    Attributes:
        max_layers: the maximum number of layers.
        widths, heads, hidden: ascending numbers to choose from; each number of heads divides each width.
        mixers: of `MIXERS`.

    Raises ValueError on sizes that are not ascending or do not divide, or unknown mixers.
    """

    max_layers: int = 3
    widths: tuple[int, ...] = (32, 48, 64)
    heads: tuple[int, ...] = (1, 2, 4)
    hidden: tuple[int, ...] = (32, 64, 128)
    mixers: tuple[str, ...] = MIXERS
    name: str = "transformer"
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.transformers.networks:TransformerNetworks"

    def __post_init__(self) -> None:
        checked_size("max_layers", self.max_layers, 1, MAX_LAYERS, "each of which is in the program")
        for name in ("widths", "heads", "hidden"):
            object.__setattr__(self, name, _ascending(name, getattr(self, name)))
        object.__setattr__(self, "mixers", tuple(self.mixers))
        for mixer in self.mixers:
            if mixer not in MIXERS:
                raise unknown_name("a mixer", mixer, MIXERS)
        if not self.mixers or len(set(self.mixers)) < len(self.mixers):
            raise ValueError(f"Expected one or more different mixers, got {list(self.mixers)}.")
        if any(width % heads for width in self.widths for heads in self.heads):
            raise ValueError(f"Expected heads that divide each width of {list(self.widths)}, got {list(self.heads)}.")
        decisions = [Decision("layers", range(1, self.max_layers + 1)), Decision("width", self.widths)]
        for layer in range(1, self.max_layers + 1):
            decisions += [Decision(f"heads {layer}", self.heads), Decision(f"hidden {layer}", self.hidden)]
            decisions += [Decision(f"mixer {layer}", self.mixers)]
        object.__setattr__(self, "decisions", tuple(decisions))

    def num_present(self, arch: ArrayLike) -> jax.Array:
        """Returns how many decisions count: decisions on absent layers do not."""
        return FIRST_LAYER + PER_LAYER * (1 + jnp.asarray(arch)[0])

    def decode(self, arch: Choices) -> dict:
        """Returns readable values, of present layers only.

        `{"width": 48, "layers": [{"heads": 2, "hidden": 64, "mixer": "attention"}]}`
        """
        depth, width, *values = decode(arch, self.decisions).values()
        starts = range(0, PER_LAYER * depth, PER_LAYER)
        names = ("heads", "hidden", "mixer")
        layers = [dict(zip(names, values[start : start + PER_LAYER], strict=True)) for start in starts]
        return {"width": width, "layers": layers}

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        """Returns the architecture of the values that `decode` returns, or of the decisions' values by name."""
        layers = values.get("layers")
        if not isinstance(layers, list):
            return super().encode(values)
        absent = {decision.name: decision.values[0] for decision in self.decisions[FIRST_LAYER:]}
        present = {f"{name} {number}": value for number, layer in enumerate(layers, 1) for name, value in layer.items()}
        return super().encode({**absent, **present, **values, "layers": len(layers)})

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as its width and its layers: `"48/2-64-attention/4-32-conv5"`.

        Absent layers follow a plus, if one of them has a decision that is not the first value.
        """
        choices = checked(arch, self.decisions)
        _, width, *values = decode(choices, self.decisions).values()
        layers = ["-".join(map(str, values[start : start + PER_LAYER])) for start in range(0, len(values), PER_LAYER)]
        depth = 1 + choices[0]
        text = "/".join([str(width), *layers[:depth]])
        return f"{text}+{'/'.join(layers[depth:])}" if any(choices[FIRST_LAYER + PER_LAYER * depth :]) else text

    def from_str(self, text: str) -> jax.Array:
        present, plus, absent = text.strip().partition("+")
        width, *layers = present.split("/")
        others = absent.split("/") if plus else []
        filled = self.max_layers - len(layers)
        parts = [part.split("-") for part in (*layers, *others)]
        if not layers or filled < 0 or len(others) not in (0, filled) or any(len(part) != PER_LAYER for part in parts):
            raise self.malformed(text, f" of up to {self.max_layers} layers")
        choices = [len(layers) - 1]
        for decision, name in zip(self.decisions[1:], (width, *itertools.chain(*parts)), strict=False):
            choices.append(position(decision.name, name, decision.values))
        return jnp.asarray(choices + [0] * (len(self.decisions) - len(choices)), jnp.int32)

    @property
    def label_names(self) -> tuple[str, ...]:
        layers = (
            f"{mixer}; {heads} head{'s' * (heads > 1)}, {hidden} hidden"
            for heads in self.heads
            for hidden in self.hidden
            for mixer in self.mixers
        )
        return (*layers, *(f"width {width}" for width in self.widths), "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns a chain from the input over the width and the layers to the output.

        A layer is labeled by its mixer, its heads and its hidden units.
        """
        arch = jnp.asarray(arch, jnp.int32)
        kinds = len(self.heads) * len(self.hidden) * len(self.mixers)
        layers = arch[FIRST_LAYER:].reshape(-1, PER_LAYER)
        numbers = (layers[:, 0] * len(self.hidden) + layers[:, 1]) * len(self.mixers) + layers[:, 2]
        numbers = jnp.where(np.arange(self.max_layers) <= arch[0], numbers, -1)
        ends = kinds + len(self.widths)
        return chain(jnp.concatenate([jnp.stack([ends, kinds + arch[1]]), numbers, jnp.asarray([ends + 1])]))


def _ascending(name: str, values: tuple[int, ...]) -> tuple[int, ...]:
    values = tuple(values)
    whole = all(isinstance(value, int) and 0 < value <= MAX_WIDTH for value in values)
    if not values or not whole or list(values) != sorted({*values}):
        raise ValueError(f"Expected {name} of ascending ints of 1 to {MAX_WIDTH:,}, got {list(values)!r:.60}.")
    return values


TRANSFORMER_TINY = TransformerSpace(name="transformer-tiny")
"""Up to three layers: 177,147 architectures in 61,317 classes."""

TRANSFORMER_SMALL = TransformerSpace(2, (32,), name="transformer-small")
"""Small enough for a table: 1,458 architectures in 756 classes."""
