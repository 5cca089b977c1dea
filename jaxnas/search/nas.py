"""The front door: a space, and data or a function of one's own, to the best network that a search finds."""

import functools
import numbers
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import jax
import numpy as np

from jaxnas import catalog
from jaxnas.analysis.incumbents import incumbents
from jaxnas.benchmarks.journaled import Journal, Outcome
from jaxnas.benchmarks.penalised import Objective, objective_of
from jaxnas.benchmarks.scorer import Scorer, evaluator_scorer, training_scorer
from jaxnas.benchmarks.training import NETWORK_SIZES, TrainingBenchmark
from jaxnas.checks import checked_number
from jaxnas.report.progress import progress_bars
from jaxnas.search.result import Finalist, SearchResult
from jaxnas.simulation.ask_tell import AskTell, run_key
from jaxnas.simulation.trials import Trials, paid_costs
from jaxnas.spaces.base import checked
from jaxnas.strategies.base import Query, Strategy, make
from jaxnas.tables.table import describe_space
from jaxnas.tasks.arrays import task_from_arrays
from jaxnas.tasks.base import Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.trainer import default_config

NUM_FRESH = 3
"""How often each finalist is evaluated after the search."""
INTERRUPTED = "interrupted"


class NAS:
    """A neural architecture search: `search` runs it.

    It sees training and validation data only: test images are not even evaluated. Its trials are those of `run` with
    the same arguments.

    Args:
        space: a search space, its name in the catalog, or `file.py:NAME`.
        task: what to train on: a `Task`, its name, a path of an `.npz` file, or arrays `(X, y)`, of which 60 % are to
            train, 20 % to validate and 20 % to test.
        evaluator: instead of a task, a function of an architecture, a dict of readable values, that returns its score,
            larger is better. A call that raises or returns NaN is a failed trial.
        strategy: a name, a factory such as `jn.random_search`, or a Strategy of the space.
        objective: `"accuracy"`, or less a weighted size, `"accuracy-1e-6*parameters"` or `"accuracy-1e-6*flops"`;
            for strategies with two objectives also `"accuracy,parameters"` or `"accuracy,flops"`.
        config: how networks are trained; by default the recipe of the kind of space.
        num_epochs: epochs of a training, instead of those of `config`.
        seed: of the search.
        folder: where a journal lies, from which the same search goes on after an interruption. None: no journal.
        progress: whether a bar on standard error shows the progress.

    Raises:
        ValueError: on unknown names, data that cannot be trained on, or arguments that do not fit together.
    """

    def __init__(
        self,
        space,
        task=None,
        *,
        evaluator: Callable | None = None,
        strategy="regularized_evolution",
        objective: str = "accuracy",
        config: TrainConfig | None = None,
        num_epochs: int | None = None,
        seed: int = 0,
        folder: str | os.PathLike | None = None,
        progress: bool = True,
    ):
        self.space = catalog.space(space) if isinstance(space, str) else catalog.checked_space(space)
        self.objective = objective_of(str(objective), NETWORK_SIZES)
        if (task is None) == (evaluator is None):
            raise ValueError(f"Expected a task or an evaluator, got {'neither' if task is None else 'both'}.")
        self.task = None if task is None else task_of(task)
        if not isinstance(config, TrainConfig | None):
            raise ValueError(f"Expected a TrainConfig, got {type(config).__name__}.")
        self.config = None
        if task is None:
            self._scorer = _scorer_of_evaluator(self.space, evaluator, self.objective, config or num_epochs)
        else:
            config = config or default_config(self.space, self.task)
            num_epochs = config.num_epochs if num_epochs is None else _count("num_epochs", num_epochs, 1)
            self.config = replace(config, num_epochs=num_epochs)
            self._scorer = training_scorer(TrainingBenchmark(self.space, self.task.without_test(), self.config))
        self.strategy = _strategy_of(strategy, self._scorer, self.objective)
        self.seed, self.folder, self.progress = seed, folder, progress

    def search(self, num_trials: int, max_seconds: float | None = None, *, num_finalists: int = 3) -> SearchResult:
        """Returns what the search found.

        Ctrl-C ends it with the best so far.

        Args:
            num_trials: how many architectures are evaluated.
            max_seconds: no trial begins after so long, but the first.
            num_finalists: so many of the best architectures are evaluated three times more, to tell skill from luck;
                0 for none.

        Raises:
            ValueError: on wrong numbers, or where the folder holds the journal of another search.
            RuntimeError: where all trials failed.
        """
        num_trials, num_finalists = _count("num_trials", num_trials, 1), _count("num_finalists", num_finalists, 0)
        if max_seconds is not None:
            checked_number("max_seconds", max_seconds, above=0)
        journal = Journal(self.folder, self._description(num_trials))
        finalists = ()
        with progress_bars() if self.progress else nullcontext() as bars:
            trials, outcomes, stopped = self._trials(num_trials, max_seconds, journal, bars)
            try:
                if stopped != INTERRUPTED:
                    finalists = self._finalists(trials, outcomes, num_finalists, journal, bars)
            except KeyboardInterrupt:
                stopped = INTERRUPTED
        return SearchResult(
            space=self.space,
            objective=self.objective,
            trials=trials,
            scores=np.asarray([outcome.observation.score for outcome in outcomes], np.float32),
            failures=tuple(outcome.failure for outcome in outcomes),
            finalists=finalists,
            network_size=self._scorer.network_size,
            task=self.task,
            config=self.config,
            stopped=stopped,
        )

    def _description(self, num_trials: int) -> dict:
        """Returns what the trajectory of a search depends on, as JSON values."""
        return {
            "space": describe_space(self.space),
            **self._scorer.description,
            "objective": self.objective.text,
            "strategy": self.strategy.name,
            "hyperparameters": [[name, repr(value)] for name, value in self.strategy.hyperparameters],
            "num_trials": num_trials,
            "seed": self.seed,
        }

    def _trials(self, num_trials, max_seconds, journal, bars) -> tuple[Trials, list[Outcome], str]:
        """Returns the trials, leading axes [1, T], their outcomes, and why there are not all of them."""
        key, num_fidelities = run_key(self.seed, 0), len(self._scorer.fidelities)
        loop = AskTell(self.strategy, num_trials=num_trials, key=key, num_fidelities=num_fidelities)
        outcomes, stopped, started = [], "", time.monotonic()
        show = _bar(bars, "compiling and searching", num_trials)
        try:
            while len(outcomes) < num_trials:
                if max_seconds is not None and outcomes and time.monotonic() - started >= max_seconds:
                    stopped = f"{max_seconds:g} seconds were over"
                    break
                outcome = self._outcome(loop.ask(), loop.query_key(), loop.num_told, journal)
                penalty = self._penalty(loop.ask().arch)
                loop.tell(outcome.observation._replace(score=outcome.observation.score - penalty))
                outcomes.append(outcome)
                show(len(outcomes), _progress_text(outcomes, self.task))
        except KeyboardInterrupt:
            if not outcomes:
                raise
            stopped = INTERRUPTED
        trials = jax.tree.map(lambda values: values[None, : len(outcomes)], loop.trials())
        if np.isnan(trials.observation.score).all():
            last = outcomes[-1].failure
            raise RuntimeError(f"Expected a trial that succeeds, got {len(outcomes)} that failed, the last by: {last}")
        cost = paid_costs(trials, trials.observation.cost)
        return trials._replace(observation=trials.observation._replace(cost=cost)), outcomes, stopped

    def _outcome(self, query: Query, key: jax.Array, number: int, journal: Journal) -> Outcome:
        checked(query.arch, self.space.decisions)
        return journal.trial(number, query, lambda: self._scorer.outcome(query, key))

    def _penalty(self, arch: np.ndarray) -> np.float32:
        """Returns the weighted size that the objective takes off a score."""
        if self.objective.weight is None:
            return np.float32(0)
        return np.float32(
            self.objective.weight * getattr(self._scorer.network_size(arch), f"num_{self.objective.size}")
        )

    def _finalists(self, trials: Trials, outcomes, num_finalists: int, journal, bars) -> tuple[Finalist, ...]:
        best = _best_trials(self.space, trials, num_finalists)
        show = _bar(bars, "evaluating the best again", len(best) * NUM_FRESH)
        finalists = []
        for number in best:
            arch = trials.query.arch[0, number]
            fresh = []
            for count in range(NUM_FRESH):
                evaluate = functools.partial(self._scorer.fresh_score, arch, count)
                fresh.append(journal.fresh_score(arch, count, evaluate))
                show(len(finalists) * NUM_FRESH + len(fresh), "")
            score = float(outcomes[number].observation.score)
            finalists.append(Finalist(number, arch, score, float(self._penalty(arch)), np.asarray(fresh, np.float64)))
        return tuple(finalists)


