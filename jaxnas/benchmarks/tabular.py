"""Benchmarks that look scores up in a table."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import catalog, prng
from jaxnas.benchmarks.base import Benchmark, HeldOut, checked_size_name, table_of
from jaxnas.benchmarks.rows import RowFunction, row_function, rows_of
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.spaces.listed import ListedSpace
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.strategies.base import Observation, Query, look_up, run_asked
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, Protocol
from jaxnas.tables.table import Table

NOISES = ("seed", "mean")
CODE = "code"  # the key of tables of listed and constrained spaces


class TableBenchmark:
    """A benchmark that looks scores up in a complete table.

    `query` is a pytree, a function with the observed scores and the prices as its arrays, and holds
    nothing of the held-out scores: compiled programs take it as an argument, so tables of one shape
    share a compilation. It takes architectures of the space, or rows (int32[1]) of its enumeration.

    Args:
        table: a complete table.
        noise: the answer to a query: `"seed"`, the score of one stored run, drawn at random unless the
            query asks for one, as a search that trains would see it; `"mean"`, the mean over the runs.
        space: the search space of the table; by default the one of its name in the catalog, or else a plain
            `SearchSpace` of its decisions.
        protocol: the table's protocol that sets the observed score, the reported score and the cost
            of a query; by default the table's own default.
        columns: column packs of the same space, whose columns are further sizes.

    Raises ValueError on a partial table, another space than the table's, or an unknown noise or
    protocol.
    """

    jittable = True

    def __init__(
        self,
        table: Table,
        *,
        noise: str = "seed",
        space: Space | None = None,
        protocol: str | None = None,
        columns: Sequence[Table] = (),
    ):
        if not isinstance(table, Table):
            raise ValueError(f"Read a table by jn.load(name or folder). Expected a Table, got {type(table).__name__}.")
        if noise not in NOISES:
            raise ValueError(f"Expected noise of {' or '.join(NOISES)}, got {noise!r}.")
        for pack in columns:
            table = table.joined(pack)
        self.table, self.noise = table, noise
        self.id, self.size_names = table.id, table.size_names
        self.content_hash = table.manifest.get("content_hash")
        self.space = space_of(table, space)
        self.protocol = protocol or DEFAULT_PROTOCOL
        self._protocol = table.protocol(protocol)
        known = table.column_fidelities(self._protocol.told)
        self.fidelities = tuple(known[position].cost for position in self._protocol.fidelities)
        self.metric = table.metric
        self.cost_unit = table.cost_unit(self._protocol)
        num_runs = table.num_runs(self._protocol.told)
        if not num_runs.all():
            done = f"{(num_runs > 0).sum():,} of {len(num_runs):,} classes"
            raise ValueError(f"Expected a complete table, got {done} in {table.id}.")
        self.prices = jnp.asarray(_checked_prices(table, self._protocol))
        self._size_functions: dict[str, Callable[[jax.Array], jax.Array]] = {}
        self.query = self._query()

    def __repr__(self) -> str:
        return f"TableBenchmark({self.table.id!r}, noise={self.noise!r})"

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the facts of the table."""
        return self.table._repr_html_()

    def _query(self) -> Callable[[Query, jax.Array], Observation]:
        """Returns the query function with its arrays: indexer, classes, scores, numbers of runs, prices."""
        arrays = row_function(self.space), jnp.asarray(self.table.class_of)
        told = self._protocol.told
        num_runs = self.table.num_runs(told)
        if self.noise == "mean":
            return jax.tree_util.Partial(_answer_mean, *arrays, jnp.asarray(self._told_means), self.prices)
        scores = jnp.asarray(self._oriented(self.table.scores(told, self._protocol.fidelities)))
        if (num_runs == scores.shape[1]).all():
            return jax.tree_util.Partial(_answer_run, *arrays, scores, self.prices)
        counts = jnp.asarray(num_runs, jnp.int32)
        return jax.tree_util.Partial(_answer_one_of_some_runs, *arrays, scores, counts, self.prices)

    def _oriented(self, values: np.ndarray) -> np.ndarray:
        """Returns values of the metric as scores, of which larger ones are better."""
        return values if self.metric.better > 0 else -values

    @functools.cached_property
    def _told_means(self) -> np.ndarray:
        """The mean of each class at each fidelity of queries, float32[G, F]."""
        return self._oriented(self.table.means(self._protocol.told)[:, list(self._protocol.fidelities)])

    def rows(self, archs: ArrayLike) -> np.ndarray:
        """Returns the rows of architectures [..., D], or of rows [..., 1], in the enumeration: int64[...]."""
        return rows_of(self.space, archs)

    def price(self, archs: ArrayLike, fidelity: ArrayLike = -1) -> np.ndarray:
        """Returns the list prices of architectures [..., D] at fidelities, float32[...]."""
        prices = np.asarray(self.prices)
        numbers = classes_of(self, archs) if len(prices) > 1 else np.zeros(np.shape(archs)[:-1], int)
        return prices[numbers, np.asarray(fidelity)]

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function `arch int32[D] -> float32` of a size, for strategies.

        `name` is one of `size_names`: `"parameters"`, `"flops"` (multiply-accumulates for one image), ... It is the
        same function each time. Raises ValueError on another name.
        """
        if name not in self._size_functions:
            values = self.table.sizes(checked_size_name(name, self))[self.table.class_of].astype(np.float32)
            row_of = row_function(self.space)
            self._size_functions[name] = lambda arch: look_up(jnp.asarray(values), row_of(arch))
        return self._size_functions[name]

    def sizes(self, name: str, archs: ArrayLike) -> np.ndarray:
        """Returns the sizes of architectures [..., D], as the table stores them."""
        return self.table.sizes(checked_size_name(name, self))[classes_of(self, archs)]

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the observed scores of architectures [..., D] at a fidelity, float32[...], means over the runs."""
        return self._told_means[classes_of(self, archs), fidelity]

    @functools.cached_property
    def held_out(self) -> HeldOut:
        """Returns the reported scores, float32 means over the runs, and the scores of the runs, for reports only."""
        reported = self._protocol.reported
        means = self._oriented(self.table.means(reported)[:, -1])
        ends = float(np.nanmax(means)), float(np.nanmin(means))
        if note := self._why_no_runs():
            return HeldOut(lambda archs: means[classes_of(self, archs)], *ends, note=note)
        runs = self._oriented(self.table.scores(reported)[..., -1])
        return HeldOut(
            lambda archs: means[classes_of(self, archs)],
            *ends,
            runs=lambda archs: runs[classes_of(self, archs)],
            shares_runs=self._tells_the_reported_runs(),
        )

    def _why_no_runs(self) -> str:
        """Returns why reports cannot omit the runs that a search observed, or nothing."""
        reported = self._protocol.reported
        if self.noise == "mean":
            return "searches are told means over the runs"
        if "run" not in self.table.column(reported).axes:
            return f"the table holds one value of {reported} for each architecture, not its runs"
        if self.table.num_runs(reported).min() < 2:
            return "the table holds a single run of some architectures"
        return ""

    def _tells_the_reported_runs(self) -> bool:
        told, reported = (self.table.column(name) for name in (self._protocol.told, self._protocol.reported))
        return "run" in told.axes and told.runs == reported.runs


