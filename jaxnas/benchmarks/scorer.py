"""What a search asks for scores: trainings on a task, or a Python function of one's own."""

import functools
import math
import numbers
from collections.abc import Callable
from dataclasses import asdict
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.benchmarks.journaled import Outcome
from jaxnas.benchmarks.training import TrainingBenchmark
from jaxnas.strategies.base import Observation
from jaxnas.training.family import network_size

NOT_FINITE = "The training loss was not finite."


class Scorer(NamedTuple):
    """What a search asks for scores.

    Attributes:
        space: the search space.
        fidelities: as those of a benchmark.
        outcome: `(query, key) -> Outcome` of a trial; a failure is an outcome, too.
        fresh_score: `(arch, number) -> score` of evaluation `number`, 0 or more, independent of all trials.
        size: `name -> (arch -> float32)`, for strategies; it raises ValueError where sizes are not known.
        network_size: `arch -> Size`; None where sizes are not known.
        description: what scores depend on, as JSON values.
    """

    space: object
    fidelities: tuple[int, ...]
    outcome: Callable
    fresh_score: Callable
    size: Callable
    network_size: Callable | None
    description: dict


def training_scorer(bench: TrainingBenchmark) -> Scorer:
    """Returns the scorer that trains; fresh scores are those of seeds that the search does not use."""
    space, task, config = bench.space, bench.task, bench.config

    def outcome(query, key):
        observation = bench.query(query, key)
        return Outcome(observation, NOT_FINITE if np.isnan(observation.score) else "")

    def fresh_score(arch, number):
        curves = bench.curves(arch, bench.num_seeds + number)
        score = np.float32(curves.validation[-1]) / np.float32(task.validation.num_examples)
        return score if np.isfinite(curves.loss[-1]) else np.float32(np.nan)

    @functools.cache
    def size_of_class(arch):
        return network_size(space, config.skeleton, task.shape, task.num_classes, np.asarray(arch))

    def size_of(arch):
        return size_of_class(tuple(np.asarray(space.canonical(arch)).tolist()))

    description = {"task": task.sha256, "config": asdict(config), "num_seeds": bench.num_seeds}
    return Scorer(space, bench.fidelities, outcome, fresh_score, bench.size, size_of, description)


def evaluator_scorer(space, evaluator: Callable) -> Scorer:
    """Returns the scorer that calls a function of decoded architectures.

    A call that raises, or that returns no finite number, is a failed trial.
    """

    def outcome(query, key):
        score, failure = _call(evaluator, space.decode(query.arch))
        return Outcome(Observation(np.float32(score), np.float32(1), np.int32(0)), failure)

    def fresh_score(arch, number):
        return np.float32(_call(evaluator, space.decode(arch))[0])

    def size(name):
        raise ValueError("Expected a task for a strategy that asks for sizes, got an evaluator.")

    name = f"{getattr(evaluator, '__module__', '')}.{getattr(evaluator, '__qualname__', type(evaluator).__name__)}"
    return Scorer(space, (1,), outcome, fresh_score, size, None, {"evaluator": name})


def _call(evaluator: Callable, architecture: dict) -> tuple[float, str]:
    """Returns the score of an architecture, NaN where that failed, and why it failed."""
    try:
        score = evaluator(architecture)
    except Exception as error:
        return math.nan, f"{type(error).__name__}: {error}"
    if isinstance(score, np.ndarray | jax.Array) and score.ndim == 0:
        score = score.item()
    if not isinstance(score, numbers.Real):
        return math.nan, f"Expected the evaluator to return a number, got {type(score).__name__}."
    if not math.isfinite(score):
        return math.nan, f"Expected the evaluator to return a finite number, got {score}."
    return float(score), ""