def task_of(task) -> Task:
    """Returns the task of a Task, a name, a path of an `.npz` file, or arrays (X, y). Raises ValueError otherwise."""
    if isinstance(task, Task):
        return task
    if isinstance(task, str | os.PathLike):
        return catalog.task(os.fspath(task))
    if isinstance(task, tuple | list) and len(task) == 2:
        return task_from_arrays(*task)
    raise ValueError(
        f"Expected a task: a Task, a name, a path of an .npz file, or arrays (X, y), got {type(task).__name__}."
    )


def _count(name: str, value, smallest: int) -> int:
    if not isinstance(value, numbers.Integral) or value < smallest:
        raise ValueError(f"Expected {name} of {smallest} or more, got {value!r}.")
    return int(value)


def _scorer_of_evaluator(space, evaluator, objective: Objective, training) -> Scorer:
    if not callable(evaluator):
        raise ValueError(f"Expected an evaluator that is a function, got {type(evaluator).__name__}.")
    if objective.size is not None:
        raise ValueError(
            f"Expected the objective accuracy with an evaluator, which can take off a size itself, "
            f"got {objective.text}."
        )
    if training is not None:
        raise ValueError("Expected no config or num_epochs with an evaluator, which trains as it likes, got one.")
    return evaluator_scorer(space, evaluator)


