"""Search spaces: the base class, spaces that wrap another one, and spaces over the rows of another one.

Methods take and return single architectures; `jax.vmap` gives batches.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.notebook import fact_table
from jaxnas.spaces import graphs
from jaxnas.spaces.decisions import (
    MAX_ROWS,
    Choices,
    Decision,
    arch_at,
    cardinalities,
    checked,
    decode,
    described,
    encode,
    has_order,
    mixed_radix,
    mutate,
    neighbors,
    num_combinations,
    one_hot,
    radix_weights,
    sample,
    value_names,
)
from jaxnas.spaces.enumerated import MAX_ENUMERABLE, check_enumerable, class_rows, neighbor_table, valid_codes
from jaxnas.spaces.grammar import grammar_of
from jaxnas.spaces.validity import everything, pick, repaired, valid_sample


class Space(abc.ABC):
    """A search space: a set of architectures, each a vector of choices, `int32[D]`, one a decision.

    A kind of space is a frozen dataclass with a `name` and `decisions`. Everything else has a default derived from
    these, which a kind can override. Vectors for which `valid` is false are not architectures: `sample`, `mutate` and
    `neighbors` never return them.

    Attributes:
        name: the space's name in tables and reports.
        decisions: one for each place of an architecture.
        networks: the class of the kind's `jaxnas.Networks` or its dotted name, `module:NAME` or `file.py:NAME`; None
            without networks.
        drawing_note: the caption below the graph in a drawing.
    """

    name: str
    decisions: tuple[Decision, ...]
    networks: ClassVar[Any] = None
    drawing_note: ClassVar[str] = ""

    @property
    def constrained(self) -> bool:
        """Returns whether `valid` can be false."""
        return type(self).valid is not Space.valid

    @property
    def codes(self) -> np.ndarray | None:
        """Returns the mixed-radix numbers of the architectures, ascending, int32[A].

        None if every vector is an architecture, or if there are too many vectors to try them.
        """
        listed = self.constrained and num_combinations(self.decisions) <= MAX_ENUMERABLE
        return valid_codes(self) if listed else None

    @property
    def num_architectures(self) -> int:
        """Returns the number of architectures; the number of all vectors if the space has no rows."""
        codes = self.codes
        return num_combinations(self.decisions) if codes is None else len(codes)

    @property
    def indexer(self) -> jax.tree_util.Partial | None:
        """Returns the function from an architecture to its row, whose arrays are leaves.

        None if architectures have no rows: there are too many of them, or no list of them.
        """
        codes = self.codes
        if codes is None and (self.constrained or num_combinations(self.decisions) >= MAX_ROWS):
            return None
        weights = radix_weights(self.decisions).astype(np.int32)
        if codes is None:
            return jax.tree_util.Partial(mixed_radix, weights)
        return jax.tree_util.Partial(_listed_row, weights, codes)

    def index(self, arch: ArrayLike) -> jax.Array:
        """Returns the row of an architecture in the enumeration of the space, int32[].

        The first decision varies slowest. Raises ValueError if the space has no rows.
        """
        return check_rows(self)(arch)

    def arch_at(self, row: ArrayLike) -> jax.Array:
        """Returns the architecture at a row of the enumeration, int32[D]. Raises ValueError if there are no rows."""
        check_rows(self)
        codes = self.codes
        return arch_at(row if codes is None else jnp.asarray(codes)[row], self.decisions)

    def valid(self, arch: jax.Array, /) -> jax.Array:
        """Returns whether a vector of choices is an architecture, bool[]; `arch` may be traced."""
        return everything(arch)

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns a uniformly drawn architecture, int32[D]."""
        if not self.constrained:
            return sample(key, self.decisions)
        if has_rows(self):
            return self.arch_at(prng.draw_index(key, self.num_architectures))
        return valid_sample(self, key)

    def moves(self, arch: jax.Array) -> jax.Array:
        """Returns all vectors that are one step away, valid or not, int32[K, D]; rows may repeat the architecture."""
        return neighbors(arch, self.decisions, self.num_present(arch))

    def num_present(self, arch: ArrayLike) -> jax.Array | None:
        """Returns how many decisions count, the first ones; None for all, as by default."""
        return None

    def neighbors(self, arch: jax.Array) -> jax.Array:
        """Returns all architectures that are one step away, int32[K, D]: by default, those with one other choice.

        Rows beyond their number repeat the architecture.
        """
        moves = self.moves(arch)
        if not self.constrained:
            return moves
        return jnp.where(jax.vmap(self.valid)(moves)[:, None], moves, jnp.asarray(arch, jnp.int32))

    def mutate(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        """Returns a uniformly drawn neighbor of an architecture; the architecture itself if it has none."""
        present = self.num_present(arch)
        if present is not None:
            return mutate(key, arch, self.decisions, present)
        if not self.constrained and type(self).moves is Space.moves and not has_order(self.decisions):
            return mutate(key, arch, self.decisions)
        neighbors = self.neighbors(arch)
        return pick(key, neighbors, (neighbors != arch).any(-1))

    def repaired(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        """Returns a vector of choices if it is valid, else an architecture near it.

        This is the first architecture on a random walk of at most eight steps, or a uniform draw if the walk meets
        none. For strategies that set choices freely. If all vectors are valid nothing is computed.
        """
        return repaired(self, key, jnp.asarray(arch, jnp.int32)) if self.constrained else arch

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the representative of an architecture's class: decisions that do not count are the first value.

        By default all count, and every architecture is its own class.
        """
        arch = jnp.asarray(arch, jnp.int32)
        present = self.num_present(arch)
        return arch if present is None else jnp.where(np.arange(len(self.decisions)) < present, arch, 0)

    def classes(self) -> np.ndarray:
        """Returns for each row of the enumeration the row of its class's representative, int32[A].

        Raises ValueError if the space is too large to enumerate.
        """
        return class_rows(self)

    def neighbor_rows(self) -> np.ndarray:
        """Returns the rows of the neighbors of each architecture, int32[A, K]; they may repeat."""
        with jax.ensure_compile_time_eval():
            rows = jnp.arange(self.num_architectures, dtype=jnp.int32)
            found = jax.jit(jax.vmap(lambda row: jax.vmap(self.index)(self.neighbors(self.arch_at(row)))))(rows)
        return np.asarray(found)

    def to_str(self, arch: Choices) -> str:
        """Returns an architecture as a string of its choices, `"2-0-1"`."""
        return "-".join(str(choice) for choice in checked(arch, self.decisions))

    def from_str(self, text: str) -> jax.Array:
        """Returns the architecture of a string that `to_str` made. Raises ValueError on any other string."""
        try:
            choices = [int(part) for part in text.split("-")]
        except (ValueError, AttributeError):
            raise self.malformed(text) from None
        return check_valid(self, jnp.asarray(checked(choices, self.decisions), jnp.int32))

    @property
    def grammar(self) -> str:
        """Returns the strings of architectures as a grammar, see `jaxnas.spaces.grammar`."""
        return grammar_of(self.to_str, self.decisions, lambda arch: int(self.num_present(arch) or 0))

    def malformed(self, text: str, limit: str = "") -> ValueError:
        """Returns the error for a string that is not an architecture, with an example of one and a limit in words."""
        example = self.to_str((0,) * len(self.decisions))
        return ValueError(f"Expected an architecture such as {example!r}{limit}, got {text!r}.")

    def decode(self, arch: Choices) -> dict:
        """Returns the values of an architecture by the names of the decisions."""
        return decode(arch, self.decisions)

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        """Returns the architecture of the values that `decode` returns, or of their names.

        Raises ValueError on a missing or unknown decision, an unknown value, or values that are no architecture.
        """
        return check_valid(self, jnp.asarray(encode(values, self.decisions)))

    @property
    def plain(self) -> "Space":
        """Returns the underlying space that architectures index into: itself, or the one behind its rows."""
        return self

    def choices(self, arch: ArrayLike) -> jax.Array:
        """Returns an architecture as a vector of the choices of `plain`, int32[D]."""
        return jnp.asarray(arch, jnp.int32)

    def features(self, arch: ArrayLike) -> jax.Array:
        """Returns the default features of predictors, float32[F]: the choices, one-hot, unless overridden."""
        return one_hot(arch, self.decisions)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Returns the names of the labels of `labeled`."""
        return tuple(f"{decision.name}={value}" for decision in self.decisions for value in decision.values)

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns an architecture as a graph: labels int32[V], -1 for absent vertices, and edges bool[V, V].

        Labels are positions in `label_names`. Vertices are in topological order, `edges[u, v]` only for u < v, from
        input to output. By default there is a vertex for each decision, in a chain.
        """
        offsets = np.cumsum(cardinalities(self.decisions)) - cardinalities(self.decisions)
        return jnp.asarray(arch, jnp.int32) + offsets.astype(np.int32), jnp.eye(len(offsets), k=1, dtype=bool)

    def drawn(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """Returns the graph that a drawing of an architecture shows, as `labeled` does."""
        return self.labeled(arch)

    def drawing(self, arch: Choices) -> str:
        """Returns an architecture as an SVG image."""
        labels, edges = self.drawn(jnp.asarray(checked(arch, self.decisions), jnp.int32))
        return graphs.draw(np.asarray(labels), np.asarray(edges), self.label_names, self.drawing_note)

    @property
    def cell(self) -> dict | None:
        """Returns `num_nodes`, `edges` in the order of the decisions, and `zero`, the names of operations that pass
        nothing, for pages that draw architectures as cells, as JSON values; None for other spaces.
        """
        return None

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the decisions with their values."""
        decisions = {each.name: ", ".join(value_names(each)) for each in self.decisions}
        return fact_table(f"{self.name}: {self.num_architectures:,} architectures", decisions)

    def description(self) -> dict:
        """Returns the space as manifests hold it: its name, its size and its decisions with the names of values."""
        decisions = [described(decision) for decision in self.decisions]
        return {"name": self.name, "num_architectures": self.num_architectures, "decisions": decisions}

    def enumerated(self) -> "EnumeratedSpace":
        """Returns the same space over the rows of its enumeration. Raises ValueError if it is too large."""
        return EnumeratedSpace(self)


class ReadThrough(Space):
    """A space that reuses the strings, drawings and features of the architectures of another one, `space`."""

    space: Space

    def behind(self, arch: Any) -> Any:
        """Returns an architecture, which may be traced, as one of `space`."""
        return arch

    def classes(self) -> np.ndarray:
        return self.space.classes()

    def to_str(self, arch: Choices) -> str:
        return self.space.to_str(self.behind(checked(arch, self.decisions)))

    def decode(self, arch: Choices) -> dict:
        return self.space.decode(self.behind(checked(arch, self.decisions)))

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        return check_valid(self, self.space.encode(values))

    @property
    def plain(self) -> Space:
        return self.space.plain

    def choices(self, arch: ArrayLike) -> jax.Array:
        return self.space.choices(self.behind(arch))

    def features(self, arch: ArrayLike) -> jax.Array:
        return self.space.features(self.behind(arch))

    @property
    def drawing_note(self) -> str:  # type: ignore[override]
        return self.space.drawing_note

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.space.label_names

    def labeled(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        return self.space.labeled(self.behind(arch))

    def drawn(self, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
        return self.space.drawn(self.behind(arch))

    def drawing(self, arch: Choices) -> str:
        return self.space.drawing(self.behind(checked(arch, self.decisions)))


@final
@dataclass(frozen=True)
class EnumeratedSpace(ReadThrough):
    """The same space as `space`, in which an architecture is int32[1], its row in the enumeration.

    Neighbors are the same as in `space`, by table look-up, which makes searches faster. Raises ValueError if the space
    is too large to enumerate.
    """

    space: Space
    name: str = field(init=False, repr=False)
    decisions: tuple[Decision, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_enumerable(self.space)
        object.__setattr__(self, "name", self.space.name)
        object.__setattr__(self, "decisions", (Decision("row", range(self.space.num_architectures)),))

    @property
    def indexer(self) -> jax.tree_util.Partial:
        """Returns the function from an architecture to its row, its only entry."""
        return jax.tree_util.Partial(_only_row)

    def arch_at(self, row: ArrayLike) -> jax.Array:
        return jnp.asarray(row, jnp.int32)[..., None]

    def mutate(self, key: jax.Array, arch: jax.Array) -> jax.Array:
        table, degrees = neighbor_table(self.space)
        if (degrees == table.shape[1]).all():
            number = prng.draw_index(key, table.shape[1], (1,))
            flat = jnp.asarray(table.reshape(-1))
            return flat.at[arch * table.shape[1] + number].get(mode="promise_in_bounds", wrap_negative_indices=False)
        return jnp.asarray(table)[arch, prng.draw_index(key, jnp.asarray(degrees)[arch])]

    def moves(self, arch: jax.Array) -> jax.Array:
        """Returns the rows of the neighbors, int32[K, 1]."""
        return jnp.asarray(neighbor_table(self.space)[0])[jnp.asarray(arch)[0]][:, None]

    def canonical(self, arch: ArrayLike) -> jax.Array:
        """Returns the row of the class's representative, int32[1]."""
        return self.arch_at(self.space.index(self.space.canonical(self.choices(arch))))

    def neighbor_rows(self) -> np.ndarray:
        return neighbor_table(self.space)[0]

    def from_str(self, text: str) -> jax.Array:
        return self.arch_at(self.space.index(self.space.from_str(text)))

    def encode(self, values: Mapping[str, Any]) -> jax.Array:
        return self.arch_at(self.space.index(self.space.encode(values)))

    def enumerated(self) -> "EnumeratedSpace":
        return self

    def behind(self, arch: Any) -> jax.Array:
        return self.space.arch_at(arch[0])


def has_rows(space: Space) -> bool:
    """Returns whether the architectures of a space have row numbers."""
    return space.indexer is not None


def check_rows(space: Space) -> jax.tree_util.Partial:
    """Returns the indexer of a space. Raises ValueError if its architectures have no row numbers."""
    indexer = space.indexer
    if indexer is None:
        radix_weights(space.decisions)
        raise ValueError(
            f"Expected a constrained space of at most {MAX_ENUMERABLE:,} vectors to number its architectures, got "
            f"{num_combinations(space.decisions):,}."
        )
    return indexer


def check_valid(space: Space, arch: jax.Array) -> jax.Array:
    """Returns an architecture. Raises ValueError if it is not valid."""
    if not bool(space.valid(arch)):
        raise ValueError(f"Expected a valid architecture of {space.name}, got {space.to_str(arch)!r}.")
    return arch


def listed_position(weights: ArrayLike, codes: np.ndarray | jax.Array, arch: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Returns the position of an architecture among ascending mixed-radix codes, int32[], and whether it is there."""
    code = mixed_radix(weights, arch)
    position = jnp.minimum(jnp.searchsorted(codes, code), len(codes) - 1).astype(jnp.int32)
    return position, jnp.asarray(codes)[position] == code


def _listed_row(weights: ArrayLike, codes: np.ndarray | jax.Array, arch: ArrayLike) -> jax.Array:
    return listed_position(weights, codes, arch)[0]


def _only_row(arch: ArrayLike) -> jax.Array:
    return jnp.asarray(arch, jnp.int32)[..., 0]
