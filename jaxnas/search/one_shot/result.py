"""The result of a one-shot search."""

from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from jaxnas.report.units import gap_with_unit, with_unit
from jaxnas.search.one_shot.base import Method
from jaxnas.search.one_shot.supernet import Supernet
from jaxnas.search.one_shot.table_regrets import TableRegrets
from jaxnas.search.result import NUM_ATTEMPTS, fitted
from jaxnas.spaces.base import Space
from jaxnas.training.fitted import FittedModel
from jaxnas.training.trainer import Trainer

SPLIT = "weights on training, alpha and choice on validation"


class Run(NamedTuple):
    """One search of a method, R records over its steps.

    Attributes:
        seed: of the search.
        arch: the architecture that it ends with, int32[D].
        score: that architecture's by the supernet, on validation data.
        steps: after which records were made, int64[R].
        losses: means since the record before, of the weights and of alpha, float32[R, 2]; NaN for alpha without one.
        probabilities: of the choices, float32[R, E, K].
        archs: the most probable choices, int32[R, E]; they mean nothing for methods without alpha.
        supernet: with the parameters after the last step.
    """

    seed: int
    arch: np.ndarray
    score: float
    steps: np.ndarray
    losses: np.ndarray
    probabilities: np.ndarray
    archs: np.ndarray
    supernet: Supernet


@dataclass(frozen=True, eq=False, repr=False)
class OneShotResult:
    """The result of a one-shot search; `print` describes it in words.

    Attributes:
        method, num_steps: as searched.
        runs: one for each seed; `arch` and `train` are of the first, so nothing is chosen among them.
        trainer: space, task and the recipe of `train`.
        num_trainings: the cost of one search, in full trainings of a random architecture.
        by_table: how good the result is by a complete table; None without one.
    """

    method: Method
    num_steps: int
    runs: tuple[Run, ...]
    trainer: Trainer
    num_trainings: float
    by_table: TableRegrets | None = None

    @property
    def space(self) -> Space:
        """Returns the search space."""
        return self.trainer.space

    @property
    def arch(self) -> np.ndarray:
        """Returns the architecture of the first run, int32[D]."""
        return self.runs[0].arch

    @property
    def architecture(self) -> dict:
        """Returns the architecture of the first run as readable values."""
        return self.space.decode(self.arch)

    @property
    def supernets(self) -> tuple[Supernet, ...]:
        """Returns the trained supernets, one for each run."""
        return tuple(run.supernet for run in self.runs)

    @property
    def num_distinct(self) -> int:
        """Returns how many different classes the runs found."""
        return len({np.asarray(self.space.canonical(run.arch)).tobytes() for run in self.runs})

    def parameter_free(self) -> np.ndarray | None:
        """Returns how many edges of the most probable cell have an operation without parameters, int64[S, R + 1].

        The last column is of the cell that was taken. None for spaces without edges, or methods without alpha.
        """
        operations = getattr(self.space, "operations", None)
        if operations is None or self.method.hypergradient is None:
            return None
        free = np.asarray([operation.init is None for operation in operations])
        return np.stack([np.append(free[run.archs].sum(-1), free[run.arch].sum()) for run in self.runs])

    def train(self, run: int = 0, *, num_epochs: int | None = None, seed: int = 0) -> FittedModel:
        """Returns the architecture of a run as a separate network, trained on the task from new initial weights.

        Args:
            run: its number, from 0.
            num_epochs: by default as in the recipe.
            seed: of the training; with a warning the next one is tried if it diverges.

        Raises:
            ValueError: on a run that does not exist.
            RuntimeError: if all trainings diverged.
        """
        if not 0 <= run < len(self.runs):
            raise ValueError(f"Expected a run from 0 to {len(self.runs) - 1}, got {run}.")
        task = self.trainer.task.without_validation()
        trainer = Trainer(self.space, task, self.trainer.config, num_epochs=num_epochs)
        return fitted(trainer, self.runs[run].arch, range(seed, seed + NUM_ATTEMPTS))

    def _repr_html_(self) -> str:
        """Returns the HTML for a notebook: the result and its drawing."""
        return f"<pre>{escape(repr(self))}</pre>{self.space.drawing(self.arch)}"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Returns the result in sentences."""
        metric, count = self.trainer.task.metric, len(self.runs)
        lines = [f"{self.method.name} found {self.space.to_str(self.arch)} in {self.num_steps:,} steps"]
        score = with_unit(self.runs[0].score, metric)
        lines.append(f"validation {metric.name} by the supernet {score}: not comparable with a trained network's")
        if count > 1:
            lines.append(f"{count} seeds found {self.num_distinct} different architecture(s)")
        free = self.parameter_free()
        if free is not None:
            lines.append(
                f"edges without parameters: {free[:, 0].mean():.1f} of {len(self.arch)} at the first record, "
                f"{free[:, -1].mean():.1f} in what was found"
            )
        lines.append(f"cost: that of {self.num_trainings:.1f} full trainings each")
        return lines + ([] if self.by_table is None else self._regret_lines(self.by_table))

    def _regret_lines(self, by_table: TableRegrets) -> list[str]:
        metric = self.trainer.task.metric

        def text(value: float) -> str:
            return gap_with_unit(value, metric)

        values, mean = by_table.regrets, float(np.mean(by_table.regrets))
        spread = "" if len(values) == 1 else f" on average, {text(values.min())} to {text(values.max())}"
        others = f"median architecture {text(by_table.median_regret)}, random search with {by_table.num_trainings} "
        others += f"trainings {text(by_table.random_regret)}"
        better = [
            f"{'better' if mean < value else 'not better'} than {name}"
            for name, value in (
                ("the median architecture", by_table.median_regret),
                ("random search at equal cost", by_table.random_regret),
            )
        ]
        by = "" if len(values) == 1 else ", by the mean of its searches"
        verdict = f"{self.method.name} is {' and '.join(better)}{by}"
        return [f"regret by {by_table.table}: {text(mean)}{spread}; {others}", verdict]
