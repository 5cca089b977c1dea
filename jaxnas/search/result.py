"""The result of a search."""

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats

from jaxnas.analysis.incumbent import incumbents
from jaxnas.benchmarks.penalized import Objective
from jaxnas.report.units import gap_with_unit, with_unit
from jaxnas.simulation.trials import Trials
from jaxnas.spaces.base import Space
from jaxnas.tasks.base import Task
from jaxnas.tasks.metrics import Metric
from jaxnas.training.config import TrainConfig
from jaxnas.training.fitted import FittedModel
from jaxnas.training.networks import Size
from jaxnas.training.trainer import Trainer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LEVEL = 0.95
NUM_ATTEMPTS = 3
"""Seeds that a final training tries where it diverges."""


class Finalist(NamedTuple):
    """One of the best architectures of a search, evaluated again independently of it.

    `trial` is the number of its trial, `score` its score there, `penalty` the weighted size of the objective, and
    `fresh` are the scores of the new evaluations, float64[S], NaN if one failed.
    """

    trial: int
    arch: np.ndarray
    score: float
    penalty: float
    fresh: np.ndarray

    @property
    def mean(self) -> float:
        """Returns the mean of the new evaluations that did not fail, NaN without any."""
        return float(np.nanmean(self.fresh)) if np.isfinite(self.fresh).any() else np.nan


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult:
    """The result of a search; `print` describes it in words.

    Attributes:
        space, objective: as the search was given them.
        trials: all queries and observations, leading axes [1, T]. Scores are by the objective.
        scores: of the trials before the objective takes a weighted size off them, float32[T].
        failures: why a trial failed, or an empty string, [T].
        finalists: the best architecture first, then the next ones by their scores in the search, and equal ones by
            the means of their new evaluations, then by size.
        metric: of the scores.
        trainer: the space, task and recipe of trainings on all data; None if a user-defined function gave the scores.
        stopped: why the search ended before its last trial; empty if it did not.
        cost_unit: of the costs of trials.
    """

    space: Space
    objective: Objective
    trials: Trials
    scores: np.ndarray
    failures: tuple[str, ...]
    finalists: tuple[Finalist, ...]
    metric: Metric
    trainer: Trainer | None
    stopped: str = ""
    cost_unit: str = "epochs"

    @property
    def task(self) -> Task | None:
        """Returns the task that was searched on; None for a user-defined function."""
        return None if self.trainer is None else self.trainer.task

    @property
    def config(self) -> TrainConfig | None:
        """Returns how networks were trained; None for a user-defined function."""
        return None if self.trainer is None else self.trainer.config

    @functools.cached_property
    def best_trial(self) -> int:
        """Returns the number of the trial of the best architecture: the first of the best score.

        If the best were evaluated again, it is the first of `finalists`.
        """
        return self.finalists[0].trial if self.finalists else int(incumbents(self.trials)[0, -1])

    @property
    def num_evaluations(self) -> int:
        """Returns the number of evaluations: the trials, and the evaluations of the finalists after them."""
        return len(self.scores) + sum(len(each.fresh) for each in self.finalists)

    @property
    def arch(self) -> np.ndarray:
        """Returns the best architecture, int32[D]."""
        return np.asarray(self.trials.query.arch)[0, self.best_trial]

    @property
    def architecture(self) -> dict:
        """Returns the best architecture as readable values."""
        return self.space.decode(self.arch)

    @property
    def score(self) -> float:
        """Returns the score of the best architecture by the objective, on validation data."""
        return float(self.trials.observation.score[0, self.best_trial])

    @property
    def accuracy(self) -> float:
        """Returns the measured score of the best architecture, of classes the validation accuracy.

        Larger is better: of a metric that should be small it is the negative.
        """
        return float(self.scores[self.best_trial])

    @property
    def size(self) -> Size | None:
        """Returns the size of the best architecture's network, or None if sizes are unknown."""
        return None if self.trainer is None else self.trainer.size(self.arch)

    @property
    def optimism(self) -> float:
        """Returns how much better the best architecture scored in the search than in fresh evaluations.

        The maximum over many noisy scores is biased upwards. NaN if nothing was evaluated again.
        """
        return self.accuracy - self.finalists[0].mean if self.finalists else np.nan

    @functools.cached_property
    def history(self) -> "pd.DataFrame":
        """Returns the trials as a pandas frame, one row each: score, size, cost and failure, then the decisions."""
        import pandas as pd

        query, observation = self.trials.query, self.trials.observation
        columns: dict[str, Any] = {"score": observation.score[0]}
        if self.task is not None:
            measured = {self.metric.name: self.metric.better * self.scores}
            columns |= {**measured, "epochs": observation.cost[0], "seed": observation.seed[0]}
        if self.trainer is not None:
            sizes = [self.trainer.size(arch) for arch in query.arch[0]]
            columns |= {"parameters": [size.num_parameters for size in sizes]}
            columns |= {"flops": [size.num_flops for size in sizes]}
        columns["failure"] = self.failures
        decisions = pd.DataFrame([self.space.decode(arch) for arch in query.arch[0]])
        decisions = decisions.rename(columns={name: f"decision {name}" for name in columns})
        return pd.concat([pd.DataFrame(columns), decisions], axis=1).rename_axis("trial")

    def plot(self) -> "Figure":
        """Returns a Matplotlib figure of the scores over the trials.

        If the objective has a size, a second panel shows score against size of all trials.
        """
        from jaxnas.report.figures.curves import tried

        measure = self.metric.name if self.task else "score"
        return tried(self.history, self.best_trial, self.objective.size, measure)

    def train(
        self, *, num_epochs: int | None = None, seed: int | None = None, with_validation: bool = True
    ) -> FittedModel:
        """Returns the best architecture, trained on the task's training and validation data.

        Args:
            num_epochs: by default as in the search.
            seed: by default the search's, or with a warning one of the next two if a training diverges.
            with_validation: False trains on the training data alone, by default the very network that was found.

        Raises:
            ValueError: if an evaluator gave the scores, so there is nothing to train on.
            RuntimeError: if all trainings diverged.
        """
        if self.task is None:
            raise ValueError("Expected a search on a task to train on, got one with an evaluator.")
        first = int(self.trials.observation.seed[0, self.best_trial])
        task = self.task.without_validation() if with_validation else self.task
        trainer = Trainer(self.space, task, self.config, num_epochs=num_epochs)
        return fitted(trainer, self.arch, range(first, first + NUM_ATTEMPTS) if seed is None else [seed])

    def _repr_html_(self) -> str:
        """Returns the HTML for a notebook: the result and its drawing."""
        return f"<pre>{escape(repr(self))}</pre>{self.space.drawing(self.arch)}"

    def __repr__(self) -> str:
        return "\n".join([*self._found_lines(), *self._noise_lines()])

    def _found_lines(self) -> list[str]:
        num_trials, num_failed = len(self.scores), sum(map(bool, self.failures))
        failed = f", {num_failed} of them failed" if num_failed else ""
        lines = [f"best of {num_trials} trials{failed}: {self._text(self.accuracy)} in trial {self.best_trial}"]
        if self.objective.weight is not None:
            lines.append(f"{self.objective.text}: {self.score:.4f}")
        lines.append(f"architecture {self.space.to_str(_without_absent(self.space, self.arch))}")
        lines += [f"  {name:13} {value}" for name, value in self.architecture.items()]
        if self.size is not None:
            lines.append(f"parameters {self.size.num_parameters:,}, FLOPs {self.size.num_flops:,}")
        if num_failed:
            last = max(number for number, failure in enumerate(self.failures) if failure)
            lines.append(f"trial {last} failed: {self.failures[last].splitlines()[0]}")
        return lines + ([f"stopped early: {self.stopped}"] if self.stopped else [])

    def _text(self, score: float) -> str:
        what = self.metric.name if self.task is None else f"validation {self.metric.name}"
        return f"{what} {with_unit(score, self.metric)}"

    def _difference(self, value: float) -> str:
        return gap_with_unit(value, self.metric)

    def _noise_lines(self) -> list[str]:
        calls = [f"calls of the evaluator: {self.num_evaluations}"] if self.task is None else []
        if not self.finalists:
            return ["not evaluated again: how much of the score is luck is not known", *calls]
        return [*self._finalist_lines(), *calls]

    def _finalist_lines(self) -> list[str]:
        best, *others = self.finalists
        what = "evaluated" if self.task is None else "trained"
        again = f"{what} {len(best.fresh)} times more"
        if np.isnan(best.mean):
            return [f"{again}, the best architecture failed: do not rely on it"]
        lines = [f"{again}, not seen by the search: {self._text(best.mean)} on average"]
        lines.append(_optimism_text(self.optimism, self._difference(abs(self.optimism))))
        others = [each for each in others if np.isfinite(each.mean)]
        if not others:
            return lines
        rival = max(others, key=lambda each: each.mean - each.penalty)
        lead = best.mean - best.penalty - (rival.mean - rival.penalty)
        noise = _noise(self.finalists, len(best.fresh))
        return [*lines, f"the runner-up, trial {rival.trial}, {_lead_text(lead, noise, self._difference)}"]


