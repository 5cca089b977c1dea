"""Spaces of some of the architectures of another space, which are listed."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.spaces.base import ReadThrough, Space, check_valid, listed_position
from jaxnas.spaces.decisions import Decision, radix_weights


@final
@dataclass(frozen=True)
class ListedSpace(ReadThrough):
    """The search space of some architectures of another one, for example of a published table or a sample.

    Architectures are vectors of choices as in `space`, in the order of their mixed-radix numbers. Neighbors are the
    neighbors in `space` that are listed; classes are the same as in `space`. Networks of a part of a space are not
    trained: `networks` is None.

    Attributes:
        space: the whole space, of fewer than 2**31 vectors, whose architectures have rows.
        rows: the rows of the architectures in `space`, in any order; repeats count once.
        name: the space's name in tables and reports, by default the name of `space`.

    Raises ValueError on no rows, or rows that `space` does not have.
    """

    space: Space
    rows: Sequence[int] | np.ndarray = field(repr=False, compare=False)
    name: str = ""
    decisions: tuple[Decision, ...] = field(init=False, repr=False)
    numbers: np.ndarray = field(init=False, repr=False, compare=False)
    digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = np.unique(np.asarray(self.rows, np.int64))
        if not len(rows) or rows[0] < 0 or rows[-1] >= self.space.num_architectures:
            raise ValueError(
                f"Expected one or more rows from 0 to {self.space.num_architectures - 1:,}, got "
                + (f"rows from {rows[0]:,} to {rows[-1]:,}." if len(rows) else "none.")
            )
        decisions = self.space.decisions
        archs = np.asarray(self.space.arch_at(jnp.asarray(rows, jnp.int32)))
        codes = np.sort(archs @ radix_weights(decisions)).astype(np.int32)
        fields = {"rows": rows, "name": self.name or self.space.name, "decisions": decisions, "numbers": codes}
        for name, value in {**fields, "digest": hashlib.sha256(codes.tobytes()).hexdigest()}.items():
            object.__setattr__(self, name, value)

    @property
    def codes(self) -> np.ndarray:
        return self.numbers

    def valid(self, arch: jax.Array, /) -> jax.Array:
        """Returns whether an architecture is listed, bool[]; `arch` may be traced."""
        return listed_position(radix_weights(self.decisions).astype(np.int32), self.numbers, arch)[1]

    def moves(self, arch: jax.Array) -> jax.Array:
        """Returns all vectors that are one step away in the whole space, listed or not, int32[K, D]."""
        return self.space.moves(arch)

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's class, its first listed member."""
        return self.arch_at(jnp.asarray(self.classes())[self.index(arch)])

    def classes(self) -> np.ndarray:
        """Returns for each row the first row of the same class, int32[A]."""
        return _listed_classes(self)

    def from_str(self, text: str) -> jax.Array:
        """Returns the architecture of a string. Raises ValueError if it is malformed or not listed."""
        return check_valid(self, self.space.from_str(text))


@functools.lru_cache(maxsize=8)
def _listed_classes(space: ListedSpace) -> np.ndarray:
    with jax.ensure_compile_time_eval():  # a caller may be traced
        archs = space.arch_at(np.arange(space.num_architectures))
        canonical = np.asarray(jax.jit(jax.vmap(space.space.canonical))(archs))
    _, first, class_of = np.unique(canonical, axis=0, return_index=True, return_inverse=True)
    return first[class_of.reshape(-1)].astype(np.int32)
