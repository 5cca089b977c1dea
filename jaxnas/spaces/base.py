"""Search spaces over independent decisions, and the arithmetic on `int32[D]` that every space shares.

A space has a `name` and `decisions`, and the methods of `SearchSpace`. Methods take and return single architectures;
`jax.vmap` gives batches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng

MAX_ENUMERABLE = 2_000_000
MAX_ROWS = 2**31
"""Architectures of a space of fewer have row numbers."""


@dataclass(frozen=True)
class Decision:
    """One choice of an architecture: its name and the values that it can take."""

    name: str
    values: Sequence

    def __post_init__(self):
        if not isinstance(self.values, range):
            object.__setattr__(self, "values", tuple(self.values))  # hashable, so that a space is


@dataclass(frozen=True)
class SearchSpace:
    """A search space of independent decisions, with no more structure than that.

    For functions of one's own (`FunctionBenchmark`). Spaces with networks, such as `CellSpace`, have the same
    attributes and methods.
    """

    name: str
    decisions: tuple[Decision, ...]

    def __post_init__(self):
        object.__setattr__(self, "decisions", tuple(self.decisions))

    @property
    def num_architectures(self) -> int:
        """Returns the number of architectures."""
        return num_combinations(self.decisions)

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns a uniformly drawn architecture, int32[D]."""
        return sample(key, self.decisions)

    def mutate(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        """Returns a uniformly drawn neighbour of an architecture, which differs in exactly one decision."""
        return mutate(key, arch, self.decisions)

    def neighbors(self, arch: jax.Array) -> jax.Array:
        """Returns all architectures that differ in exactly one decision, int32[K, D]."""
        return neighbors(arch, self.decisions)

    def index(self, arch: jax.Array) -> jax.Array:
        """Returns the row of an architecture in the enumeration of the space, int32[].

        The first decision varies slowest.
        """
        return index(arch, self.decisions)

    def arch_at(self, row: jax.Array) -> jax.Array:
        """Returns the architecture at a row of the enumeration, int32[D]."""
        return arch_at(row, self.decisions)

    def canonical(self, arch: jax.Array) -> jax.Array:
        """Returns the representative of an architecture's class; here, every architecture is its own class."""
        return jnp.asarray(arch, jnp.int32)

    def to_str(self, arch: jax.Array) -> str:
        """Returns an architecture as a string of its choices, `"2-0-1"`."""
        return "-".join(str(choice) for choice in checked(arch, self.decisions))

    def from_str(self, text: str) -> jax.Array:
        """Returns the architecture of a string that `to_str` made. Raises ValueError on any other string."""
        try:
            choices = [int(part) for part in text.split("-")]
        except ValueError:
            raise ValueError(
                f"Expected an architecture such as {self.to_str((0,) * len(self.decisions))!r}, got {text!r}."
            ) from None
        return jnp.asarray(checked(choices, self.decisions), jnp.int32)

    def decode(self, arch: jax.Array) -> dict:
        """Returns the values of an architecture by the names of the decisions."""
        return decode(arch, self.decisions)

    def description(self) -> dict:
        """Returns the space as manifests hold it."""
        return describe(self)

    def enumerated(self):
        """Returns the same space over the rows of its enumeration. Raises ValueError where it is too large."""
        from jaxnas.spaces.enumerated import EnumeratedSpace

        return EnumeratedSpace(self)


def describe(space) -> dict:
    """Returns a space as manifests hold it: its name and its decisions with the names of their values."""
    decisions = [
        {"name": decision.name, "values": [str(value) for value in decision.values]} for decision in space.decisions
    ]
    return {"name": space.name, "num_architectures": space.num_architectures, "decisions": decisions}


def check_enumerable(space) -> None:
    """Raises ValueError where a space is too large to enumerate."""
    if space.num_architectures > MAX_ENUMERABLE:
        raise ValueError(
            f"Expected at most {MAX_ENUMERABLE:,} architectures to enumerate, got {space.num_architectures:,}."
        )


def num_combinations(decisions: tuple[Decision, ...]) -> int:
    """Returns the number of combinations of the decisions' values."""
    return math.prod(len(decision.values) for decision in decisions)


def radix_weights(decisions: tuple[Decision, ...]) -> np.ndarray:
    """Returns the weight of each decision in an architecture's row, int64[D]; the last weighs one.

    Raises ValueError past 2**31 rows.
    """
    if num_combinations(decisions) >= MAX_ROWS:
        raise ValueError(
            f"Expected a space of fewer than 2**31 architectures to number them, got {num_combinations(decisions):,}."
        )
    sizes = [len(decision.values) for decision in decisions]
    return np.asarray([math.prod(sizes[position + 1 :]) for position in range(len(sizes))], np.int64)


def cardinalities(decisions: tuple[Decision, ...]) -> np.ndarray:
    """Returns the number of values of each decision, int32[D]."""
    return np.asarray([len(decision.values) for decision in decisions], np.int32)


def sample(key: jax.Array, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns a uniformly drawn combination of choices, int32[D]."""
    sizes = cardinalities(decisions)
    size = int(sizes[0]) if (sizes == sizes[0]).all() else sizes
    return prng.draw_index(key, size, (len(decisions),))


def _moves(decisions: tuple[Decision, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each neighbour which decision changes and by how much, both int32[K]."""
    sizes = cardinalities(decisions)
    changed = np.repeat(np.arange(len(sizes)), sizes - 1)
    steps = np.concatenate([np.arange(1, size) for size in sizes])
    return changed.astype(np.int32), steps.astype(np.int32)


def _move(arch: jax.Array, position: jax.Array, step: jax.Array, decisions: tuple[Decision, ...]) -> jax.Array:
    sizes = cardinalities(decisions)
    moved = (arch + step) % sizes
    return jnp.where(np.arange(len(sizes)) == position, moved, arch).astype(jnp.int32)


def mutate(
    key: jax.Array, arch: jax.Array, decisions: tuple[Decision, ...], num_present: jax.Array | None = None
) -> jax.Array:
    """Returns the architecture with one decision changed, uniform over all such changes.

    Args:
        num_present: how many decisions count, the first ones, which alone change; None for all.
    """
    sizes = cardinalities(decisions)
    if num_present is None and (sizes == sizes[0]).all():  # no tables needed: draw the decision and the step apart
        words = jax.random.bits(key, (2,), jnp.uint32)
        position = prng.scale_word(words[0], len(sizes))
        step = 1 + prng.scale_word(words[1], int(sizes[0]) - 1)
        return _move(arch, position, step, decisions)
    changed, steps = _moves(decisions)
    count = len(changed) if num_present is None else (changed < num_present).sum()
    number = prng.draw_index(key, count)
    return _move(arch, jnp.asarray(changed)[number], jnp.asarray(steps)[number], decisions)


def neighbors(arch: jax.Array, decisions: tuple[Decision, ...], num_present: jax.Array | None = None) -> jax.Array:
    """Returns the architectures that differ in one decision, int32[K, D].

    Of decisions beyond the first `num_present`, which do not count, rows repeat the architecture.
    """
    changed, steps = _moves(decisions)
    if num_present is not None:
        steps = jnp.where(changed < num_present, steps, 0)
    return jax.vmap(lambda position, step: _move(jnp.asarray(arch), position, step, decisions))(changed, steps)


def index(arch: jax.Array, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns the mixed-radix number of an architecture, int32[]; the first decision is the most significant."""
    return (jnp.asarray(arch) * radix_weights(decisions).astype(np.int32)).sum(-1).astype(jnp.int32)


def arch_at(row: jax.Array, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns the architecture with this mixed-radix number, int32[D]."""
    return (jnp.asarray(row)[..., None] // radix_weights(decisions).astype(np.int32) % cardinalities(decisions)).astype(
        jnp.int32
    )


def checked(arch: jax.Array, decisions: tuple[Decision, ...]) -> tuple[int, ...]:
    """Returns an architecture as a tuple of ints. Raises ValueError where it is no architecture of the decisions."""
    choices = tuple(int(choice) for choice in np.asarray(arch).reshape(-1))
    if len(choices) != len(decisions):
        raise ValueError(f"Expected an architecture of {len(decisions)} choices, got {len(choices)}.")
    for decision, choice in zip(decisions, choices, strict=True):
        if not 0 <= choice < len(decision.values):
            raise ValueError(f"Expected a choice of 0 to {len(decision.values) - 1} for {decision.name}, got {choice}.")
    return choices


def decode(arch: jax.Array, decisions: tuple[Decision, ...]) -> dict:
    """Returns the values of an architecture by the names of the decisions."""
    return {
        decision.name: decision.values[choice]
        for decision, choice in zip(decisions, checked(arch, decisions), strict=True)
    }
