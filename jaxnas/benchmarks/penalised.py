"""One objective of two: accuracy less a weighted size."""

import re
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.benchmarks.base import warn_outside_analysis
from jaxnas.benchmarks.tabular import TableBenchmark, row_of
from jaxnas.checks import checked_number
from jaxnas.spaces.base import radix_weights
from jaxnas.strategies.base import Observation, look_up


class Objective(NamedTuple):
    """What a comparison is by: accuracy; with a `size` also that, as a second objective or at a `weight`."""

    text: str
    size: str | None = None
    weight: float | None = None


def objective_of(text: str) -> Objective:
    """Returns the objective of `accuracy`, `accuracy,flops` or `accuracy-1e-6*flops` (or `parameters`).

    Raises ValueError on any other text.
    """
    bare = text.replace(" ", "")
    two = re.fullmatch(r"accuracy,(parameters|flops)", bare)
    weighted = re.fullmatch(r"accuracy-([0-9.]+(?:e[-+]?[0-9]+)?)\*(parameters|flops)", bare)
    if two:
        return Objective(bare, two[1])
    if weighted:
        return Objective(bare, weighted[2], float(weighted[1]))
    if bare == "accuracy":
        return Objective(bare)
    raise ValueError(f"Expected an objective such as accuracy, accuracy,flops or accuracy-1e-6*flops, got {text!r}.")


class ObjectiveBenchmark:
    """A benchmark whose score is that of another one, less a weight times the size of the architecture.

    For every strategy with one objective. Test scores and the optimum are taken less the same.

    Args:
        bench: a `TableBenchmark`.
        weight: how much score a unit of size costs, 0 or more: 1e-6 takes a point of accuracy for 10,000 parameters.
        size: `"parameters"` or `"flops"`.

    Raises:
        ValueError: on a negative weight or an unknown size.
    """

    jittable = True

    def __init__(self, bench: TableBenchmark, *, weight: float, size: str = "parameters"):
        checked_number("weight", weight, at_least=0)
        self.bench, self.weight, self.size_name = bench, weight, size
        self.table, self.space, self.fidelities = bench.table, bench.space, bench.fidelities
        everything = np.arange(bench.space.num_architectures)[:, None]
        penalties = jnp.asarray(weight * bench.sizes(size, everything), jnp.float32)
        weights = radix_weights(bench.space.decisions).astype(np.int32)
        self.query = jax.tree_util.Partial(_query_less, weights, penalties, bench.query)
        self.optimum, self.worst = (float(choose(self.test_scores(everything))) for choose in (np.nanmax, np.nanmin))

    def __repr__(self) -> str:
        return f"ObjectiveBenchmark({self.bench!r}, weight={self.weight!r}, size={self.size_name!r})"

    def size(self, name: str) -> Callable:
        """Returns the function of an architecture's size, as `TableBenchmark.size`."""
        return self.bench.size(name)

    def sizes(self, name: str, archs: np.ndarray) -> np.ndarray:
        """Returns the sizes of architectures, as `TableBenchmark.sizes`."""
        return self.bench.sizes(name, archs)

    def rows(self, archs: np.ndarray) -> np.ndarray:
        """Returns the rows of architectures, as `TableBenchmark.rows`."""
        return self.bench.rows(archs)

    def test_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the test scores of architectures [..., D] less the weighted sizes.

        For the analysis only; read elsewhere, they warn once.
        """
        warn_outside_analysis()
        return self.bench.test_scores(archs) - self.weight * self.bench.sizes(self.size_name, archs)

    def validation_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] less the weighted sizes."""
        return self.bench.validation_scores(archs) - self.weight * self.bench.sizes(self.size_name, archs)


def _query_less(weights, penalties, query_function, query, key) -> Observation:
    observation = query_function(query, key)
    return observation._replace(score=observation.score - look_up(penalties, row_of(weights, query.arch)))
