"""A space over the rows of another one: what strategies need, by table look-up."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.spaces.base import Decision, check_enumerable, checked


@dataclass(frozen=True)
class EnumeratedSpace:
    """The same space as `space`, where an architecture is int32[1], its row in the enumeration.

    Neighbours are those of `space`.

    Raises:
        ValueError: where the space is too large to enumerate.
    """

    space: object

    def __post_init__(self):
        check_enumerable(self.space)

    @property
    def name(self) -> str:
        """Returns the name of the space behind the rows."""
        return self.space.name

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Returns the one decision, the row."""
        return (Decision("row", range(self.num_architectures)),)

    @property
    def num_architectures(self) -> int:
        """Returns the number of architectures."""
        return self.space.num_architectures

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns a uniformly drawn architecture, int32[1]."""
        return prng.draw_index(key, self.num_architectures, (1,))

    def mutate(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        """Returns a uniformly drawn neighbour of an architecture, int32[1]."""
        table, degrees = neighbor_table(self.space)
        if (degrees == table.shape[1]).all():
            number = prng.draw_index(key, table.shape[1], (1,))
            flat = jnp.asarray(table.reshape(-1))
            return flat.at[arch * table.shape[1] + number].get(mode="promise_in_bounds", wrap_negative_indices=False)
        return jnp.asarray(table)[arch, prng.draw_index(key, jnp.asarray(degrees)[arch])]

    def neighbors(self, arch: jax.Array) -> jax.Array:
        """Returns the rows of the neighbours, int32[K, 1]."""
        return jnp.asarray(neighbor_table(self.space)[0])[jnp.asarray(arch)[0]][:, None]

    def index(self, arch: jax.Array) -> jax.Array:
        """Returns the row itself, int32[]."""
        return jnp.asarray(arch, jnp.int32)[..., 0]

    def arch_at(self, row: jax.Array) -> jax.Array:
        """Returns a row as an architecture, int32[1]."""
        return jnp.asarray(row, jnp.int32)[..., None]

    def canonical(self, arch: jax.Array) -> jax.Array:
        """Returns the row of the class's representative, int32[1]."""
        space = self.space
        return self.arch_at(space.index(space.canonical(space.arch_at(self.index(arch)))))

    def to_str(self, arch: jax.Array) -> str:
        """Returns the string of the architecture in the space behind the rows."""
        return self.space.to_str(self.space.arch_at(checked(arch, self.decisions)[0]))

    def from_str(self, text: str) -> jax.Array:
        """Returns the row of a string of the space behind the rows, int32[1]."""
        return self.arch_at(self.space.index(self.space.from_str(text)))

    def decode(self, arch: jax.Array) -> dict:
        """Returns the values of the architecture in the space behind the rows."""
        return self.space.decode(self.space.arch_at(checked(arch, self.decisions)[0]))

    def enumerated(self) -> "EnumeratedSpace":
        """Returns itself."""
        return self


@functools.lru_cache(maxsize=8)
def neighbor_table(space) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of each architecture's neighbours, int32[A, K], and how many there are, int32[A].

    An architecture's own rows come last and do not count.
    """
    with jax.ensure_compile_time_eval():
        rows = jnp.arange(space.num_architectures, dtype=jnp.int32)
        found = jax.jit(jax.vmap(lambda row: jax.vmap(space.index)(space.neighbors(space.arch_at(row)))))(rows)
    table, rows = np.array(found), np.asarray(rows)
    own = table == rows[:, None]
    table = np.take_along_axis(table, np.argsort(own, axis=1, kind="stable"), axis=1)
    return table, (~own).sum(1).astype(np.int32)