def fitted(trainer: Trainer, arch: np.ndarray, seeds: Sequence[int]) -> FittedModel:
    """Returns an architecture trained with the first of the seeds; with a warning, with the next one if it diverges.

    Raises RuntimeError if the training with the last seed diverges.
    """
    for attempt in seeds[:-1]:
        try:
            return trainer.fit(arch, attempt)
        except FloatingPointError as error:
            warnings.warn(f"{error} Trying seed {attempt + 1}.", RuntimeWarning, stacklevel=3)
    try:
        return trainer.fit(arch, seeds[-1])
    except FloatingPointError as error:
        raise RuntimeError(str(error)) from error


def _without_absent(space: Space, arch: np.ndarray) -> np.ndarray:
    """Returns the representative of an architecture's class if it reads the same: no widths of absent layers."""
    representative = np.asarray(space.canonical(arch))
    return representative if space.decode(representative) == space.decode(arch) else arch


def _optimism_text(optimism: float, difference: str) -> str:
    if optimism <= 0:
        return "so the search was not optimistic"
    return f"the search score was optimistic by {difference}: the maximum over many noisy trials is biased upwards"


def _lead_text(lead: float, noise: float, text: Callable) -> str:
    if lead == 0:
        return "is as good"
    if abs(lead) <= noise:
        return f"is within noise: {text(abs(lead))} apart, where up to {text(noise)} can be chance"
    chance = f"more than the {text(noise)} that can be chance" if noise else "and the scores are without noise"
    if lead > 0:
        return f"is worse by {text(lead)}, {chance}"
    return f"is better by {text(-lead)}, {chance}: prefer it"


def _noise(finalists: tuple[Finalist, ...], num_fresh: int) -> float:
    """Returns how far two finalists' means can be apart by chance: the half-width of Student's 95 % interval.

    The variance of one evaluation is pooled over the finalists. Infinite with too few evaluations.
    """
    fresh = [each.fresh[np.isfinite(each.fresh)] for each in finalists]
    variances = [np.var(each, ddof=1) if np.ptp(each) else 0 for each in fresh if len(each) > 1]
    freedom = sum(max(np.isfinite(each.fresh).sum() - 1, 0) for each in finalists)
    if not variances:
        return np.inf
    quantile = stats.t.ppf((1 + LEVEL) / 2, freedom)
    return float(quantile * np.sqrt(2 * np.mean(variances) / num_fresh))
