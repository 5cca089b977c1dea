"""One objective of two: a score less a weighted size, on any benchmark."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.benchmarks.base import (
    Benchmark,
    HeldOut,
    HostBenchmark,
    Outcome,
    checked_size_name,
    fidelity_names,
    training_names,
)
from jaxnas.benchmarks.rows import row_function
from jaxnas.checks import checked_number, unknown_name
from jaxnas.spaces.base import has_rows
from jaxnas.spaces.decisions import Choices
from jaxnas.spaces.enumerated import MAX_ENUMERABLE
from jaxnas.strategies.base import Observation, Query, look_up

METRIC = r"[^,*<>=-]+"
NUMBER = r"(?:[0-9]+\.?|[0-9]*\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
OBJECTIVES = (
    re.compile(rf"(?P<metric>{METRIC})"),
    re.compile(rf"(?P<metric>{METRIC}),(?P<size>[^,*<>=]+)<=(?P<maximum>{NUMBER})"),
    re.compile(rf"(?P<metric>{METRIC}),(?P<log>log-)?(?P<size>[^,*<>=]+)"),
    re.compile(rf"(?P<metric>{METRIC})-(?P<weight>{NUMBER})\*(?P<size>[^,*<>=]+)"),
)
"""`METRIC`, `METRIC,NAME<=MAXIMUM`, `METRIC,NAME` or `METRIC,log-NAME`, and `METRIC-WEIGHT*NAME`."""


class Objective(NamedTuple):
    """The objective of a comparison.

    Attributes:
        text: as given.
        size: a size of the benchmark's that matters, too: a second objective unless there is a weight or a maximum.
        weight: how much score a unit of size costs.
        log: whether a second objective is measured by its logarithm.
        maximum: the largest size that is allowed.
    """

    text: str
    size: str | None = None
    weight: float | None = None
    log: bool = False
    maximum: float | None = None


def second_size(objective: Objective) -> str | None:
    """Returns the size that is a second objective, None if there is one objective."""
    return objective.size if objective.weight is None and objective.maximum is None else None


def objective_of(text: str, size_names: Sequence[str], metric_name: str = "accuracy") -> Objective:
    """Returns the objective that a string names.

    Such as `accuracy`, `accuracy,flops`, `accuracy,log-flops`, `accuracy,flops<=1e6` or `accuracy-1e-6*flops`.

    Args:
        text: `METRIC`; `METRIC,NAME` or `METRIC,log-NAME`, two objectives; `METRIC,NAME<=MAXIMUM`, within a limit;
            `METRIC-WEIGHT*NAME`, less a weighted size.
        size_names: the names of sizes that the benchmark knows.
        metric_name: the name of its metric.

    Raises ValueError on any other text, or an unknown name.
    """
    bare = re.sub(r"\s*([,*<>=-])\s*", r"\1", text.strip())  # names of metrics may have spaces
    matches = [found for form in OBJECTIVES if (found := form.fullmatch(bare))]
    if not matches:
        examples = ",flops", ",log-flops", ",flops<=1e6", "-1e-6*flops"
        shown = ", ".join([metric_name, *(metric_name + each for each in examples)])
        raise ValueError(f"Expected an objective such as {shown}, got {text!r}.")
    parts = matches[0].groupdict()
    size, weight, maximum = (parts.get(name) for name in ("size", "weight", "maximum"))
    if parts["metric"] in size_names:
        hint = f"A size is a second objective: {metric_name},{parts['metric']}."
        raise ValueError(f"{hint} Expected a metric of {metric_name}, got {text!r}.")
    if parts["metric"] != metric_name:
        raise unknown_name("a metric", parts["metric"], [metric_name])
    if size is not None and size not in size_names:
        if not size_names:
            raise ValueError(f"Expected the objective {metric_name} where sizes are not known, got {text!r}.")
        raise unknown_name("a size", size, size_names)
    return Objective(
        bare,
        size,
        None if weight is None else checked_number("weight", float(weight), at_least=0),
        log=parts.get("log") is not None,
        maximum=None if maximum is None else float(maximum),
    )


def penalized(bench: Benchmark, weight: float, size: str = "parameters") -> "Penalized":
    """Returns a benchmark whose scores are another one's, less a weight times the size of the architecture.

    For every strategy with one objective. Held-out scores and the optimum are less the same.

    Args:
        bench: any benchmark with sizes.
        weight: how much score a unit of size costs, 0 or more: 1e-6 takes a point of accuracy for 10,000 parameters.
        size: one of the benchmark's `size_names`.

    Raises ValueError on a negative weight or an unknown size.
    """
    return Penalized(bench, checked_number("weight", weight, at_least=0), checked_size_name(size, bench))


class Penalized:
    """The benchmark that `penalized` returns."""

    def __init__(self, bench: Benchmark, weight: float, size_name: str):
        self.bench, self.weight, self.size_name = bench, weight, size_name
        self.id, self.space, self.fidelities = bench.id, bench.space, bench.fidelities
        self.price, self.size, self.sizes = bench.price, bench.size, bench.sizes
        self.prices, self.cost_unit, self.jittable = bench.prices, bench.cost_unit, bench.jittable
        self.size_names, self.content_hash = bench.size_names, bench.content_hash
        self.table, self.protocol = bench.table, bench.protocol
        self.trainings, self.fidelity_names = training_names(bench), fidelity_names(bench)
        sign = "-" if bench.metric.better > 0 else "+"
        self.metric = bench.metric._replace(name=f"{bench.metric.name}{sign}{weight:g}*{size_name}")
        self.query = self._query()

    def __repr__(self) -> str:
        return f"penalized({self.bench!r}, {self.weight!r}, {self.size_name!r})"

    def _query(self) -> Callable[[Query, jax.Array], Observation]:
        if not self.bench.jittable:
            return functools.partial(_answer_less, self._penalty, self.bench.query)
        if self.table is not None:
            penalties = jnp.asarray(self.weight * self.sizes(self.size_name, self._everything), jnp.float32)
            penalty = jax.tree_util.Partial(_penalty_at, row_function(self.space), penalties)
        else:
            penalty = jax.tree_util.Partial(_weighted, jax.tree_util.Partial(self.size(self.size_name)), self.weight)
        return jax.tree_util.Partial(_answer_less, penalty, self.bench.query)

    def _penalty(self, arch: ArrayLike) -> Any:
        return np.float32(self.weight * self.sizes(self.size_name, arch))

    @functools.cached_property
    def _everything(self) -> np.ndarray:
        """Every architecture of the space, as rows [A, 1] if the benchmark has a table."""
        rows = np.arange(self.space.num_architectures)
        return rows[:, None] if self.table is not None else np.asarray(jax.vmap(self.space.arch_at)(jnp.asarray(rows)))

    def answer(self, query: Query, key: jax.Array) -> Outcome:
        """Returns the outcome of a benchmark in Python; the strategy observes the score less the penalty."""
        return self.less_penalty(query, self._host.answer(query, key))

    def less_penalty(self, query: Query, outcome: Outcome) -> Outcome:
        """Returns an outcome of the benchmark in Python as the strategy observes it."""
        score = outcome.observation.score - self._penalty(query.arch)
        return outcome._replace(observation=outcome.observation._replace(score=score))

    def fresh_score(self, arch: Choices, number: int) -> np.floating:
        """Returns the measured score of another evaluation, without the penalty."""
        return self._host.fresh_score(arch, number)

    def description(self) -> dict:
        return {**self._host.description(), "weight": self.weight, "size": self.size_name}

    @property
    def _host(self) -> HostBenchmark:
        return cast(HostBenchmark, self.bench)

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] less the weighted sizes, float64[...]."""
        return self.bench.validation_scores(archs, fidelity) - self.weight * self.sizes(self.size_name, archs)

    @functools.cached_property
    def held_out(self) -> HeldOut:
        """Returns the held-out scores less the weighted sizes, for reports only.

        The optimum is known if the benchmark's is and its space can be enumerated.
        """
        plain = self.bench.held_out

        def scores(archs: ArrayLike) -> np.ndarray:
            return plain.scores(archs) - self.weight * self.sizes(self.size_name, archs)

        def runs(archs: ArrayLike) -> np.ndarray:
            assert plain.runs is not None
            return plain.runs(archs) - self.weight * self.sizes(self.size_name, archs)[..., None]

        listed = has_rows(self.space) and self.space.num_architectures <= MAX_ENUMERABLE
        if plain.optimum is None or not listed:
            return HeldOut(scores)
        every = scores(self._everything)
        ends = float(np.nanmax(every)), float(np.nanmin(every))
        return HeldOut(scores, *ends, None if plain.runs is None else runs, plain.shares_runs, plain.note)


def _answer_less(
    penalty: Callable[[jax.Array], jax.Array],
    query_function: Callable[[Query, jax.Array], Observation],
    query: Query,
    key: jax.Array,
) -> Observation:
    observation = query_function(query, key)
    return observation._replace(score=observation.score - penalty(query.arch))


def _penalty_at(row_of: Callable[[jax.Array], jax.Array], penalties: jax.Array, arch: jax.Array) -> jax.Array:
    return look_up(penalties, row_of(arch))


def _weighted(size: Callable[[jax.Array], jax.Array], weight: jax.Array, arch: jax.Array) -> jax.Array:
    return jnp.asarray(weight, jnp.float32) * size(arch)
