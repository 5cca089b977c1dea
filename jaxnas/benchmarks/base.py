"""The definition of a benchmark: the queries of a search and, held out, the scores that only reports read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import unknown_name
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices
from jaxnas.strategies.base import Observation, Query
from jaxnas.tables.manifest import Fidelity
from jaxnas.tables.table import Table
from jaxnas.tasks.metrics import Metric


@dataclass(frozen=True)
class HeldOut:
    """The scores that a search must not see, for reports only.

    A search, or a choice of any kind, that has used them is optimistic. Choose by the scores of queries;
    `jn.regret`, `Comparison.summary` and `jn.analysis.to_frame` report by these.

    Attributes:
        scores: `archs [..., D] -> float[...]`, the mean held-out score at the reported fidelity; NaN if
            every run failed. It raises ValueError if the benchmark has none.
        optimum, worst: the best and the lowest of these scores of any architecture; None if not known. If
            scores are means over noisy runs, the best of them is a lucky one: see `jn.analysis.optimum`.
        runs: `archs [..., D] -> float[..., S]`, the held-out score of each stored run, NaN if it failed or
            is missing; None if per-run scores are unavailable, and `note` gives the reason.
        shares_runs: whether run i of these is the training that queries answer with as seed i.
        note: why there are no runs; empty if there are.
    """

    scores: Callable[[ArrayLike], np.ndarray]
    optimum: float | None = None
    worst: float | None = None
    runs: Callable[[ArrayLike], np.ndarray] | None = None
    shares_runs: bool = False
    note: str = ""


class Benchmark(Protocol):
    """The interface that runs, analysis and reports need of a benchmark; scores are larger-is-better throughout.

    Architectures are `int32[D]`, or rows `int32[1]` of the space's enumeration if the benchmark has a table.
    """

    @property
    def id(self) -> str:
        """Returns the name of the benchmark in reports."""

    @property
    def space(self) -> Space:
        """Returns the search space."""

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Returns the fidelities of queries as ascending numbers in ratio: epochs, or shares of the data."""

    @property
    def metric(self) -> Metric:
        """Returns the metric of scores, which are its values, negated if smaller is better."""

    @property
    def cost_unit(self) -> str:
        """Returns the unit of prices: `"epochs"`, `"seconds"`, ..."""

    @property
    def jittable(self) -> bool:
        """Returns whether `query` can be compiled."""

    @property
    def query(self) -> Callable[[Query, jax.Array], Observation]:
        """Returns the function `(query, key) -> Observation`.

        If it can be compiled it is a pytree that holds no held-out score, an argument of compiled programs.
        """

    @property
    def prices(self) -> jax.Array | np.ndarray:
        """Returns the list prices, float32[1, F], or float32[G, F] if they differ between the G classes."""

    def price(self, archs: ArrayLike, fidelity: ArrayLike = -1) -> np.ndarray:
        """Returns the list prices of architectures [..., D] at fidelities [...], float32[...]."""

    @property
    def size_names(self) -> tuple[str, ...]:
        """Returns the names that `size` and `sizes` know."""

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function `arch -> float32` of a size, the same one each time."""

    def sizes(self, name: str, archs: ArrayLike) -> np.ndarray:
        """Returns the sizes of architectures [..., D]."""

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the mean score that queries of architectures [..., D] answer at a fidelity, NaN if all failed."""

    @property
    def held_out(self) -> HeldOut:
        """Returns the scores that only reports read."""

    @property
    def content_hash(self) -> str | None:
        """Returns the hash that identifies the scores; None if no table holds them."""

    @property
    def table(self) -> Table | None:
        """Returns the table that holds the scores; None if there is none."""

    @property
    def protocol(self) -> str | None:
        """Returns the name of the table's protocol (observed and reported scores, costs); None without a table."""


class Outcome(NamedTuple):
    """The result of a query to a benchmark in Python.

    Attributes:
        observation: the observation of the strategy.
        measured: the score before an objective takes a weighted size off it.
        failure: why it failed; empty if it did not.
    """

    observation: Observation
    measured: np.floating
    failure: str = ""


class HostBenchmark(Benchmark, Protocol):
    """A benchmark that answers in Python, one query at a time: by training, or by a user-defined function."""

    def answer(self, query: Query, key: jax.Array) -> Outcome:
        """Returns how a query ended; a failure is an outcome, too."""

    def fresh_score(self, arch: Choices, number: int) -> np.floating:
        """Returns the measured score of evaluation `number`, 0 or more, of an architecture, NaN if it failed.

        It is independent of all answers.
        """

    def description(self) -> dict:
        """Returns the settings that answers depend on, as JSON values."""


class Shareable(HostBenchmark, Protocol):
    """A benchmark whose copies in other processes can answer for it: it can be pickled, and learns from copies."""

    def resolved(self, query: Query, key: jax.Array) -> Query:
        """Returns the query with the run that answers it, drawn by the key if it asks for any."""

    def knows(self, query: Query) -> bool:
        """Returns whether a resolved query is answered without work."""

    def learned(self, query: Query) -> Any:
        """Returns the data that this copy keeps of its answer to a resolved query."""

    def learn(self, query: Query, found: Any) -> None:
        """Keeps the data that another copy has learned."""


def checked_size_name(name: str, bench: Benchmark) -> str:
    """Returns a name among a benchmark's `size_names`. Raises ValueError on another one, with the nearest of them."""
    if not bench.size_names:
        raise ValueError(f"Expected a benchmark with sizes of its architectures, got {bench.id} without.")
    if name not in bench.size_names:
        raise unknown_name("a size", name, bench.size_names)
    return name


def table_of(bench: Benchmark) -> Table:
    """Returns the table behind a benchmark. Raises ValueError if there is none."""
    if bench.table is None:
        raise ValueError(f"Expected a benchmark with a table, got {bench.id} without.")
    return bench.table


def trainings_of(bench: Benchmark) -> np.ndarray:
    """Returns a number for each of a benchmark's fidelities, int[F]: equal for epochs of one training.

    A run of one training cannot continue in another, which starts from the beginning.
    """
    return np.unique(training_names(bench), return_inverse=True)[1]


def training_names(bench: Benchmark) -> tuple[str, ...]:
    """Returns the name of the training that each fidelity belongs to, empty for the only one.

    A benchmark without a table may name them in an attribute `trainings`.
    """
    if bench.table is None:
        return getattr(bench, "trainings", ("",) * len(bench.fidelities))
    return tuple(each.training for each in _fidelities_of(bench.table, bench.protocol))


def fidelity_names(bench: Benchmark) -> tuple[str, ...]:
    """Returns the names of the fidelities: as the table names them, or else the training and the number."""
    if bench.table is not None:
        return tuple(each.name for each in _fidelities_of(bench.table, bench.protocol))
    return tuple(getattr(bench, "fidelity_names", map(str, bench.fidelities)))


def _fidelities_of(table: Table, protocol_name: str | None) -> list[Fidelity]:
    protocol = table.protocol(protocol_name)
    known = table.column_fidelities(protocol.told)
    return [known[position] for position in protocol.fidelities]


def list_prices(fidelities: tuple[float, ...]) -> np.ndarray:
    """Returns the fidelities as the prices of all architectures, float32[1, F]."""
    return np.asarray(fidelities, np.float32)[None]
