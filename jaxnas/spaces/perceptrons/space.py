"""Spaces of multilayer perceptrons: a width for each layer, and an activation, an initializer, a regularizer and a
dropout rate for the whole network."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import checks
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices, Decision, cardinalities, checked, decode, position
from jaxnas.spaces.graphs import chain, draw

CITES = ()

SMALLEST_WIDTH = 8
MAX_LAYERS, MAX_UNITS, MAX_WEIGHTS = 1000, 2**14, 2**28
NUM_LAYERS, ACTIVATION, INITIALIZER, REGULARIZER, DROPOUT, FIRST_WIDTH = range(6)
"""The numbers of the decisions; the widths of all layers are the last ones."""
_TRUNCATED = 0.87962566  # standard deviation of a normal distribution that is cut off at -2 and 2

Fan = int | jax.Array
"""Units that a kernel reads or writes."""

ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
}


def _random_normal(num_values: int, key: jax.Array, fan_in: Fan, fan_out: Fan) -> jax.Array:
    return 0.05 * jax.random.normal(key, (num_values,))


def _lecun_normal(num_values: int, key: jax.Array, fan_in: Fan, fan_out: Fan) -> jax.Array:
    return jax.random.truncated_normal(key, -2, 2, (num_values,)) / (_TRUNCATED * jnp.sqrt(fan_in))


def _glorot_uniform(num_values: int, key: jax.Array, fan_in: Fan, fan_out: Fan) -> jax.Array:
    return jax.random.uniform(key, (num_values,), minval=-1, maxval=1) * jnp.sqrt(6 / (fan_in + fan_out))


def _he_normal(num_values: int, key: jax.Array, fan_in: Fan, fan_out: Fan) -> jax.Array:
    return jnp.sqrt(2) * _lecun_normal(num_values, key, fan_in, fan_out)


INITIALIZERS: dict[str, Callable] = {
    "random_normal": _random_normal,
    "lecun_normal": _lecun_normal,
    "glorot_uniform": _glorot_uniform,
    "he_normal": _he_normal,
}
"""Functions `(num_values, key, fan_in, fan_out) -> float32[num_values]` of initial kernels; biases start at zero.

