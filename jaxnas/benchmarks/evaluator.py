"""Benchmarks that call a user-defined function with readable architectures."""

import math
import numbers
from collections.abc import Callable

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxnas.benchmarks.base import HeldOut, Outcome, checked_size_name, list_prices
from jaxnas.checks import checked_function, failure_of
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices
from jaxnas.strategies.base import Observation, Query, observed
from jaxnas.tasks.metrics import Metric
from jaxnas.training.definition import definition_of

LARGEST = float(np.finfo(np.float32).max)


class EvaluatorBenchmark:
    """A benchmark that calls a Python function with an architecture as a dict of readable values.

    A call that raises, or that returns no number which is finite in float32, is a failed trial. There are no held-out
    scores. Strategies observe scores as float32, as `jn.run` keeps them; `jn.NAS` keeps and compares them as float64.

    Args:
        evaluator: `dict -> score`, larger is better.

    Raises ValueError if the evaluator is no function.
    """

    jittable = False
    id = "evaluator"
    metric = Metric("score", "")
    cost_unit = "evaluations"
    fidelities = (1,)
    prices = list_prices((1,))
    size_names = ()
    content_hash = None
    table = None
    protocol = None

    def __init__(self, space: Space, evaluator: Callable[[dict], float]):
        self.space, self.evaluator = space, checked_function("evaluator", evaluator)
        self.held_out = HeldOut(self._no_scores)

    def __reduce__(self) -> tuple:
        """Returns how a copy is made."""
        return EvaluatorBenchmark, (self.space, self.evaluator)

    def _no_scores(self, archs: ArrayLike) -> np.ndarray:
        raise ValueError("Expected a benchmark with held-out scores, got an evaluator.")

    def answer(self, query: Query, key: jax.Array) -> Outcome:
        """Returns the score of an architecture, NaN if the call failed, and why."""
        score, failure = self._call(query.arch)
        return Outcome(observed(score), score, failure)

    def query(self, query: Query, key: jax.Array) -> Observation:
        return self.answer(query, key).observation

    def fresh_score(self, arch: Choices, number: int) -> np.float64:
        """Returns the score of another call."""
        return self._call(arch)[0]

    def resolved(self, query: Query, key: jax.Array) -> Query:
        """Returns the query itself: calls have no numbers."""
        return query

    def knows(self, query: Query) -> bool:
        """Returns that each query is a call."""
        return False

    def learned(self, query: Query) -> None:
        """Returns nothing: a call leaves nothing behind."""

    def learn(self, query: Query, found: None) -> None:
        """Keeps nothing."""

    def _call(self, arch: Choices) -> tuple[np.float64, str]:
        failed = np.float64(np.nan)
        try:
            score = self.evaluator(self.space.decode(arch))
        except Exception as error:
            return failed, failure_of(error)
        if isinstance(score, np.ndarray | jax.Array) and score.ndim == 0:
            score = score.item()
        if not isinstance(score, numbers.Real):
            return failed, f"Expected the evaluator to return a number, got {type(score).__name__}."
        try:
            number = float(score)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            return failed, f"Expected the evaluator to return a finite number, got {number}."
        if abs(number) > LARGEST:
            return failed, f"Expected the evaluator to return a number of at most {LARGEST:.3g}, got {number}."
        return np.float64(number), ""

    def description(self) -> dict:
        """Returns the inputs of answers: the name of the evaluator, its code, and its parts that cannot be compared."""
        name = getattr(self.evaluator, "__qualname__", type(self.evaluator).__name__)
        code, unknown = definition_of(self.evaluator)
        return {
            "space": self.space.description(),
            "evaluator": f"{getattr(self.evaluator, '__module__', '')}.{name}",
            "code of the evaluator": code,
            "not compared": list(unknown),
        }

    def price(self, archs: ArrayLike, fidelity: ArrayLike = -1) -> np.ndarray:
        """Returns 1 for each architecture of [..., D]."""
        return np.ones(np.asarray(archs).shape[:-1], np.float32)

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Raises ValueError: sizes are not known."""
        raise ValueError(f"Expected a task for a strategy that needs {name}, got an evaluator.")

    def sizes(self, name: str, archs: ArrayLike) -> np.ndarray:
        """Raises ValueError: sizes are not known."""
        raise ValueError(f"Expected a benchmark with {checked_size_name(name, self)}, got an evaluator.")

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the scores that the evaluator, called again, gives architectures [..., D]."""
        archs = np.asarray(archs)
        scores = [self._call(arch)[0] for arch in archs.reshape(-1, archs.shape[-1])]
        return np.asarray(scores, np.float32).reshape(archs.shape[:-1])