def classes_of(bench: Benchmark, archs: ArrayLike) -> np.ndarray:
    """Returns the classes, in a benchmark's table, of architectures [..., D] or rows [..., 1], int[...]."""
    return table_of(bench).class_of[rows_of(bench.space, archs)]


def _checked_prices(table: Table, protocol: Protocol) -> np.ndarray:
    prices = table.prices(protocol)
    if not (np.isfinite(prices) & (prices >= 0)).all():
        raise ValueError(f"Expected prices of 0 or more in the column {protocol.price} of {table.id}, got others.")
    return prices


def space_of(table: Table, space: Space | None = None) -> Space:
    """Returns the search space of a table: the one of its name in the catalog, or else a plain one of its decisions.

    The latter has the architectures that the table lists, if it lists them.

    A `space` given is returned itself. Raises ValueError if it has other architectures than the table.
    """
    described = table.manifest["space"]
    if space is None:
        space = catalog.in_file(described["name"], catalog.SPACES)
        space = space if space is not None and space.description() == described else None
    if space is None:
        decisions = tuple(
            Decision(decision["name"], tuple(decision["values"]), decision.get("ordered", False))
            for decision in described["decisions"]
        )
        space = SearchSpace(described["name"], decisions)
        if CODE in table.keys:
            space = ListedSpace(space, table.keys[CODE])
    found = space.description()
    if any(found[part] != described[part] for part in ("decisions", "num_architectures")):
        raise ValueError(f"Expected the space that {table.id} was made of, got {space.name} of other architectures.")
    return space


def _answer_run(
    row_of: RowFunction, class_of: jax.Array, scores: jax.Array, prices: jax.Array, query: Query, key: jax.Array
) -> Observation:
    number = look_up(class_of, row_of(query.arch))
    run = run_asked(query.seed, prng.draw_index(key, scores.shape[1]))
    return _answer(scores, prices, number, jnp.minimum(run, scores.shape[1] - 1), query)


def _answer_one_of_some_runs(
    row_of: RowFunction,
    class_of: jax.Array,
    scores: jax.Array,
    num_runs: jax.Array,
    prices: jax.Array,
    query: Query,
    key: jax.Array,
) -> Observation:
    number = look_up(class_of, row_of(query.arch))
    stored = look_up(num_runs, number)
    run = run_asked(query.seed, prng.draw_index(key, stored))
    return _answer(scores, prices, number, jnp.minimum(run, stored - 1), query)


def _answer_mean(
    row_of: RowFunction, class_of: jax.Array, means: jax.Array, prices: jax.Array, query: Query, key: jax.Array
) -> Observation:
    number = look_up(class_of, row_of(query.arch))
    return _answer(means[:, None], prices, number, jnp.int32(0), query)._replace(seed=jnp.int32(-1))


def _answer(scores: jax.Array, prices: jax.Array, number: jax.Array, run: jax.Array, query: Query) -> Observation:
    """Returns the stored score of a run of a class, and its list price."""
    _, num_runs, num_fidelities = scores.shape
    fidelity = jnp.where(query.fidelity < 0, query.fidelity + num_fidelities, query.fidelity)
    score = look_up(scores.reshape(-1), (number * num_runs + run) * num_fidelities + fidelity)
    position = fidelity if len(prices) == 1 else number * num_fidelities + fidelity
    return Observation(score, look_up(prices.reshape(-1), position), run)
