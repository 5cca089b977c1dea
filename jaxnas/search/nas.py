"""A search from data, or a user-defined function, to the best network that it finds."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from rich.progress import Progress

from jaxnas import catalog
from jaxnas.analysis.incumbent import incumbents
from jaxnas.benchmarks.base import HostBenchmark, Outcome, Shareable, trainings_of
from jaxnas.benchmarks.evaluator import EvaluatorBenchmark
from jaxnas.benchmarks.penalized import objective_of, penalized
from jaxnas.benchmarks.training import TrainingBenchmark
from jaxnas.checks import checked_function, checked_number, checked_seed, checked_size
from jaxnas.execution.base import Terms, Workers
from jaxnas.execution.executors import executor
from jaxnas.progress import COMPILING, progress_bars
from jaxnas.report.units import with_unit
from jaxnas.search.loop.evaluations import (
    answered,
    answers_in_turn,
    check_parallel,
    fresh_scores_in_turn,
    parallel_answers,
    parallel_fresh_scores,
)
from jaxnas.search.loop.journaled import Journaled, journaled
from jaxnas.search.loop.parallel_ask_tell import ParallelAskTell
from jaxnas.search.result import Finalist, SearchResult
from jaxnas.search.transfer.sources import Source, greedy_portfolio
from jaxnas.simulation.ask_tell import AskTell, run_key
from jaxnas.simulation.trials import Trials, paid_costs, paid_when_begun
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import checked_space, space_named
from jaxnas.strategies.base import Strategy, make
from jaxnas.strategies.named import strategy_named
from jaxnas.strategies.wrappers.warm_started import warm_started
from jaxnas.tasks.arrays import task_from_arrays
from jaxnas.tasks.base import Task
from jaxnas.tasks.named import task_named
from jaxnas.training.config import TrainConfig
from jaxnas.training.inputs import kind_for
from jaxnas.training.trainer import Trainer

MAX_TRIALS = 10**7
MAX_WORKERS = 1000
NUM_FINALISTS = 3
NUM_FRESH = 3
"""How often each finalist is evaluated after the search."""
INTERRUPTED = "interrupted"


class NAS:
    """A neural architecture search: `search` runs it.

    It sees training and validation data only: test images are not even evaluated. Its trials are
    the same as from `run` with the same arguments.

    Args:
        space: a search space, its name in the catalog, or `file.py:NAME`.
        task: the data to train on: a `Task`, its name, a path of an `.npz` file, or data `(X, y)`, of which 60 % are to
            train, 20 % to validate and 20 % to test: see `jn.task_from_arrays`. For a space of sequences, arrays of
            numbers [n, T] or [n, T, F] are sequences, and integers [n, T] are tokens.
        evaluator: instead of a task, a function of an architecture, a dict of readable values, that returns its score,
            larger is better. A call that raises or returns NaN is a failed trial.
        strategy: a name, a factory such as `jn.random_search`, or a Strategy of the space; the default is better than
            random search from 20 trials on.
        objective: by default the metric of the task, `"accuracy"` for classes; or less a weighted size,
            `"accuracy-1e-6*parameters"` or `"accuracy-1e-6*flops"`; for strategies with two objectives also
            `"accuracy,parameters"` or `"accuracy,flops"`.
        config: how networks are trained; by default the recipe of the kind of space. Several by name are for
            strategies over fidelities of several kinds: networks of other widths, images of other resolutions,
            schedules of other lengths; see `jn.benchmarks.TrainingBenchmark`. The best network is then of the most
            expensive one.
        num_epochs: epochs of a training, overriding `config`.
        order: of the fidelities of several trainings, by name, the lowest first.
        seed: of the search.
        folder: the folder of a journal, from which the same search resumes after an interruption. None: no journal.
        progress: whether a bar on standard error shows the progress.
        num_workers: how many architectures are evaluated at a time, each in a separate process, for a strategy
            that is `parallel`. Its trials are then in the order in which their scores arrived, which varies
            between runs; the journal keeps it. A worker that dies is a failed trial. See docs/parallel.md.
        ray: the address of a Ray cluster on which the workers are, `host:port` or `"auto"`; `"local"`: Ray on this
            machine; None: processes of this machine. Neither trials nor the journal depend on it.
        timeout: seconds that an evaluation of a worker may take; a trial that takes longer has failed. None: no limit.
        sources: tables of the space on other tasks, or their identifiers or folders: the search begins with their
            best architectures, 20 or as many as the strategy can begin with (see `jn.transfer.greedy_portfolio`).

    Raises ValueError on unknown names, data that cannot be trained on, or arguments that do not fit
    together.
    """

    def __init__(
        self,
        space: Space | str,
        task: Task | str | os.PathLike | tuple | None = None,
        *,
        evaluator: Callable[[dict], float] | None = None,
        strategy: str | Callable[..., Strategy] | Strategy = catalog.DEFAULT_STRATEGY,
        objective: str | None = None,
        config: TrainConfig | Mapping[str, TrainConfig] | None = None,
        num_epochs: int | None = None,
        order: Sequence[str] | None = None,
        seed: int = 0,
        folder: str | os.PathLike | None = None,
        progress: bool = True,
        sources: Sequence[Source] = (),
        num_workers: int = 1,
        ray: str | None = None,
        timeout: float | None = None,
    ):
        self.space = space_named(space) if isinstance(space, str) else checked_space(space)
        if (task is None) == (evaluator is None):
            raise ValueError(f"Expected a task or an evaluator, got {'neither' if task is None else 'both'}.")
        self.task = None if task is None else task_of(task, self.space)
        self._trainer: Trainer | None = None
        self._bench: Shareable
        if self.task is None:
            self._bench = _evaluator_bench(self.space, evaluator, config or num_epochs or order)
        else:
            training = _training_bench(self.space, self.task.without_test(), config, num_epochs, order)
            self._trainer = Trainer(self.space, self.task, training.trainer.config)
            self._bench = training
        metric = "accuracy" if self.task is None else self._bench.metric.name
        aim = metric if objective is None else str(objective)
        self.objective = objective_of(aim, self._bench.size_names, metric)
        if self.objective.maximum is not None:
            raise ValueError(
                f"Expected an objective without a limit in a search, got {objective!r}: use jn.constrained."
            )
        self.strategy = _strategy_of(strategy, self._bench, self.objective.size or "parameters")
        if sources:
            most = self.strategy.most_given
            good = greedy_portfolio(sources, self.space)
            self.strategy = warm_started(self.strategy, good if most is None else good[:most])
        self.num_workers = checked_size("num_workers", num_workers, 1, MAX_WORKERS, "each of them a process")
        check_parallel(self.strategy, self._bench, num_workers)
        if num_workers == 1 and (ray is not None or timeout is not None):
            raise ValueError("Expected 2 workers or more on a Ray cluster or with a time limit, got 1.")
        self._timeout = None if timeout is None else checked_number("timeout", timeout, above=0)
        self._ray = ray
        self.seed, self.folder, self.progress = checked_seed(seed), folder, progress

    @property
    def config(self) -> TrainConfig | None:
        """Returns how networks are trained; None if an evaluator gives the scores."""
        return None if self._trainer is None else self._trainer.config

    def search(
        self, num_trials: int, max_seconds: float | None = None, *, num_finalists: int | None = None
    ) -> SearchResult:
        """Returns the result of the search.

        Ctrl-C ends it with the best so far.

        Args:
            num_trials: how many architectures are evaluated.
            max_seconds: after that time no further trial begins; the first always does.
            num_finalists: how many of the best architectures are evaluated three times more, to measure the optimism of
                the search; 0 for none. By default 3, but 0 with an evaluator, which is called `num_trials` times then.
                The best one whose new evaluations all succeed is the result's.

        Raises:
            ValueError: on wrong numbers, or if the folder holds the journal of another search. A journal of fewer or
                more trials is continued, unless the strategy asks other architectures for another number of trials.
            RuntimeError: if all trials failed, or the cluster cannot be reached.
        """
        num_trials = checked_size("num_trials", num_trials, 1, MAX_TRIALS, "all of which are kept in memory")
        default = 0 if self.task is None else NUM_FINALISTS
        num_finalists = checked_size("num_finalists", default if num_finalists is None else num_finalists, 0)
        if max_seconds is not None:
            checked_number("max_seconds", max_seconds, above=0)
        description = {} if self.folder is None else self._description(num_trials)
        bench = journaled(self._bench, self.folder, description, self.num_workers)
        with contextlib.ExitStack() as stack:
            if isinstance(bench, Journaled):
                stack.callback(bench.close)
            workers = None
            if self.num_workers > 1:
                processes = self.num_workers if self._ray is None else None  # a cluster sets the number
                where = stack.enter_context(contextlib.closing(executor(self._ray, processes)))
                terms = Terms(trains=self.task is not None, again=False, timeout=self._timeout)
                workers = where.workers(answered, self._bench, self.num_workers, terms)
                stack.callback(workers.close)
            return self._searched(bench, workers, num_trials, max_seconds, num_finalists)

    def _searched(
        self,
        bench: HostBenchmark,
        workers: Workers | None,
        num_trials: int,
        max_seconds: float | None,
        num_finalists: int,
    ) -> SearchResult:
        """Returns the result of the search on a benchmark."""
        if self.objective.weight is not None and self.objective.size is not None:
            bench = penalized(bench, self.objective.weight, self.objective.size)
        finalists: tuple[Finalist, ...] = ()
        with progress_bars(COMPILING if self._trainer else "") if self.progress else contextlib.nullcontext() as bars:
            trials, outcomes, stopped = self._trials(bench, workers, num_trials, max_seconds, bars)
            try:
                if stopped != INTERRUPTED:
                    finalists = self._finalists(bench, workers, trials, outcomes, num_finalists, bars)
            except KeyboardInterrupt:
                stopped = INTERRUPTED
        return SearchResult(
            space=self.space,
            objective=self.objective,
            trials=trials,
            scores=np.asarray([outcome.measured for outcome in outcomes], self._precision),
            failures=tuple(outcome.failure for outcome in outcomes),
            finalists=finalists,
            metric=self._bench.metric,
            trainer=self._trainer,
            stopped=stopped,
            cost_unit=self._bench.cost_unit,
        )

    @property
    def _precision(self) -> type[np.floating]:
        return np.float64 if self.task is None else np.float32

    def _description(self, num_trials: int) -> dict:
        """Returns the settings that the queries of a search depend on, as JSON values."""
        return {
            "objective": self.objective.text,
            "strategy": self.strategy.name,
            "hyperparameters": [[name, repr(value)] for name, value in self.strategy.hyperparameters],
            "num_trials": num_trials,
            "seed": self.seed,
            **({"num_workers": self.num_workers} if self.num_workers > 1 else {}),
        }

    def _trials(
        self,
        bench: HostBenchmark,
        workers: Workers | None,
        num_trials: int,
        max_seconds: float | None,
        bars: Progress | None,
    ) -> tuple[Trials, list[Outcome], str]:
        """Returns the trials, leading axes [1, T], their outcomes, and why there are not all of them."""
        started = time.monotonic()
        loop: AskTell | ParallelAskTell
        outcomes: list[Outcome] = []

        def may_begin() -> bool:
            return max_seconds is None or not outcomes or time.monotonic() - started < max_seconds

        key = run_key(self.seed, 0)
        if workers is None:
            loop = AskTell(self.strategy, num_trials=num_trials, key=key, bench=bench)
            answers = answers_in_turn(loop, bench, num_trials, may_begin)
        else:
            loop = ParallelAskTell(self.strategy, num_trials=num_trials, key=key, bench=bench)
            shared = self._bench, workers, self.num_workers
            answers = parallel_answers(loop, bench, *shared, num_trials, may_begin)
        stopped, show = "", _bar(bars, COMPILING if self._trainer else "searching", num_trials)
        try:
            for outcome in answers:
                outcomes.append(outcome)
                show(len(outcomes), _progress_text(outcomes, self._bench))
            if len(outcomes) < num_trials:
                stopped = f"{max_seconds:g} seconds were over"
        except KeyboardInterrupt:
            if not outcomes:
                raise
            stopped = INTERRUPTED
        trials = jax.tree.map(lambda values: values[None, : len(outcomes)], loop.trials())
        if self.task is None:  # strategies observe float32, in which scores of a function may coincide
            exact = np.asarray([[outcome.measured for outcome in outcomes]], self._precision)
            trials = trials._replace(observation=trials.observation._replace(score=exact))
        if np.isnan(trials.observation.score).all():
            count = len(outcomes)
            raise RuntimeError(f"{count} of {count} trials failed; first error: {outcomes[0].failure}")
        cost = trials.observation.cost
        if isinstance(loop, ParallelAskTell):
            cost = paid_when_begun(trials, cost, loop.begun[: len(outcomes)], trainings_of(bench))
        else:
            cost = paid_costs(trials, cost, trainings=trainings_of(bench))
        return trials._replace(observation=trials.observation._replace(cost=cost)), outcomes, stopped

    def _finalists(
        self,
        bench: HostBenchmark,
        workers: Workers | None,
        trials: Trials,
        outcomes: list[Outcome],
        num_finalists: int,
        bars: Progress | None,
    ) -> tuple[Finalist, ...]:
        """Returns the best architectures with scores that no trial saw; last those that failed when evaluated again.

        Of equal scores in the search the better mean comes first, and of equal means the smaller network.
        """
        best = _best_trials(self.space, trials, num_finalists)
        show = _bar(bars, "evaluating the best again", len(best) * NUM_FRESH)
        archs = [np.asarray(trials.query.arch)[0, number] for number in best]
        if workers is None:
            fresh = fresh_scores_in_turn(bench, archs, NUM_FRESH, show)
        else:
            fresh = parallel_fresh_scores(bench, workers, archs, NUM_FRESH, show)
        finalists: list[Finalist] = []
        for number, arch, scores in zip(best, archs, fresh, strict=True):
            outcome = outcomes[number]
            penalty = float(outcome.measured - outcome.observation.score)
            finalists.append(Finalist(number, arch, float(outcome.measured), penalty, scores))
        told = np.asarray(trials.observation.score)[0]

        def place(each: Finalist) -> tuple[bool, float, float, int]:
            size = 0 if self._trainer is None else self._trainer.size(each.arch).num_parameters
            failed = bool(np.isnan(each.fresh).any())
            return failed, -told[each.trial], 0.0 if failed else each.penalty - each.mean, size

        return tuple(sorted(finalists, key=place))


def task_of(task: Task | str | os.PathLike | tuple | list, space: Space | None = None) -> Task:
    """Returns the task of a Task, a name, a path of an `.npz` file, or data (X, y). Raises ValueError otherwise.

    Args:
        space: whose kind decides how numbers are read if they are ambiguous.
    """
    if isinstance(task, Task):
        return task
    if isinstance(task, str | os.PathLike):
        return task_named(os.fspath(task))
    if isinstance(task, tuple | list) and len(task) == 2:
        return task_from_arrays(*task, kind=None if space is None else kind_for(space, task[0]))
    raise ValueError(
        f"Expected a task: a Task, a name, a path of an .npz file, or arrays (X, y), got {type(task).__name__}."
    )


def _trainer_of(space: Space, task: Task, config: TrainConfig | None, num_epochs: int | None) -> Trainer:
    if not isinstance(config, TrainConfig | None):
        raise ValueError(f"Expected a TrainConfig, got {type(config).__name__}.")
    if num_epochs is not None:
        checked_size("num_epochs", num_epochs)
    return Trainer(space, task, config, num_epochs=num_epochs)


def _training_bench(
    space: Space,
    task: Task,
    config: TrainConfig | Mapping[str, TrainConfig] | None,
    num_epochs: int | None,
    order: Sequence[str] | None,
) -> TrainingBenchmark:
    if not isinstance(config, Mapping):
        return TrainingBenchmark(_trainer_of(space, task, config, num_epochs), order=order)
    trainers = {name: _trainer_of(space, task, each, num_epochs) for name, each in config.items()}
    return TrainingBenchmark(trainers, order=order)


def _evaluator_bench(space: Space, evaluator: Callable[[dict], float] | None, training: object) -> EvaluatorBenchmark:
    if training is not None:
        raise ValueError(
            "Expected no config, num_epochs or order with an evaluator, which trains as it likes, got one."
        )
    return EvaluatorBenchmark(space, checked_function("evaluator", evaluator))


def _strategy_of(strategy: str | Callable[..., Strategy] | Strategy, bench: HostBenchmark, size: str) -> Strategy:
    if isinstance(strategy, Strategy):
        return strategy
    factory = strategy_named(strategy) if isinstance(strategy, str) else strategy
    return make(factory, bench, size)


def _best_trials(space: Space, trials: Trials, count: int) -> list[int]:
    """Returns the numbers of the best trials, best first, of different classes, at the incumbent's fidelity."""
    best = int(incumbents(trials)[0, -1])
    scores, fidelity = np.asarray(trials.observation.score)[0], np.asarray(trials.query.fidelity)[0]
    eligible = np.isfinite(scores) & (fidelity == fidelity[best])
    first: dict[bytes, int] = {}
    for number in np.argsort(-scores, kind="stable"):
        if eligible[number]:
            first.setdefault(np.asarray(space.canonical(trials.query.arch[0, number])).tobytes(), int(number))
    return list(first.values())[:count]


def _bar(bars: Progress | None, description: str, total: int) -> Callable[[int, str], None]:
    """Returns a function of the number done and a string that moves a new bar; without bars it does nothing."""
    if bars is None:
        return lambda done, text: None
    bar = bars.add_task(description, total=total)
    return lambda done, text: bars.update(bar, completed=done, description=text or description)


def _progress_text(outcomes: list[Outcome], bench: HostBenchmark) -> str:
    scores = [outcome.measured for outcome in outcomes if not outcome.failure]
    if not scores:
        return "searching, all failed so far"
    return f"searching, best {with_unit(float(max(scores)), bench.metric)}"
