"""Benchmarks: what a search may ask (`query`), and what only the analysis reads (`test_scores`, `optimum`).

A benchmark has `space`, `fidelities` (epochs, ascending), `query(query, key) -> Observation`, `jittable`,
`test_scores(archs)` and `optimum`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.benchmarks.base import warn_outside_analysis
from jaxnas.strategies.base import Observation


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
