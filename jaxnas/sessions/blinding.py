"""Blinded spaces: memory of a space's good architectures is of no use in one, and its structure is the same."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_seed
from jaxnas.spaces.base import ReadThrough, Space, check_valid
from jaxnas.spaces.decisions import Choices, Decision, checked, position

SEPARATOR = "-"


@final
@dataclass(frozen=True)
class Blinded(ReadThrough):
    """A search space with its decisions in another order, and other names for decisions and values, by a seed.

    Values are permuted equally for all decisions with the same values: an operation has one new name on all edges.
    Ordered values keep their order or are reversed. Neighbors are as in `space`; there are no rows.

    Attributes:
        space: the space behind.
        order: the number, in `space`, of each decision.
        values: the number, in `space`, of each value of each decision.
    """

    space: Space
    seed: int
    name: str = field(init=False, repr=False)
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    order: tuple[int, ...] = field(init=False, repr=False)
    values: tuple[tuple[int, ...], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(checked_seed(self.seed))
        kinds = list(dict.fromkeys((tuple(each.values), each.ordered) for each in self.space.decisions))
        numbers = {kind: _permuted(random, *kind) for kind in kinds}
        names = {kinds[kind]: f"v{number}" for number, kind in enumerate(random.permutation(len(kinds)))}
        order, decisions, values = random.permutation(len(self.space.decisions)).tolist(), [], []
        for place, number in enumerate(order, start=1):
            kind = tuple(self.space.decisions[number].values), self.space.decisions[number].ordered
            shown = tuple(f"{names[kind]}.{value}" for value in range(len(kind[0])))
            decisions.append(Decision(f"decision {place}", shown, kind[1]))
            values.append(numbers[kind])
        for name, found in {"decisions": decisions, "order": order, "values": values}.items():
            object.__setattr__(self, name, tuple(found))
        object.__setattr__(self, "name", "blinded")

    def behind(self, arch: Any) -> Any:
        """Returns architectures [..., D], which may be traced, in the terms of `space`."""
        return _looked_up(self._tables[0], arch)[..., np.argsort(self.order)]

    def shown(self, arch: Any) -> Any:
        """Returns architectures [..., D] of `space` in terms of this space."""
        inner = arch if isinstance(arch, jax.Array) else np.asarray(arch)
        return _looked_up(self._tables[1], inner[..., np.asarray(self.order)])

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        return self.shown(self.space.encode(values))

    @functools.cached_property
    def _tables(self) -> np.ndarray:
        """Returns the inner values of own ones and the own values of inner ones, int32[2, D, V]."""
        tables = np.zeros((2, len(self.values), max(map(len, self.values))), np.int32)
        for number, values in enumerate(self.values):
            tables[:, number, : len(values)] = values, np.argsort(values)
        return tables

    @property
    def constrained(self) -> bool:
        return self.space.constrained

    @property
    def num_architectures(self) -> int:
        return self.space.num_architectures

    @property
    def indexer(self) -> None:
        return None

    def valid(self, arch: jax.Array, /) -> jax.Array:
        return self.space.valid(self.behind(arch))

    def sample(self, key: jax.Array) -> jax.Array:
        own = jax.random.fold_in(key, self.seed)  # a draw of `space` by the same key would give names away
        return self.shown(self.space.sample(own))

    def moves(self, arch: jax.Array) -> jax.Array:
        return self.shown(self.space.moves(self.behind(arch)))

    def canonical(self, arch: ArrayLike) -> jax.Array:
        return self.shown(self.space.canonical(self.behind(arch)))

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as the names of its values, `"v0.2-v0.0-v1.1"`."""
        choices = zip(self.decisions, checked(arch, self.decisions), strict=True)
        return SEPARATOR.join(decision.values[choice] for decision, choice in choices)

    def from_str(self, text: str) -> jax.Array:
        names = text.strip().split(SEPARATOR)
        if len(names) != len(self.decisions):
            raise self.malformed(text, f" of {len(self.decisions)} names")
        pairs = zip(self.decisions, names, strict=True)
        found = [position(f"a value of {decision.name}", name, decision.values) for decision, name in pairs]
        arch = jnp.asarray(found, jnp.int32)
        return check_valid(self, arch) if self.constrained else arch


def _looked_up(table: np.ndarray, choices: Any) -> Any:
    """Returns table[d, choices[..., d]], of JAX only if the choices are."""
    is_jax = isinstance(choices, jax.Array)
    return (jnp.asarray(table) if is_jax else table)[np.arange(len(table)), choices if is_jax else np.asarray(choices)]


def _permuted(random: np.random.Generator, values: tuple, ordered: bool) -> tuple[int, ...]:
    numbers = np.arange(len(values))
    return tuple((numbers[:: random.choice((1, -1))] if ordered else random.permutation(numbers)).tolist())