def _strategy_of(strategy, scorer: Scorer, objective: Objective) -> Strategy:
    if isinstance(strategy, Strategy):
        return strategy
    factory = catalog.strategy(strategy) if isinstance(strategy, str) else strategy
    if not callable(factory):
        raise ValueError(f"Expected a strategy: a name, a factory or a Strategy, got {type(strategy).__name__}.")
    return make(factory, scorer, objective.size or "parameters")


def _best_trials(space, trials: Trials, count: int) -> list[int]:
    """Returns the numbers of the best trials, best first, of different classes, at the incumbent's fidelity."""
    best = int(incumbents(trials)[0, -1])
    scores, fidelity = trials.observation.score[0], trials.query.fidelity[0]
    eligible = np.isfinite(scores) & (fidelity == fidelity[best])
    first = {}
    for number in np.argsort(-scores, kind="stable"):
        if eligible[number]:
            first.setdefault(np.asarray(space.canonical(trials.query.arch[0, number])).tobytes(), int(number))
    return list(first.values())[:count]


def _bar(bars, description: str, total: int) -> Callable[[int, str], None]:
    """Returns a function of the number done and a text that moves a new bar; without bars it does nothing."""
    if bars is None:
        return lambda done, text: None
    bar = bars.add_task(description, total=total)
    return lambda done, text: bars.update(bar, completed=done, description=text or description)


def _progress_text(outcomes: list[Outcome], task: Task | None) -> str:
    scores = [outcome.observation.score for outcome in outcomes if not outcome.failure]
    if not scores:
        return "searching, all failed so far"
    best = f"{max(scores):.4g}" if task is None else f"validation {100 * max(scores):.2f} %"
    return f"searching, best {best}"
