"""Arrays computed once over all rows of a space: neighbors, classes, and the vectors that are architectures."""

import functools
from collections.abc import Iterable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.spaces.decisions import Decision, arch_at, num_combinations

MAX_ENUMERABLE = 2_000_000


class Vectors(Protocol):
    """The members of a space that finding its rows and its valid vectors needs; see `jaxnas.spaces.base.Space`."""

    @property
    def name(self) -> str: ...
    @property
    def decisions(self) -> tuple[Decision, ...]: ...
    @property
    def num_architectures(self) -> int: ...
    def index(self, arch: ArrayLike) -> jax.Array: ...
    def arch_at(self, row: ArrayLike) -> jax.Array: ...
    def valid(self, arch: jax.Array, /) -> jax.Array: ...
    def canonical(self, arch: ArrayLike) -> jax.Array: ...
    def neighbor_rows(self) -> np.ndarray: ...
    def sample(self, key: jax.Array) -> jax.Array: ...
    def moves(self, arch: jax.Array) -> jax.Array: ...
    def __hash__(self) -> int: ...


def check_enumerable(space: Vectors) -> None:
    """Raises ValueError if a space is too large to enumerate."""
    if space.num_architectures > MAX_ENUMERABLE:
        raise ValueError(
            f"Expected at most {MAX_ENUMERABLE:,} architectures to enumerate, got {space.num_architectures:,}."
        )


@functools.lru_cache(maxsize=8)
def neighbor_table(space: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of each architecture's neighbors, int32[A, K], and how many there are, int32[A].

    An architecture's own row and repeated ones come last, as the own row, and do not count.
    """
    table = np.array(space.neighbor_rows())
    own = np.arange(len(table), dtype=table.dtype)[:, None]
    counted = table != own
    if (counted[:, :-1] >= counted[:, 1:]).all() and (~counted[:, 1:] | (table[:, :-1] < table[:, 1:])).all():
        return table, counted.sum(1).astype(np.int32)  # as `padded_rows` makes it: a large table is not sorted again
    order = np.argsort(table, axis=1, kind="stable")
    ordered = np.take_along_axis(table, order, axis=1)
    repeated = np.zeros(table.shape, bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    table = np.where(repeated, own, table)
    uncounted = table == own
    table = np.take_along_axis(table, np.argsort(uncounted, axis=1, kind="stable"), axis=1)
    return table, (~uncounted).sum(1).astype(np.int32)


def symmetric_closure(pairs: Iterable[tuple[np.ndarray, np.ndarray]], num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows that each row is paired with, ascending and one after the other, int32[N], and their numbers.

    Args:
        pairs: arrays of rows, both int[M], that are neighbors of each other; a row with itself does not count.
        num_rows: the number of rows, A; the numbers are int32[A].
    """
    from scipy.sparse import coo_array

    firsts, seconds = zip(*((one[one != other], other[one != other]) for one, other in pairs), strict=True)
    first, second = np.concatenate([*firsts, *seconds]), np.concatenate([*seconds, *firsts])
    matrix = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(num_rows, num_rows)).tocsr()
    matrix.sum_duplicates()
    return matrix.indices.astype(np.int32), np.diff(matrix.indptr).astype(np.int32)


def padded_rows(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the neighbors of each row as `symmetric_closure` returns them, int32[A, K], the own row after them."""
    table = np.repeat(np.arange(len(counts), dtype=np.int32)[:, None], counts.max(), axis=1)
    table[np.arange(table.shape[1]) < counts[:, None]] = rows
    return table


@functools.lru_cache(maxsize=8)
def class_rows(space: Vectors) -> np.ndarray:
    """Returns for each row the row of its class's representative, int32[A], by `space.canonical`."""
    check_enumerable(space)
    rows = np.arange(space.num_architectures)
    with jax.ensure_compile_time_eval():  # a caller may be traced
        return np.asarray(jax.jit(jax.vmap(lambda row: space.index(space.canonical(space.arch_at(row)))))(rows))


@functools.partial(jax.jit, static_argnums=0)
def rows_of_all(space: Vectors, archs: jax.Array) -> jax.Array:
    """Returns the rows of architectures int32[N, D], int32[N], by one compiled program for each space."""
    return jax.vmap(space.index)(archs)


@functools.partial(jax.jit, static_argnums=0)
def are_valid(space: Vectors, archs: jax.Array) -> jax.Array:
    """Returns which vectors of choices int32[N, D] are architectures, bool[N], by one program for each space."""
    return jax.vmap(space.valid)(archs)


@functools.lru_cache(maxsize=8)
def valid_codes(space: Vectors) -> np.ndarray:
    """Returns the mixed-radix numbers of the combinations of choices that are valid, ascending, int32[A].

    Raises ValueError if none is.
    """
    codes = np.arange(num_combinations(space.decisions), dtype=np.int32)
    with jax.ensure_compile_time_eval():
        valid = jax.jit(jax.vmap(lambda code: jnp.asarray(space.valid(arch_at(code, space.decisions)))))(codes)
    codes = codes[np.asarray(valid)]
    if not len(codes):
        raise ValueError(f"Expected a space of one or more valid architectures, got {space.name} with none.")
    return codes
