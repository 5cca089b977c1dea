"""Benchmarks that call a function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.benchmarks.base import HeldOut, checked_size_name, list_prices
from jaxnas.checks import checked_function
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import checked_space
from jaxnas.strategies.base import Observation, Query
from jaxnas.tasks.metrics import Metric

SCORE = Metric("score", "score")


class FunctionBenchmark:
    """A benchmark that calls a function, for spaces of any size.

    Args:
        function: `arch int32[D] -> score`, larger is better, NaN for failed; a JAX function, or with `host=True` any
            Python function of a NumPy array.
        test_function: a NumPy function `archs [..., D] -> scores` that the analysis reports by; without it there is
            no regret.
        optimum, worst: the best and the lowest test score, for regrets.
        host: whether `function` runs in Python, called back from compiled code.
        sizes: JAX functions `arch int32[D] -> size` by name, for second objectives and constraints.
        metric: the metric of the score; larger must be better.
        id: its name in reports; by default the space and the function.
    """

    jittable = True
    fidelities = (1,)
    prices = list_prices(fidelities)
    cost_unit = "evaluations"
    content_hash = None
    table = None
    protocol = None

    def __init__(
        self,
        space: Space,
        function: Callable[..., Any],
        *,
        test_function: Callable[[ArrayLike], np.ndarray] | None = None,
        optimum: float | None = None,
        worst: float | None = None,
        host: bool = False,
        sizes: Mapping[str, Callable[[jax.Array], jax.Array]] | None = None,
        metric: Metric = SCORE,
        id: str | None = None,
    ):
        self.space, function = checked_space(space), checked_function("function", function)
        self.metric = metric
        self.id = id or f"{space.name}-{getattr(function, '__name__', type(function).__name__)}"
        self._test_function = test_function
        self.held_out = HeldOut(self._test_scores, optimum, worst)
        self._function = _Called(function, host)
        self._sizes = dict(sizes or {})
        self.size_names = tuple(self._sizes)
        self.query = jax.tree_util.Partial(_Answer(self._function))

    def __repr__(self) -> str:
        return f"FunctionBenchmark({self.id!r})"

    def price(self, archs: ArrayLike, fidelity: ArrayLike = -1) -> np.ndarray:
        """Returns 1 for each architecture [..., D], float32[...]."""
        return np.ones(np.shape(archs)[:-1], np.float32)

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function of an architecture's size that was given under a name."""
        return self._sizes[checked_size_name(name, self)]

    def sizes(self, name: str, archs: ArrayLike) -> np.ndarray:
        """Returns the sizes of architectures [..., D], float32[...]."""
        return _over_distinct(_Called(self.size(name), host=False), archs)

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the function's scores of architectures [..., D], float32[...].

        It is called again, once for each distinct architecture.
        """
        return _over_distinct(self._function, archs)

    def _test_scores(self, archs: ArrayLike) -> np.ndarray:
        if self._test_function is None:
            raise ValueError("Expected a FunctionBenchmark with a test_function to report by, got one without.")
        return np.asarray(self._test_function(archs))


@dataclass(frozen=True)
class _Called:
    """A function of one architecture that gives float32[]; equal for equal functions, so programs are shared."""

    function: Callable[..., Any]
    host: bool

    def __call__(self, arch: jax.Array) -> jax.Array:
        if not self.host:
            return jnp.asarray(self.function(arch), jnp.float32)
        result = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.pure_callback(
            lambda values: np.float32(self.function(np.asarray(values))), result, arch, vmap_method="sequential"
        )


@dataclass(frozen=True)
class _Answer:
    score_of: _Called

    def __call__(self, query: Query, key: jax.Array) -> Observation:
        return Observation(self.score_of(query.arch), jnp.float32(1), jnp.int32(0))


def _over_distinct(function: _Called, archs: ArrayLike) -> np.ndarray:
    """Returns the values of a function at architectures [..., D], computed once for equal ones, float32[...]."""
    archs = np.asarray(archs, np.int32)
    distinct, position = np.unique(archs.reshape(-1, archs.shape[-1]), axis=0, return_inverse=True)
    if function.host:
        values = np.asarray([function.function(arch) for arch in distinct], np.float32)
    else:
        values = np.asarray(jax.jit(jax.vmap(function))(distinct), np.float32)
    return values[position.reshape(-1)].reshape(archs.shape[:-1])
