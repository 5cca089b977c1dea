"""Benchmarks that look scores up in a table."""

import functools
import os
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog, prng
from jaxnas.benchmarks.base import Benchmark, HeldOut, checked_size_name
from jaxnas.benchmarks.rows import row_function, rows_of
from jaxnas.spaces.base import Decision, SearchSpace
from jaxnas.spaces.base import SearchSpace as Space
from jaxnas.strategies.base import Observation, Query, look_up
from jaxnas.tables.table import Table, describe_space
from jaxnas.tasks.metrics import Metric

NOISES = ("seed", "mean")


def load(
    source: str | os.PathLike,
    *,
    noise: str = "seed",
    space: Space | None = None,
    protocol: str | None = None,
    columns: Sequence[str | os.PathLike] = (),
) -> "TableBenchmark":
    """Returns the benchmark of a table, given by an identifier that ships with jaxnas or by a folder.

    Arguments are those of `TableBenchmark`; `columns` are given as `source` is.
    """
    packs = tuple(Table.read(each) for each in columns)
    return TableBenchmark(Table.read(source), noise=noise, space=space, protocol=protocol, columns=packs)


class TableBenchmark:
    """A benchmark that looks scores up in a complete table.

    `query` is a pytree, a function with the told scores and the prices as its arrays, and holds nothing of the held-out
    scores: compiled programs take it as an argument, so that tables of one shape share a compilation. It takes
    architectures of the space, or rows (int32[1]) of its enumeration.

    Args:
        table: a complete table.
        noise: what a query answers: `"seed"`, the score of one stored run, drawn at random, as a search that trains
            would see it; `"mean"`, the mean over the runs.
        space: the search space of the table; by default the one of its name in the catalog, or else a plain
            `SearchSpace` of its decisions.
        protocol: which of the table's protocols says what is told, what is reported and what a query costs; by default
            the table's own default.
        columns: column packs of the same space, whose columns are further sizes.

    Raises:
        ValueError: on a partial table, another space than the table's, or an unknown noise or protocol.
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
        if noise not in NOISES:
            raise ValueError(f"Expected noise of {' or '.join(NOISES)}, got {noise!r}.")
        if not table.trained.all():
            done = f"{table.trained.sum():,} of {len(table.trained):,} classes"
            raise ValueError(f"Expected a complete table, got {done} in {table.id}.")
        self.table = table
        self.noise = noise
        self.space = space_of(table, space)
        self.fidelities = tuple(table.fidelities)
        self.metric = Metric("accuracy", "proportion")
        self.cost_unit = "epochs"
        self.prices = jnp.asarray(self.fidelities, jnp.float32)[None]
        self._size_functions = {}
        self.query = self._query()

    def __repr__(self) -> str:
        return f"TableBenchmark({self.table.id!r}, noise={self.noise!r})"

    def _query(self) -> Callable[[Query, jax.Array], Observation]:
        """Returns the query function with its arrays: indexer, classes, scores, numbers of runs, prices."""
        class_of = None if self.table.class_of is None else jnp.asarray(self.table.class_of)
        arrays = row_function(self.space), class_of
        if self.noise == "mean":
            return jax.tree_util.Partial(_answer_mean, *arrays, jnp.asarray(self._told_means), self.prices)
        scores, num_runs = self._told()
        if (num_runs == scores.shape[1]).all():
            return jax.tree_util.Partial(_answer_run, *arrays, jnp.asarray(scores), self.prices)
        counts = jnp.asarray(num_runs, jnp.int32)
        return jax.tree_util.Partial(_answer_one_of_some_runs, *arrays, jnp.asarray(scores), counts, self.prices)

    def _told(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the scores of runs that queries answer, float32[G, S, F], and the runs of each class, int[G]."""
        scores = self.table.scores("validation")
        return scores, np.full(len(scores), scores.shape[1])

    @functools.cached_property
    def _told_means(self) -> np.ndarray:
        """The mean of each class at each fidelity of queries, float32[G, F]."""
        return mean_over_seeds(self.table.scores("validation"))

    def rows(self, archs: np.ndarray) -> np.ndarray:
        """Returns the rows of architectures [..., D], or of rows [..., 1], in the enumeration: int64[...]."""
        return rows_of(self.space, archs)

    def price(self, archs: np.ndarray, fidelity: np.ndarray | int = -1) -> np.ndarray:
        """Returns the list prices of architectures [..., D] at fidelities, float32[...]."""
        archs, prices = np.asarray(archs), np.asarray(self.prices)
        return np.broadcast_arrays(prices[classes_of(self, archs) if len(prices) > 1 else 0, fidelity], archs[..., 0])[
            0
        ]

    @property
    def size_names(self) -> tuple[str, ...]:
        """Returns the names of the columns that hold one number of each architecture."""
        sizes = {"parameters": self.table.num_parameters, "flops": self.table.num_flops}
        return tuple(name for name, values in sizes.items() if values is not None)

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function `arch int32[D] -> float32` of an architecture's size, for strategies.

        `name` is one of `size_names`: `"parameters"`, `"flops"` (multiply-accumulates for one image), ... It is the
        same function each time. Raises ValueError on another name.
        """
        if name not in self._size_functions:
            values = self._sizes_of_classes(name)
            values = values if self.table.class_of is None else values[self.table.class_of]
            self._size_functions[name] = _size_function(row_function(self.space), values.astype(np.float32))
        return self._size_functions[name]

    def sizes(self, name: str, archs: np.ndarray) -> np.ndarray:
        """Returns the sizes of architectures [..., D], as the table stores them; `name` as in `size`."""
        return self._sizes_of_classes(name)[classes_of(self, archs)]

    def _sizes_of_classes(self, name: str) -> np.ndarray:
        return getattr(self.table, f"num_{checked_size_name(name, self)}")

    def validation_scores(self, archs: np.ndarray, fidelity: int = -1) -> np.ndarray:
        """Returns the told scores of architectures [..., D] at a fidelity, float32[...], means over the runs."""
        return self._told_means[classes_of(self, archs), fidelity]

    @functools.cached_property
    def held_out(self) -> HeldOut:
        """The reported scores, float32 means over the runs, for reports only."""
        means = mean_over_seeds(self.table.scores("test"))[:, -1]
        return HeldOut(lambda archs: means[classes_of(self, archs)], float(np.nanmax(means)), float(np.nanmin(means)))


def classes_of(bench: Benchmark, archs: np.ndarray) -> np.ndarray:
    """Returns the classes, in a benchmark's table, of architectures [..., D] or rows [..., 1], int[...]."""
    rows, class_of = rows_of(bench.space, archs), bench.table.class_of
    return rows if class_of is None else class_of[rows]


