"""Decisions, and the arithmetic on vectors of choices, `int32[D]`, that every space shares."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.checks import unknown_name

MAX_ROWS = 2**31
"""A space of fewer architectures can number them."""

MAX_NAMED = 2_000_000

Choices = jax.Array | np.ndarray | Sequence[int]
"""An architecture outside of traced functions: the numbers of its values, one a decision."""


@dataclass(frozen=True)
class Decision:
    """One choice of an architecture: its name and the values that it can take.

    Attributes:
        name: how `decode` calls the choice.
        values: that it can take.
        ordered: whether a step changes the choice by one, up or down, and not to any other value.
    """

    name: str
    values: Sequence
    ordered: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not isinstance(self.values, Iterable):
            raise ValueError(f"Expected values of {self.name!r} in a tuple, such as (16, 32), got {self.values!r:.40}.")
        if not isinstance(self.values, range):
            object.__setattr__(self, "values", tuple(self.values))  # hashable, as spaces must be
        if not len(self.values):
            raise ValueError(f"Expected a decision {self.name!r} with one or more values, got none.")


def value_names(decision: Decision) -> list[str]:
    """Returns the names of a decision's values; a single one for a range of more values than any table has."""
    if isinstance(decision.values, range) and len(decision.values) > MAX_NAMED:
        return [str(decision.values)]
    return [str(value) for value in decision.values]


def described(decision: Decision) -> dict:
    """Returns a decision as manifests hold it: its name, the names of its values, and whether they are ordered."""
    order = {"ordered": True} if decision.ordered else {}
    return {"name": decision.name, "values": value_names(decision), **order}


def has_order(decisions: tuple[Decision, ...]) -> bool:
    """Returns whether one of the decisions is ordered."""
    return any(decision.ordered for decision in decisions)


def check_decisions(decisions: tuple[Decision, ...]) -> None:
    """Raises ValueError if there are no decisions, or two of one name: `decode` identifies them by name."""
    if other := [each for each in decisions if not isinstance(each, Decision)]:
        raise ValueError(f"Expected decisions such as jn.Decision('width', (16, 32)), got {other[0]!r:.40}.")
    names = [decision.name for decision in decisions]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"Expected one or more decisions of different names, got {', '.join(map(str, names)) or 'none'}."
        )


def num_combinations(decisions: tuple[Decision, ...]) -> int:
    """Returns the number of combinations of the decisions' values."""
    return math.prod(len(decision.values) for decision in decisions)


def radix_weights(decisions: tuple[Decision, ...]) -> np.ndarray:
    """Returns the weight of each decision in an architecture's mixed-radix number, int64[D]; the last weighs one.

    Raises ValueError past 2**31 combinations.
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
    """Returns for each neighbor which decision changes and by how much, both int32[K]."""
    sizes = cardinalities(decisions)
    changed = np.repeat(np.arange(len(sizes)), sizes - 1)
    steps = np.concatenate([np.arange(1, size) for size in sizes])
    return changed.astype(np.int32), steps.astype(np.int32)


def _move(arch: jax.Array, position: jax.Array, step: jax.Array, decisions: tuple[Decision, ...]) -> jax.Array:
    sizes = cardinalities(decisions)
    moved = arch + step
    moved = jnp.where(moved < sizes, moved, moved - sizes)
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
    changed, _ = _moves(decisions)
    count = len(changed) if num_present is None else (changed < num_present).sum()
    return neighbor_at(arch, prng.draw_index(key, count), decisions)


def neighbor_at(arch: jax.Array, number: jax.Array, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns one of `neighbors`, int32[D], by its number."""
    changed, steps = _moves(decisions)
    return _move(arch, jnp.asarray(changed)[number], jnp.asarray(steps)[number], decisions)


