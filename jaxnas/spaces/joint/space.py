"""Joint spaces: an architecture and the hyperparameters of its training are one vector of choices."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import checks
from jaxnas.spaces.base import Space, check_valid
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.decisions import (
    Choices,
    Decision,
    cardinalities,
    check_decisions,
    checked,
    decode,
    encode,
    neighbors,
    one_hot,
    position,
    sample,
)

CITES = ("bansal2022jahs",)
SEPARATOR = " @ "

HYPERPARAMETERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "learning_rate": ("above 0", lambda value: value > 0),
    "momentum": ("from 0 to below 1", lambda value: 0 <= value < 1),
    "weight_decay": ("of 0 or more", lambda value: value >= 0),
    "label_smoothing": ("from 0 to below 1", lambda value: 0 <= value < 1),
    "num_views": ("that are whole and 1 or more", lambda value: value >= 1 and value == int(value)),
}
"""The hyperparameters that a training takes as traced numbers, and the values that each can have.

With `num_views`, training draws from the first `num_views` views of an example: the strength of augmentation.
"""


@final
@dataclass(frozen=True)
class JointSpace(Space):
    """The search space of the architectures of `space`, each with all combinations of hyperparameters of its training.

    The choices of an architecture come first, then the choices of the hyperparameters. Hyperparameters enter the
    training as traced numbers, so one compiled program trains the whole space. Two trainings of an architecture and
    a seed that differ in hyperparameters alone start from the same weights and see the same examples.

    A decision that is `ordered` has the next smaller and the next larger value as neighbors.

    Attributes:
        space: the space of the architectures.
        hyperparameters: decisions named after `HYPERPARAMETERS`.
        name: the space's name in tables and reports, by default `joint-` and the name of `space`.

    Raises ValueError on no hyperparameters, unknown ones, or values that a training cannot have.
    """

    space: Space
    hyperparameters: tuple[Decision, ...]
    name: str = ""
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    networks: ClassVar[str] = "jaxnas.spaces.joint.networks:joint_networks()"

    def __post_init__(self) -> None:
        if not isinstance(self.space, Space):
            raise ValueError(f"Expected a space of architectures, such as jn.NB201, got {type(self.space).__name__}.")
        hyperparameters = tuple(self.hyperparameters)
        check_decisions(hyperparameters)
        for decision in hyperparameters:
            if decision.name not in HYPERPARAMETERS:
                raise checks.unknown_name("a hyperparameter", decision.name, HYPERPARAMETERS)
            allowed, holds = HYPERPARAMETERS[decision.name]
            wrong = [value for value in decision.values if not _is_number(value) or not holds(value)]
            if wrong:
                raise ValueError(f"Expected values of {decision.name} {allowed}, got {wrong[0]!r:.40}.")
        decisions = (*self.space.decisions, *hyperparameters)
        check_decisions(decisions)
        object.__setattr__(self, "hyperparameters", hyperparameters)
        object.__setattr__(self, "name", self.name or f"joint-{self.space.name}")
        object.__setattr__(self, "decisions", decisions)

    @property
    def constrained(self) -> bool:
        return self.space.constrained

    def split(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the choices of the architecture, int32[D1], and of the hyperparameters, int32[D2]."""
        arch, size = jnp.asarray(arch, jnp.int32), len(self.space.decisions)
        return arch[:size], arch[size:]

    def recipe(self, arch: Choices) -> dict[str, float]:
        """Returns the values of the hyperparameters by their names; `arch` must not be traced."""
        return decode(self._checked(arch)[1], self.hyperparameters)

    def valid(self, arch: jax.Array, /) -> jax.Array:
        """Returns whether the architecture is one of `space`, bool[]; `arch` may be traced."""
        return self.space.valid(arch[..., : len(self.space.decisions)])

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns an architecture drawn as in `space`, with uniformly drawn hyperparameters, int32[D]."""
        first, second = jax.random.split(key)
        return jnp.concatenate([self.space.sample(first), sample(second, self.hyperparameters)])

    def moves(self, arch: jax.Array) -> jax.Array:
        """Returns those that differ by a step of the architecture, and those with another hyperparameter, int32[K, D].

        Rows may repeat the architecture, and may be invalid.
        """
        inner, choices = self.split(arch)
        of_space, others = self.space.moves(inner), neighbors(choices, self.hyperparameters)
        kept = jnp.broadcast_to(choices, (len(of_space), len(choices)))
        same = jnp.broadcast_to(inner, (len(others), len(inner)))
        return jnp.concatenate([jnp.concatenate([of_space, kept], axis=1), jnp.concatenate([same, others], axis=1)])

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of the architecture's class, with the same hyperparameters."""
        inner, choices = self.split(arch)
        return jnp.concatenate([self.space.canonical(inner), choices])

    def to_str(self, arch: Choices) -> str:
        """Returns the architecture as in `space`, and the hyperparameters: `"... @ learning_rate=0.2"`."""
        inner, choices = self._checked(arch)
        values = decode(choices, self.hyperparameters)
        return self.space.to_str(inner) + SEPARATOR + ",".join(f"{name}={value}" for name, value in values.items())

    def from_str(self, text: str) -> jax.Array:
        inner, separator, rest = text.rpartition(SEPARATOR)
        parts = rest.split(",")
        if not separator or len(parts) != len(self.hyperparameters):
            raise self.malformed(text)
        choices = []
        for decision, part in zip(self.hyperparameters, parts, strict=True):
            known = (f"{decision.name}={value}" for value in decision.values)
            choices.append(position(decision.name, part, known))
        arch = jnp.concatenate([self.space.from_str(inner), jnp.asarray(choices, jnp.int32)])
        return check_valid(self, arch)

    def decode(self, arch: Choices) -> dict:
        """Returns the values of the architecture as in `space`, and of the hyperparameters by their names."""
        inner, choices = self._checked(arch)
        return {**self.space.decode(inner), **decode(choices, self.hyperparameters)}

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        own = {decision.name: values[decision.name] for decision in self.hyperparameters if decision.name in values}
        inner = self.space.encode({name: value for name, value in values.items() if name not in own})
        return jnp.concatenate([inner, jnp.asarray(encode(own, self.hyperparameters))])

    def features(self, arch: ArrayLike) -> jax.Array:
        """Returns the features of the architecture in `space`, and the hyperparameters, one-hot, float32[F]."""
        inner, choices = self.split(arch)
        return jnp.concatenate([self.space.features(inner), one_hot(choices, self.hyperparameters)])

    @property
    def label_names(self) -> tuple[str, ...]:
        """Returns the names of the labels in `space`, then of the hyperparameters' labels."""
        own = (f"{decision.name}={value}" for decision in self.hyperparameters for value in decision.values)
        return (*self.space.label_names, *own)

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the graph of the architecture in `space`, behind a chain of a vertex for each hyperparameter."""
        inner, choices = self.split(arch)
        labels, edges = self.space.labeled(inner)
        sizes = cardinalities(self.hyperparameters)
        offsets = len(self.space.label_names) + np.cumsum(sizes) - sizes
        count = len(sizes)
        whole = jnp.eye(count + len(labels), k=1, dtype=bool) & (jnp.arange(count + len(labels)) < count)[:, None]
        return (
            jnp.concatenate([choices + offsets.astype(np.int32), labels]),
            whole.at[count:, count:].set(edges),
        )

    def drawn(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        return self.space.drawn(self.split(arch)[0])

    def drawing(self, arch: Choices) -> str:
        return self.space.drawing(self._checked(arch)[0])

    @property
    def cell(self) -> dict | None:
        return self.space.cell

    def description(self) -> dict:
        """Returns the space as manifests hold it, with the description of the architectures' space."""
        return {**super().description(), "space": self.space.description()}

    def _checked(self, arch: Choices) -> tuple[tuple[int, ...], tuple[int, ...]]:
        choices, size = checked(arch, self.decisions), len(self.space.decisions)
        return choices[:size], choices[size:]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


JOINT_SMALL = JointSpace(
    CellSpace(3, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"), name="cells-3"),
    (
        Decision("learning_rate", (0.02, 0.0632, 0.2, 0.632, 2.0), ordered=True),
        Decision("weight_decay", (5e-4, 5e-3), ordered=True),
        Decision("num_views", (1, 25), ordered=True),
    ),
    name="joint-small",
)
"""The cells of three nodes of NAS-Bench-201's operations with 20 recipes: 2,500 of them in 1,200 classes."""
