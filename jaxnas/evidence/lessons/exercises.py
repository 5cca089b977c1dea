"""The exercises of the lessons. Right answers are computed from the tables that ship; there is no list of them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from jaxnas import catalog
from jaxnas.analysis.regret import regret
from jaxnas.benchmarks.loading import load
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.checks import unknown_name
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.simulation.run import run
from jaxnas.strategies.base import make
from jaxnas.strategies.named import strategy_named
from jaxnas.tables.reliability import reliability
from jaxnas.tasks.base import Task
from jaxnas.training.fitted import FittedModel

PUBLISHED, NOISY, PERCEPTRONS = "nb201-cifar10-v1", "nb201-shifted-digits-v1", "mlp-small-shifted-digits-v1"
SHORT = 30
"""The trials after which lesson 2 compares strategies."""
LEAST_ACCURACY = 0.8


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and a sentence for the learner; it is true if the answer is right."""

    right: bool
    text: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text


class _Exercise(NamedTuple):
    """An exercise: the test of an answer, and a hint for wrong answers. The question is in the lesson."""

    is_right: Callable[[Any], bool]
    hint: str


def check(exercise: str, answer: Any) -> Verdict:
    """Returns whether an answer to an exercise is right, with a hint if it is not.

    Args:
        exercise: its number in the lessons, such as `"3b"`.
        answer: a number, a name, or an object; see the exercise.

    Raises ValueError on an unknown exercise.
    """
    if exercise not in _EXERCISES:
        raise unknown_name("an exercise", exercise, _EXERCISES)
    found = _EXERCISES[exercise]
    try:
        right = bool(found.is_right(answer))
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        return Verdict(False, f"{exercise}: this answer cannot be checked ({error}). {found.hint}")
    return Verdict(True, f"{exercise}: right.") if right else Verdict(False, f"{exercise}: not yet. {found.hint}")


@functools.cache
def _scores(table: str) -> tuple[TableBenchmark, np.ndarray, np.ndarray]:
    """Returns a benchmark, the representatives of its classes [G, D] and their mean test scores [G]."""
    bench = load(table)
    archs = np.asarray(bench.space.arch_at(bench.table.representatives))
    return bench, archs, np.asarray(bench.held_out.scores(archs))


def _close(answer: Any, value: float, tolerance: float) -> bool:
    return abs(float(answer) - value) <= tolerance


def _points_below_best(scores: np.ndarray, value: float) -> float:
    return 100 * (float(np.nanmax(scores)) - value)


def _is_best(answer: Any) -> bool:
    bench, _, scores = _scores(PUBLISHED)
    arch = bench.space.from_str(answer) if isinstance(answer, str) else answer
    return float(bench.held_out.scores(np.asarray(arch)[None])[0]) >= np.nanmax(scores)


@functools.cache
def _mean_regret(name: str) -> float:
    bench = _scores(PUBLISHED)[0]
    return _regret_of(make(strategy_named(name), bench))


def _regret_of(strategy: Any) -> float:
    bench = _scores(PUBLISHED)[0]
    trials = run(strategy, bench, num_trials=SHORT, num_runs=200)
    return float(np.asarray(regret(trials, bench))[:, -1].mean())


def _is_better_than_random(answer: Any) -> bool:
    strategy = make(answer, _scores(PUBLISHED)[0]) if not hasattr(answer, "ask") else answer
    return _regret_of(strategy) < 0.95 * _mean_regret("random_search")


def _is_smallest(answer: Any) -> bool:
    names = ("random_search", "regularized_evolution", "local_search")
    return answer == min(names, key=_mean_regret)


@functools.cache
def _validation() -> np.ndarray:
    """Returns validation scores after the last epoch, float64[G, S]."""
    scores = _scores(NOISY)[0].table.scores("validation")[..., -1].astype(np.float64)
    return scores[np.isfinite(scores).all(axis=1)]


def _luck() -> float:
    """Returns by how many points the best first run is above the mean of the other runs of its class."""
    scores = _validation()
    best = scores[scores[:, 0].argmax()]
    return 100 * float(best[0] - best[1:].mean())


@functools.cache
def _correlations(table: str) -> dict[str, float]:
    """Returns Spearman's correlation of each proxy with test scores, in the direction of its paper."""
    bench = load(table, columns=[table.replace("-v1", "-proxies-v2")])
    _, archs, scores = _scores(table)
    found = {}
    for name in bench.size_names:
        if name in catalog.PROXIES:
            values = np.nan_to_num(bench.sizes(name, archs), nan=-np.inf)
            found[name] = proxy_named(name).better * float(spearmanr(values, scores).statistic)
    return found


def _median_is() -> float:
    """Returns by how many points the median network is below the best mean test score."""
    scores = _scores(NOISY)[2]
    return _points_below_best(scores, float(np.nanmedian(scores)))


def _largest_is() -> float:
    """Returns by how many points the largest network is below the best mean test score."""
    bench, archs, scores = _scores(NOISY)
    return _points_below_best(scores, float(scores[np.argmax(bench.sizes("parameters", archs))]))


def _is_task_of_three(answer: Any) -> bool:
    return isinstance(answer, Task) and answer.kind == "images" and answer.num_classes == 3


def _is_good_model(answer: Any) -> bool:
    return isinstance(answer, FittedModel) and answer.score("test") >= LEAST_ACCURACY


_EXERCISES = {
    "1a": _Exercise(
        lambda answer: answer == _scores(PUBLISHED)[0].space.num_architectures,
        "`bench.space.num_architectures` knows.",
    ),
    "1b": _Exercise(
        lambda answer: answer == len(_scores(NOISY)[1]),
        "Count the representatives of `jn.load('nb201-shifted-digits-v1').table`.",
    ),
    "1c": _Exercise(
        _is_best,
        "Score all rows with `bench.held_out.scores` and give `bench.space.to_str(arch)` of the best.",
    ),
    "2a": _Exercise(
        _is_better_than_random,
        "Mutate the best architecture so far; give the function of a space that returns the `jn.Strategy`.",
    ),
    "2b": _Exercise(
        _is_smallest,
        "Compare them with `jn.compare` and give the name, such as 'random_search'.",
    ),
    "3a": _Exercise(
        lambda answer: _close(answer, _luck(), 0.05),
        "Take validation scores [G, S] after the last epoch; choose the class by run 0 alone.",
    ),
    "3b": _Exercise(
        lambda answer: _close(answer, reliability(_validation()), 0.02),
        "Subtract the mean variance within a class, over the runs, from the variance of all single runs.",
    ),
    "4a": _Exercise(
        lambda answer: answer == max(_correlations(NOISY), key=lambda name: _correlations(NOISY)[name]),
        "Multiply Spearman's correlation by `jn.proxies.proxy_named(name).better`, and give the name of the largest.",
    ),
    "4b": _Exercise(
        lambda answer: _correlations(PERCEPTRONS)[answer] < -0.1,
        "Look for a clearly negative correlation on 'mlp-small-shifted-digits-v1'.",
    ),
    "5a": _Exercise(
        lambda answer: _close(answer, _median_is(), 0.1),
        "Use `bench.held_out.scores` of the representatives of all classes.",
    ),
    "5b": _Exercise(
        lambda answer: _close(answer, _largest_is(), 0.1),
        "`bench.sizes('parameters', archs)` has the sizes of the representatives.",
    ),
    "6a": _Exercise(
        _is_task_of_three,
        "Select the examples first, then call `jn.task_from_arrays(images, labels)`.",
    ),
    "6b": _Exercise(
        _is_good_model,
        "Give what `best.train()` returns; more trials or epochs help.",
    ),
}
