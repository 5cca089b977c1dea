"""Benchmarks: what a search may ask (`query`), and what only the analysis reads (`test_scores`, `optimum`).

A benchmark has `space`, `fidelities` (epochs, ascending), `query(query, key) -> Observation`, `jittable`,
`test_scores(archs)` and `optimum`.
"""

import functools
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog, prng
from jaxnas.benchmarks.base import SIZES, warn_outside_analysis
from jaxnas.spaces.base import Decision, SearchSpace, radix_weights
from jaxnas.strategies.base import Observation, look_up
from jaxnas.tables.table import Table, describe_space

NOISES = ("seed", "mean")


def load(source: str | os.PathLike, *, noise: str = "seed", space=None) -> "TableBenchmark":
    """Returns the benchmark of a table, given by an identifier that ships with jaxnas or by a folder.

    Arguments are those of `TableBenchmark`.
    """
    return TableBenchmark(Table.read(source), noise=noise, space=space)


class TableBenchmark:
    """A benchmark that looks scores up in a complete table.

    `query` is a pytree, a function with the validation scores as its arrays, and holds nothing of the test split:
    compiled programs take it as an argument, so that tables of one shape share a compilation. It takes architectures
    of the space, or rows (int32[1]) of its enumeration.

    Args:
        table: a complete table.
        noise: what a query answers: `"seed"`, the score of one stored seed, drawn at random, as a search that trains
            would see it; `"mean"`, the mean over the seeds.
        space: the search space of the table; by default the one of its name in the catalog, or else a plain
            `SearchSpace` of its decisions.

    Raises:
        ValueError: on a partial table, another space than the table's, or an unknown noise.
    """

    jittable = True

    def __init__(self, table: Table, *, noise: str = "seed", space=None):
        if noise not in NOISES:
            raise ValueError(f"Expected noise of {' or '.join(NOISES)}, got {noise!r}.")
        if not table.trained.all():
            done = f"{table.trained.sum():,} of {len(table.trained):,} classes"
            raise ValueError(f"Expected a complete table, got {done} in {table.id}.")
        self.table = table
        self.noise = noise
        self.space = space_of(table, space)
        self.fidelities = tuple(table.fidelities)
        validation = table.scores("validation")
        if noise == "mean":
            validation = _mean_over_seeds(validation)[:, None]
        function = _query_table if noise == "seed" else _query_table_mean
        weights = radix_weights(self.space.decisions).astype(np.int32)
        prices = np.asarray(self.fidelities, np.float32)
        self.query = jax.tree_util.Partial(
            function, weights, jnp.asarray(table.class_of), jnp.asarray(validation), jnp.asarray(prices)
        )

    def __repr__(self) -> str:
        return f"TableBenchmark({self.table.id!r}, noise={self.noise!r})"

    def size(self, name: str) -> Callable:
        """Returns the function `arch int32[D] -> float32` of an architecture's size, for strategies.

        `name` is `"parameters"` or `"flops"`; FLOPs are multiply-accumulates for one image. It is the same function
        each time. Raises ValueError on another name.
        """
        return _table_size(self, name)

    def sizes(self, name: str, archs: np.ndarray) -> np.ndarray:
        """Returns the sizes of architectures [..., D], int64[...]; `name` as in `size`.

        Raises ValueError where the table holds none.
        """
        if name not in SIZES:
            raise ValueError(f"Expected a size of {' or '.join(SIZES)}, got {name!r}.")
        sizes = getattr(self.table, f"num_{name}")
        if sizes is None:
            raise ValueError(f"Expected a table with {name} of its architectures, got {self.table.id} without.")
        return sizes[self.table.class_of[self.rows(archs)]]

    def rows(self, archs: np.ndarray) -> np.ndarray:
        """Returns the rows of architectures [..., D], or of rows [..., 1], in the enumeration: int64[...]."""
        archs = np.asarray(archs)
        weights = radix_weights(self.space.decisions)
        return archs[..., 0].astype(np.int64) if archs.shape[-1] != len(weights) else (archs * weights).sum(-1)

    def test_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the test scores of architectures [..., D] at the last fidelity, float32[...].

        They are means over the seeds, for the analysis only; read elsewhere, they warn once.
        """
        warn_outside_analysis()
        return _mean_over_seeds(self.table.scores("test"))[self.table.class_of[self.rows(archs)], -1]

    def validation_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] at the last fidelity, float32[...].

        They are means over the seeds.
        """
        return _mean_over_seeds(self.table.scores("validation"))[self.table.class_of[self.rows(archs)], -1]

    @property
    def optimum(self) -> float:
        """Returns the best mean test score of any architecture at the last fidelity. For the analysis only."""
        return float(np.nanmax(_mean_over_seeds(self.table.scores("test"))[:, -1]))

    @property
    def worst(self) -> float:
        """Returns the lowest mean test score of any architecture at the last fidelity. For the analysis only."""
        return float(np.nanmin(_mean_over_seeds(self.table.scores("test"))[:, -1]))


@functools.cache
def _table_size(bench: TableBenchmark, name: str) -> Callable:
    values = bench.sizes(name, np.arange(bench.space.num_architectures)[:, None]).astype(np.float32)
    weights = radix_weights(bench.space.decisions).astype(np.int32)
    return lambda arch: look_up(jnp.asarray(values), row_of(weights, arch))


def _mean_over_seeds(scores: np.ndarray) -> np.ndarray:
    """Returns the means of [G, S, F] over the seeds that did not fail, NaN where all failed."""
    present = np.isfinite(scores)
    return np.divide(
        np.where(present, scores, 0).sum(1),
        present.sum(1),
        out=np.full(scores[:, 0].shape, np.nan, np.float32),
        where=present.any(1),
    )


def space_of(table: Table, space=None):
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


def _query_table(weights, class_of, validation, prices, query, key) -> Observation:
    seed = prng.draw_index(key, validation.shape[1])
    return _look_up(weights, class_of, validation, prices, query, seed)._replace(seed=seed)


def _query_table_mean(weights, class_of, validation, prices, query, key) -> Observation:
    return _look_up(weights, class_of, validation, prices, query, 0)._replace(seed=jnp.int32(-1))


def _look_up(weights, class_of, validation, prices, query, seed) -> Observation:
    row = row_of(weights, query.arch)
    _, num_seeds, num_fidelities = validation.shape
    fidelity = jnp.where(query.fidelity < 0, query.fidelity + num_fidelities, query.fidelity)
    position = (look_up(class_of, row) * num_seeds + seed) * num_fidelities + fidelity
    return Observation(look_up(validation.reshape(-1), position), look_up(prices, fidelity), jnp.int32(0))


def row_of(weights: np.ndarray, arch: jax.Array) -> jax.Array:
    """Returns the row of an architecture int32[D], or of a row int32[1], by the weights of its decisions, int32[]."""
    arch = jnp.asarray(arch)
    if arch.shape not in ((1,), weights.shape):
        raise ValueError(f"Expected an architecture of the benchmark's space or a row, got shape {list(arch.shape)}.")
    return arch[0] if arch.shape != weights.shape else (arch * weights).sum()