def neighbors(arch: jax.Array, decisions: tuple[Decision, ...], num_present: jax.Array | None = None) -> jax.Array:
    """Returns the architectures that differ in one decision, int32[K, D].

    Of decisions beyond the first `num_present`, which do not count, rows repeat the architecture; likewise of steps of
    more than one in ordered decisions.
    """
    changed, steps = _moves(decisions)
    each = jax.vmap(lambda position, step: _move(jnp.asarray(arch), position, step, decisions))
    found = each(changed, steps if num_present is None else jnp.where(changed < num_present, steps, 0))
    if not has_order(decisions):
        return found
    ordered = np.asarray([decision.ordered for decision in decisions])
    jumps = (jnp.where(ordered, jnp.abs(found - jnp.asarray(arch)), 0) > 1).any(1)
    return jnp.where(jumps[:, None], jnp.asarray(arch, jnp.int32), found)


def mixed_radix(weights: ArrayLike, arch: ArrayLike) -> jax.Array:
    """Returns the mixed-radix number of an architecture, int32[], by the weights of the decisions."""
    return (jnp.asarray(arch) * weights).sum(-1).astype(jnp.int32)


def index(arch: ArrayLike, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns the mixed-radix number of an architecture, int32[]; the first decision is the most significant."""
    return mixed_radix(radix_weights(decisions).astype(np.int32), arch)


def arch_at(row: ArrayLike, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns the architecture with this mixed-radix number, int32[D]."""
    return (jnp.asarray(row)[..., None] // radix_weights(decisions).astype(np.int32) % cardinalities(decisions)).astype(
        jnp.int32
    )


def one_hot(arch: ArrayLike, decisions: tuple[Decision, ...]) -> jax.Array:
    """Returns 1 for the chosen value of each decision and 0 for the others, float32[F], by decision and value."""
    sizes = cardinalities(decisions)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    values = np.concatenate([np.arange(size) for size in sizes])
    return (jnp.asarray(arch, jnp.int32)[owners] == values).astype(jnp.float32)


def checked(arch: Choices, decisions: tuple[Decision, ...]) -> tuple[int, ...]:
    """Returns an architecture as a tuple of ints. Raises ValueError if it does not fit the decisions."""
    given = np.asarray(arch).reshape(-1)
    if given.dtype.kind not in "iu" and given.size:
        raise ValueError(f"Expected an architecture of integers, got {given.dtype} {given.tolist()!r:.60}.")
    choices = tuple(int(choice) for choice in given)
    if len(choices) != len(decisions):
        raise ValueError(f"Expected an architecture of {len(decisions)} choices, got {len(choices)}.")
    for decision, choice in zip(decisions, choices, strict=True):
        if not 0 <= choice < len(decision.values):
            raise ValueError(f"Expected a choice of 0 to {len(decision.values) - 1} for {decision.name}, got {choice}.")
    return choices


def position(what: str, name: str, values: Iterable) -> int:
    """Returns the position of a name among the names of values. Raises ValueError if it is not among them."""
    known = [str(value) for value in values]
    if name not in known:
        raise unknown_name(what, name, known)
    return known.index(name)


def decode(arch: Choices, decisions: tuple[Decision, ...]) -> dict:
    """Returns the values of an architecture by the names of the decisions."""
    return {
        decision.name: decision.values[choice]
        for decision, choice in zip(decisions, checked(arch, decisions), strict=True)
    }


def encode(values: Mapping[str, Any], decisions: tuple[Decision, ...]) -> np.ndarray:
    """Returns the choices, int32[D], of values, or of their names, by the names of the decisions.

    Raises ValueError on a missing decision, an unknown one, or an unknown value.
    """
    names = [decision.name for decision in decisions]
    missing = [name for name in names if name not in values]
    if missing:
        raise ValueError(f"Expected a value for each of {', '.join(names)}, got none for {', '.join(missing)}.")
    for name in values:
        if name not in names:
            raise unknown_name("a decision", name, names)
    choices = (position(decision.name, str(values[decision.name]), decision.values) for decision in decisions)
    return np.fromiter(choices, np.int32, len(decisions))
