"""Benchmarks: what a search may ask (`query`), and what only the analysis reads (`test_scores`, `optimum`).

A benchmark has `space`, `fidelities` (epochs, ascending), `query(query, key) -> Observation`, `jittable`,
`test_scores(archs)` and `optimum`.
"""

import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog, prng
from jaxnas.network.size import network_size
from jaxnas.spaces.base import Decision, SearchSpace, radix_weights
from jaxnas.strategies.base import Observation, look_up
from jaxnas.table import Table, describe_space
from jaxnas.train import TrainConfig, check_trainable, default_config, evaluate

NOISES = ("seed", "mean")
SIZES = ("parameters", "flops")
READERS_OF_TEST_SCORES = ("jaxnas.analysis", "jaxnas.report", "jaxnas.benchmark", "jaxnas.objective")


def load(source: str | os.PathLike, *, noise: str = "seed", space=None) -> "TableBenchmark":
    """Returns the benchmark of a table, given by an identifier that ships with jaxnas or by a folder.

    Arguments are those of `TableBenchmark`.
    """
    return TableBenchmark(Table.read(source), noise=noise, space=space)


def asks_for(factory: Callable, name: str) -> bool:
    """Returns whether a factory of strategies has an argument of that name."""
    return name in inspect.signature(factory).parameters


def strategy_for(factory: Callable, bench, size: str = "parameters"):
    """Returns the strategy that a factory makes for a benchmark, given what its arguments ask for.

    Every factory is given the space. One with an argument `fidelities` is given those of the benchmark, a tuple, and
    one with `size` the function `bench.size(size)`.
    """
    offered = {"fidelities": lambda: bench.fidelities, "size": lambda: bench.size(size)}
    return factory(bench.space, **{name: offer() for name, offer in offered.items() if asks_for(factory, name)})


def warn_outside_analysis() -> None:
    """Warns, once in a process, where the caller's caller is not a part of jaxnas that reports by test scores."""
    if not sys._getframe(2).f_globals.get("__name__", "").startswith(READERS_OF_TEST_SCORES):
        _warn_of_test_scores()


@functools.cache
def _warn_of_test_scores() -> None:
    warnings.warn(
        "Test scores are there to report by: a search or a choice that has seen them promises more than it holds. "
        "Choose by what queries answer; report by jn.regret, jn.summary or jn.to_frame, which read them for you.",
        stacklevel=4,
    )


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


