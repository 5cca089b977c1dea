"""The files that a one-shot search writes to a folder: a page, its numbers, a drawing, and the trained model."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.provenance import versions
from jaxnas.report.comparison_files import write_search
from jaxnas.report.result_folder import ONE_SHOT
from jaxnas.search.one_shot.result import SPLIT, OneShotResult, Run
from jaxnas.tasks.base import SPLITS
from jaxnas.training.fitted import FittedModel

DIGITS = 5


def write(
    folder: str | os.PathLike, result: OneShotResult, model: FittedModel | None = None, command: str = ""
) -> Path:
    """Returns the path of report.html, after writing it, summary.json and a drawing to a folder.

    Args:
        folder: where to; files of an earlier search are replaced, others left alone.
        model: the architecture of its first run, trained; it is saved in the folder `model`.
        command: the command line that made it.

    Raises ValueError if the folder has a file of such a name that no search wrote.
    """
    if model is not None:
        model.save(Path(folder) / "model")
    files = {"found.svg": result.space.drawing(result.arch).encode()}
    return write_search(folder, summary_of(result, model, command), files)


def summary_of(result: OneShotResult, model: FittedModel | None = None, command: str = "") -> dict[str, Any]:
    """Returns the dictionary of the `summary.json` of a one-shot search. Arguments as of `write`."""
    task, by_table = result.trainer.task, result.by_table
    free = result.parameter_free()
    return {
        "kind": ONE_SHOT,
        "space": result.space.name,
        "task": task.name,
        "task_hash": task.sha256,
        "method": result.method.name,
        "hyperparameters": {name: _plain(value) for name, value in result.method.hyperparameters},
        "recipe": {name: _plain(value) for name, value in result.method.recipe._asdict().items()},
        "split": SPLIT,
        "metric": task.metric._asdict(),
        "num_steps": result.num_steps,
        "num_trainings": float(result.num_trainings),
        "steps": result.runs[0].steps.tolist(),
        "decisions": [
            {"name": str(decision.name), "values": [str(value) for value in decision.values]}
            for decision in result.space.decisions
        ],
        "findings": result.lines(),
        "runs": [
            _run(
                result,
                run,
                None if by_table is None else float(by_table.regrets[number]),
                None if free is None else free[number].tolist(),
            )
            for number, run in enumerate(result.runs)
        ],
        "reference": None
        if by_table is None
        else {
            "table": by_table.table,
            "median_regret": by_table.median_regret,
            "random_regret": by_table.random_regret,
            "num_trainings": by_table.num_trainings,
        },
        "training": None
        if model is None
        else {split: model.score(split) for split in SPLITS if getattr(model.task, split).num_examples},
        "versions": versions(),
        "command": command,
    }


def _run(result: OneShotResult, run: Run, regret: float | None, free: list[int] | None) -> dict[str, Any]:
    has_alpha = result.method.hypergradient is not None
    return {
        "seed": run.seed,
        "architecture": result.space.to_str(run.arch),
        "drawing": result.space.drawing(run.arch),
        "score": run.score,
        "regret": None if regret is None or not math.isfinite(regret) else regret,
        "losses": _rounded(run.losses[:, 0]),
        "alpha_losses": _rounded(run.losses[:, 1]) if has_alpha else None,
        "probabilities": _rounded(run.probabilities) if has_alpha else None,
        "parameter_free": free,
    }


def _rounded(values: np.ndarray) -> list:
    return np.round(values.astype(np.float64), DIGITS).tolist()


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
