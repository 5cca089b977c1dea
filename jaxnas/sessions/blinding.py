"""Blinded spaces: memory of a space's good architectures is of no use in one, and its structure is the same."""

import functools
import string
from dataclasses import dataclass, field
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_seed
from jaxnas.spaces.base import ReadThrough, Space, check_valid
from jaxnas.spaces.decisions import Choices, Decision, checked, position
from jaxnas.spaces.grammar import of_decisions

SEPARATOR = "-"


@final
@dataclass(frozen=True)
class Blinded(ReadThrough):
    """A search space with its decisions in another order and other names for decisions and values.

    Decisions are permuted by the seed. So are the values, equally for all decisions with the same values: an operation
    has one new name on all edges. Ordered values keep their order or are reversed. Rows, classes, neighbors and valid
    architectures are those of `space`.

    Attributes:
        space: the space behind.
        seed: of the permutations.
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
        inner = self.space.decisions
        order = random.permutation(len(inner)).tolist()
        kinds = list(dict.fromkeys((tuple(each.values), each.ordered) for each in inner))
        letters = dict(zip(kinds, random.permutation(len(kinds)).tolist(), strict=True))
        numbers = {kind: _permuted(random, len(kind[0]), kind[1]) for kind in kinds}
        decisions, values = [], []
        for place, number in enumerate(order, start=1):
            kind = tuple(inner[number].values), inner[number].ordered
            names = tuple(f"{_letters(letters[kind])}{value}" for value in range(len(kind[0])))
            decisions.append(Decision(f"decision {place}", names, kind[1]))
            values.append(numbers[kind])
        own = {"name": "blinded", "decisions": decisions, "order": order, "values": values}
        for name, value in own.items():
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)

    def behind(self, arch: Any) -> Any:
        """Returns architectures [..., D], which may be traced, as those of `space`."""
        return _looked_up(self._tables[0], arch)[..., np.argsort(self.order)]

    def shown(self, arch: Any) -> Any:
        """Returns architectures [..., D] of `space` as those of this one."""
        inner = arch if isinstance(arch, jax.Array) else np.asarray(arch)
        return _looked_up(self._tables[1], inner[..., np.asarray(self.order)])

    @functools.cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the inner values of own ones and the own values of inner ones, by decision, int32[D, V]."""
        tables = np.zeros((2, len(self.values), max(map(len, self.values))), np.int32)
        for number, values in enumerate(self.values):
            tables[0, number, : len(values)] = values
            tables[1, number, : len(values)] = np.argsort(values)
        return tables[0], tables[1]

    @property
    def constrained(self) -> bool:
        return self.space.constrained

    @property
    def num_architectures(self) -> int:
        return self.space.num_architectures

    @property
    def indexer(self) -> jax.tree_util.Partial | None:
        inner = self.space.indexer
        return None if inner is None else jax.tree_util.Partial(lambda arch: inner(self.behind(arch)))

    def arch_at(self, row: ArrayLike) -> jax.Array:
        return self.shown(self.space.arch_at(row))

    def valid(self, arch: jax.Array, /) -> jax.Array:
        return self.space.valid(self.behind(arch))

    def sample(self, key: jax.Array) -> jax.Array:
        own = jax.random.fold_in(key, self.seed)  # a draw of `space` by the same key would give names away
        return self.shown(self.space.sample(own))

    def mutate(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        return self.shown(self.space.mutate(key, self.behind(arch)))

    def moves(self, arch: jax.Array) -> jax.Array:
        return self.shown(self.space.moves(self.behind(arch)))

    def canonical(self, arch: ArrayLike) -> jax.Array:
        return self.shown(self.space.canonical(self.behind(arch)))

    def neighbor_rows(self) -> np.ndarray:
        return self.space.neighbor_rows()

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as the names of its values, `"a2-a0-b1"`."""
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

    @property
    def grammar(self) -> str:
        return of_decisions(self.decisions, SEPARATOR)


def _looked_up(table: np.ndarray, choices: Any) -> Any:
    """Returns table[d, choices[..., d]], of JAX only if the choices are, which may be traced."""
    if isinstance(choices, jax.Array):
        return jnp.asarray(table)[np.arange(len(table)), choices]
    return table[np.arange(len(table)), np.asarray(choices)]


def _permuted(random: np.random.Generator, size: int, ordered: bool) -> tuple[int, ...]:
    """Returns the numbers below `size` in a random order, or, of ordered values, ascending or descending."""
    numbers = np.arange(size)
    if ordered:
        return tuple((numbers[::-1] if random.integers(2) else numbers).tolist())
    return tuple(random.permutation(numbers).tolist())


def _letters(number: int) -> str:
    """Returns the letters of a number: a to z, then aa, ab, ..."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + string.ascii_lowercase[last]