class FunctionBenchmark:
    """A benchmark that calls a function, for spaces of any size.

    Args:
        space: the search space.
        function: `arch int32[D] -> score`, larger is better, NaN for failed; a JAX function, or with `host=True` any
            Python function of a NumPy array.
        test_function: a NumPy function `archs [..., D] -> scores` that the analysis reports by; without it there is
            no regret.
        optimum, worst: the best and the lowest test score, for regrets.
        host: whether `function` runs in Python, called back from compiled code.
    """

    jittable = True
    fidelities = (1,)

    def __init__(
        self,
        space,
        function: Callable,
        *,
        test_function: Callable | None = None,
        optimum: float | None = None,
        worst: float | None = None,
        host: bool = False,
    ):
        self.space = space
        self.query = jax.tree_util.Partial(_function_query(function, host))
        self.optimum = optimum
        self.worst = worst
        self._test_function = test_function

    def test_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the test scores of architectures [..., D], float[...].

        For the analysis only; read elsewhere, they warn once. Raises ValueError without a test function.
        """
        warn_outside_analysis()
        if self._test_function is None:
            raise ValueError("Expected a FunctionBenchmark with a test_function to report by, got one without.")
        return np.asarray(self._test_function(archs))

    validation_scores = test_scores


@functools.cache
def _function_query(function: Callable, host: bool) -> Callable:
    def call(arch):
        if not host:
            return function(arch)
        result = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.pure_callback(
            lambda values: np.float32(function(np.asarray(values))), result, arch, vmap_method="sequential"
        )

    def query_function(query, key) -> Observation:
        return Observation(jnp.asarray(call(query.arch), jnp.float32), jnp.float32(1), jnp.int32(0))

    return query_function


class TrainingBenchmark:
    """A benchmark that really trains; its answers are those of the table that the same code would build.

    The answers are the same where both are asked in the same way. A query draws a seed number below `num_seeds` as
    `TableBenchmark` does, and trains that seed of the architecture's class; a training is kept, so that it is not run
    twice. The whole schedule is trained whatever the fidelity.

    Args:
        space, task, config: what is trained, as in `jaxnas.train.evaluate`.
        num_seeds: the seeds that queries draw from.
    """

    jittable = False
    optimum = None

    def __init__(self, space, task, config: TrainConfig | None = None, *, num_seeds: int = 1):
        config = config or default_config(space, task)
        check_trainable(space, task, config)
        if num_seeds < 1:
            raise ValueError(f"Expected num_seeds of 1 or more, got {num_seeds}.")
        self.space, self.task, self.config, self.num_seeds = space, task, config, num_seeds
        self.fidelities = tuple(range(1, config.num_epochs + 1))
        self._curves = {}

    def curves(self, arch, seed: int):
        """Returns the `Curves` of one training, with axes [E] or none, training it where that has not been done."""
        arch = np.asarray(self.space.canonical(arch))
        name = (arch.tobytes(), int(seed))
        if name not in self._curves:
            curves = evaluate(self.space, arch[None], self.task, self.config, [int(seed)])
            self._curves[name] = jax.tree.map(lambda values: values[0, 0], curves)
        return self._curves[name]

    def query(self, query, key) -> Observation:
        """Returns the validation accuracy of a training at the query's fidelity.

        It is NaN where the loss was not finite by then.
        """
        seed = int(prng.draw_index(key, self.num_seeds))
        curves = self.curves(query.arch, seed)
        fidelity = int(query.fidelity)
        score = np.float32(curves.validation[fidelity]) / np.float32(self.task.validation.num_images)
        score = score if np.isfinite(curves.loss[fidelity]) else np.float32(np.nan)
        return Observation(np.float32(score), np.float32(self.fidelities[fidelity]), np.int32(seed))

    def size(self, name: str) -> Callable:
        """Returns the function `arch int32[D] -> float32` of an architecture's size, `"parameters"` or `"flops"`.

        Raises ValueError on another name.
        """
        return _network_size_function(self, name)

    def _mean_over_trained(self, archs: np.ndarray, split: str) -> np.ndarray:
        archs = np.asarray(archs)
        values = []
        for arch in archs.reshape(-1, archs.shape[-1]):
            arch = np.asarray(self.space.canonical(arch)).tobytes()
            counts = [
                getattr(self._curves[arch, seed], split)[-1]
                for seed in range(self.num_seeds)
                if (arch, seed) in self._curves
            ]
            values.append(np.mean(counts) / (getattr(self.task, split).num_images or np.nan) if counts else np.nan)
        return np.asarray(values, np.float32).reshape(archs.shape[:-1])

    def test_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the test scores of architectures [..., D] over the seeds trained so far, NaN where there is none.

        For the analysis only; read elsewhere, they warn once.
        """
        warn_outside_analysis()
        return self._mean_over_trained(archs, "test")

    def validation_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] over the seeds trained so far, NaN without any."""
        return self._mean_over_trained(archs, "validation")


@functools.cache
def _network_size_function(bench: TrainingBenchmark, name: str) -> Callable:
    if name not in SIZES:
        raise ValueError(f"Expected a size of {' or '.join(SIZES)}, got {name!r}.")
    task, skeleton = bench.task, bench.config.skeleton

    def on_host(arch):
        arch = np.asarray(bench.space.canonical(arch))
        size = network_size(bench.space, skeleton, task.image_shape, task.num_classes, arch)
        return np.float32(getattr(size, f"num_{name}"))

    result = jax.ShapeDtypeStruct((), jnp.float32)
    return lambda arch: jax.pure_callback(on_host, result, arch, vmap_method="sequential")


def price_list(bench) -> np.ndarray:
    """Returns the cost of each fidelity when nothing has been paid yet, float32[F]."""
    return np.asarray(bench.fidelities, np.float32)