`random_normal` has a standard deviation of 0.05; `lecun_normal` (LeCun, Bottou, Orr and Mueller, "Efficient BackProp",
1998), `glorot_uniform` (Glorot and Bengio, AISTATS 2010) and `he_normal` (He, Zhang, Ren and Sun, ICCV 2015) are those
of Flax. The fans may be traced.
"""
REGULARIZERS = ("none", "l1", "l2")
STRENGTH = 1e-4
"""A regularizer adds this times the sum of absolute (l1) or squared (l2) kernels to the loss."""


@final
@dataclass(frozen=True)
class MLPSpace(Space):
    """The search space of all multilayer perceptrons of up to `max_layers` hidden layers of up to `max_units` units.

    Decisions are the number of layers, the activation, initializer, regularizer and dropout rate of all layers, and a
    width for each layer, present or not. Widths of absent layers do not count: networks that differ in nothing else
    are one class, whose representative has the smallest width there. Widths are the powers of two from 8 and
    `max_units` itself, unless they are given: doubling the units changes a network measurably, a few more do not, and
    the size of the space grows as the number of widths to the power of `max_layers`.

    Samples have independent, uniform decisions: all depths are equally likely, and all networks of one depth.
    Uniform over classes, nearly all would be among the deepest. Absent layers have a width, too, which counts once
    they are present.

    Attributes:
        max_layers: hidden layers, 1 or more; every network has one at least.
        max_units: units of the widest layer, 1 or more.
        activations, initializers, regularizers: names of `ACTIVATIONS`, `INITIALIZERS` and `REGULARIZERS`; None is no
            regularizer, `"none"`. The default initializers are those with which networks of ten layers train.
        dropout_rates: shares of units that are dropped after each hidden layer in training, 0 to below 1.
        widths: the numbers of units that a layer can have, ascending, instead of `max_units`, which is the largest.

    Raises ValueError on sizes that are too small, unknown names, or a choice of nothing or of the same thing twice.
    """

    max_layers: int = 10
    max_units: int = 128
    activations: tuple[str, ...] = ("relu", "tanh")
    initializers: tuple[str, ...] = ("he_normal", "glorot_uniform")
    regularizers: tuple[str | None, ...] = ("none", "l1", "l2")
    dropout_rates: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    name: str = "mlp"
    widths: tuple[int, ...] = ()
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    drawing_note: ClassVar[str] = "Activation, initializer, regularizer and dropout are those of every layer."
    networks: ClassVar[str] = "jaxnas.spaces.perceptrons.networks:PerceptronNetworks"

    def __post_init__(self) -> None:
        for size, largest in (("max_layers", MAX_LAYERS), ("max_units", MAX_UNITS)):
            value = getattr(self, size)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Expected {size} to be an int of 1 or more, got {value!r:.40}.")
            checks.checked_size(size, value, 1, largest, "whose kernels would fill the memory")
        if self.widths:
            self._check_widths()
            object.__setattr__(self, "max_units", self.widths[-1])
        if self.max_layers * self.max_units**2 > MAX_WEIGHTS:
            raise ValueError(
                f"Expected layers of at most {MAX_WEIGHTS:,} weights together, 1 GiB, got {self.max_layers:,} layers "
                f"of {self.max_units:,} units."
            )
        choices = {
            "activation": _known("activations", self.activations, ACTIVATIONS),
            "initializer": _known("initializers", self.initializers, INITIALIZERS),
            "regularizer": _known("regularizers", _named(self.regularizers), REGULARIZERS),
            "dropout": _rates(self.dropout_rates),
        }
        fields = zip(("activations", "initializers", "regularizers", "dropout_rates"), choices.values(), strict=True)
        for name, values in fields:
            object.__setattr__(self, name, values)
        decisions = [Decision("num_layers", range(1, self.max_layers + 1))]
        decisions += [Decision(name, values) for name, values in choices.items()]
        decisions += [Decision(f"width_{layer}", self.layer_widths) for layer in range(1, self.max_layers + 1)]
        object.__setattr__(self, "decisions", tuple(decisions))

    def _check_widths(self) -> None:
        widths = tuple(self.widths)
        ascending = all(isinstance(width, int) and width > 0 for width in widths) and list(widths) == sorted({*widths})
        if not ascending:
            raise ValueError(f"Expected widths of ascending ints of 1 or more, got {list(widths)}.")
        if self.max_units not in (type(self).max_units, widths[-1]):
            raise ValueError(f"Expected max_units to be the largest width, {widths[-1]}, got {self.max_units}.")
        object.__setattr__(self, "widths", widths)

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Returns the numbers of units that a layer can have, ascending."""
        if self.widths:
            return self.widths
        powers = (SMALLEST_WIDTH << number for number in range(self.max_units.bit_length()))
        return (*(width for width in powers if width < self.max_units), self.max_units)

    def num_present(self, arch: ArrayLike) -> jax.Array:
        """Returns how many decisions count, those before the width of the first absent layer."""
        return FIRST_WIDTH + 1 + jnp.asarray(arch)[NUM_LAYERS]

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as widths and names: `"64-32/relu/lecun_normal/l2/0.25"`.

        Widths of absent layers follow a plus, `"64-32+8-128/..."`, if one of them is not the smallest.
        """
        depth, *names = (str(value) for value in decode(arch, self.decisions).values())
        names, widths = names[: FIRST_WIDTH - 1], names[FIRST_WIDTH - 1 :]
        present, absent = "-".join(widths[: int(depth)]), widths[int(depth) :]
        layers = present if set(absent) <= {str(self.layer_widths[0])} else f"{present}+{'-'.join(absent)}"
        return "/".join((layers, *names))

    def from_str(self, text: str) -> jax.Array:
        layers, *names = text.strip().split("/")
        present, _, absent = layers.partition("+")
        widths = [*present.split("-"), *absent.split("-")] if absent else present.split("-")
        if len(names) != FIRST_WIDTH - 1 or len(widths) > self.max_layers:
            raise self.malformed(text, f" of up to {self.max_layers} layers")
        widths += [str(self.layer_widths[0])] * (self.max_layers - len(widths))
        choices = [present.count("-")]
        for decision, name in zip(self.decisions[1:], (*names, *widths), strict=True):
            choices.append(position(decision.name, name, decision.values))
        return jnp.asarray(choices, jnp.int32)

    def decode(self, arch: Choices) -> dict:
        """Returns readable values, of present layers only.

        `{"layers": [64, 32], "activation": "relu", "initializer": "lecun_normal", "regularizer": "l2", "dropout":
        0.25}`, the arguments of a function that builds the network.
        """
        depth, *values = decode(arch, self.decisions).values()
        names = (decision.name for decision in self.decisions[1:FIRST_WIDTH])
        layers = values[FIRST_WIDTH - 1 :][:depth]
        return {"layers": layers, **dict(zip(names, values, strict=False))}

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        """Returns the architecture of the values that `decode` returns, or of the decisions' values by name."""
        layers = values.get("layers")
        if not isinstance(layers, list):
            return super().encode(values)
        flat = {name: value for name, value in values.items() if name != "layers"} | {"num_layers": len(layers)}
        absent = [self.layer_widths[0]] * (self.max_layers - len(layers))
        flat |= {f"width_{number}": width for number, width in enumerate([*layers, *absent], 1)}
        return super().encode(flat)

    @property
    def label_names(self) -> tuple[str, ...]:
        settings = self.decisions[1:FIRST_WIDTH]
        names = (f"{decision.name}; {value}" for decision in settings for value in decision.values)
        return (*names, *(f"{width} units" for width in self.layer_widths), "input", "output")

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns a network as a chain from the input over its layers to the output.

        Activation, initializer, regularizer and dropout have vertices, too, between the input and the first layer.
        """
        arch = jnp.asarray(arch, jnp.int32)
        offsets = np.cumsum([0, *cardinalities(self.decisions)[1 : FIRST_WIDTH + 1]])
        present = np.arange(self.max_layers) <= arch[NUM_LAYERS]
        settings = arch[1:FIRST_WIDTH] + offsets[: FIRST_WIDTH - 1]
        layers = jnp.where(present, arch[FIRST_WIDTH:] + offsets[FIRST_WIDTH - 1], -1)
        ends = jnp.asarray([offsets[-1], offsets[-1] + 1])
        labels = jnp.concatenate([ends[:1], settings, layers, ends[1:]]).astype(jnp.int32)

        first, last = FIRST_WIDTH, FIRST_WIDTH + self.max_layers  # the vertices of the first layer and of the output
        chain = np.eye(last + 1, k=1, dtype=bool)
        chain[0, :first] = np.arange(first) > 0
        chain[1:first] = np.arange(last + 1) == first
        edges = jnp.asarray(chain) & (labels >= 0)[:, None] & (labels >= 0)
        return labels, edges.at[:, last].set(np.arange(last + 1) == first + arch[NUM_LAYERS])

    def drawn(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the chain from the input over the layers to the output, without decisions shared by all layers."""
        labels, _ = self.labeled(arch)
        return chain(labels.at[1:FIRST_WIDTH].set(-1))

    def drawing(self, arch: Choices) -> str:
        """Returns the layers as an SVG image, with their shared decisions below."""
        values = decode(arch, self.decisions)
        shared = ", ".join(f"{decision.name} {values[decision.name]}" for decision in self.decisions[1:FIRST_WIDTH])
        labels, edges = self.drawn(jnp.asarray(checked(arch, self.decisions), jnp.int32))
        return draw(np.asarray(labels), np.asarray(edges), self.label_names, shared)


def _known(kind: str, names: str | Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in known:
            raise checks.unknown_name(kind, name, known)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"Expected one or more different {kind}, got {list(names)}.")
    return names


def _named(regularizers: str | Iterable[str | None] | None) -> str | tuple[str, ...]:
    """Returns the names of regularizers: None is "none"."""
    if regularizers is None or isinstance(regularizers, str):
        return regularizers or "none"
    return tuple("none" if name is None else name for name in regularizers)


def _rates(rates: Iterable[float]) -> tuple[float, ...]:
    rates = tuple(float(rate) for rate in rates)
    if not rates or len(set(rates)) != len(rates) or not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"Expected one or more different dropout_rates from 0 to below 1, got {list(rates)}.")
    return rates


MLP = MLPSpace()
"""Up to ten layers of up to 128 units."""

SMALL_MLP = MLPSpace(
    3,
    64,
    activations=("relu", "tanh"),
    initializers=("random_normal", "lecun_normal"),
    dropout_rates=(0.0, 0.1, 0.25, 0.5),
    name="mlp-small",
)
"""Small enough for a table: 9,216 architectures in 4,032 classes. Deep networks of sigmoids would not train at all."""