def _size_function(row_of: Callable[[jax.Array], jax.Array], values: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    return lambda arch: look_up(jnp.asarray(values), row_of(arch))


def mean_over_seeds(scores: np.ndarray) -> np.ndarray:
    """Returns the means of [G, S, F] over the seeds that did not fail, NaN where all failed."""
    present = np.isfinite(scores)
    return np.divide(
        np.where(present, scores, 0).sum(1),
        present.sum(1),
        out=np.full(scores[:, 0].shape, np.nan, np.float32),
        where=present.any(1),
    )


def space_of(table: Table, space: Space | None = None) -> Space:
    """Returns the search space of a table: the one of its name in the catalog, or else a plain one of its decisions.

    A `space` given is returned itself. Raises ValueError where it has other decisions than the table's.
    """
    described = table.manifest["space"]
    if space is None and described["name"] in catalog.SPACES:
        space = catalog.space(described["name"])
        space = space if describe_space(space) == described else None
    if space is None:
        decisions = tuple(Decision(decision["name"], tuple(decision["values"])) for decision in described["decisions"])
        space = SearchSpace(described["name"], decisions)
    if describe_space(space)["decisions"] != described["decisions"]:
        raise ValueError(f"Expected the space that {table.id} was made of, got {space.name} with other decisions.")
    return space


def _answer_run(row_of, class_of, scores, prices, query, key) -> Observation:
    return _look_up(row_of, class_of, scores, prices, query, lambda number: prng.draw_index(key, scores.shape[1]))


def _answer_one_of_some_runs(row_of, class_of, scores, num_runs, prices, query, key) -> Observation:
    return _look_up(
        row_of, class_of, scores, prices, query, lambda number: prng.draw_index(key, look_up(num_runs, number))
    )


def _answer_mean(row_of, class_of, means, prices, query, key) -> Observation:
    answer = _look_up(row_of, class_of, means[:, None], prices, query, lambda number: 0)
    return answer._replace(seed=jnp.int32(-1))


def _look_up(
    row_of: Callable[[jax.Array], jax.Array],
    class_of: jax.Array | None,
    scores: jax.Array,
    prices: jax.Array,
    query: Query,
    run_of: Callable[[jax.Array], jax.Array | int],
) -> Observation:
    """Returns what the run that `run_of` chooses for a class answers."""
    row = row_of(query.arch)
    number = row if class_of is None else look_up(class_of, row)
    run = run_of(number)
    _, num_runs, num_fidelities = scores.shape
    fidelity = jnp.where(query.fidelity < 0, query.fidelity + num_fidelities, query.fidelity)
    score = look_up(scores.reshape(-1), (number * num_runs + run) * num_fidelities + fidelity)
    position = fidelity if len(prices) == 1 else number * num_fidelities + fidelity
    return Observation(score, look_up(prices.reshape(-1), position), run)
