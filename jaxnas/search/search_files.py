"""The files that a search writes to a folder: a page, its numbers, its trials, figures, and the trained model."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.provenance import versions
from jaxnas.report.comparison_files import write_search
from jaxnas.report.figures.explanation import decision_values
from jaxnas.report.figures.style import svg
from jaxnas.report.result_folder import SEARCH
from jaxnas.report.sentences import readable
from jaxnas.report.tables import csv_cell
from jaxnas.search.explaining import explanation_of
from jaxnas.search.result import SearchResult
from jaxnas.strategies.base import Strategy
from jaxnas.tasks.base import SPLITS, Task
from jaxnas.training.fitted import FittedModel

_SHOWN_BELOW = ("  ", "architecture ", "parameters ")
"""How lines of a result begin whose content the page shows in another place."""


def write(
    folder: str | os.PathLike,
    result: SearchResult,
    strategy: Strategy,
    seed: int,
    model: FittedModel | None = None,
    command: str = "",
) -> Path:
    """Returns the path of report.html, after writing it, summary.json, history.csv and two drawings to a folder.

    Args:
        folder: where to; files of an earlier search are replaced, others left alone.
        result, strategy, seed: of the search, which was on a task.
        model: the best architecture, trained; it is saved in the folder `model`.
        command: the command line that made it.

    Raises ValueError if the folder has a file of such a name that no search wrote.
    """
    if model is not None:
        model.save(Path(folder) / "model")
    files = {
        "history.csv": _history(result).encode(),
        "search.svg": svg(result.plot()).encode(),
        "best.svg": result.space.drawing(result.arch).encode(),
    }
    summary = summary_of(result, strategy, seed, model, command)
    if summary["explanation"] is not None:
        files["explanation.svg"] = svg(decision_values(summary)).encode()
    return write_search(folder, summary, files)


def summary_of(
    result: SearchResult, strategy: Strategy, seed: int, model: FittedModel | None = None, command: str = ""
) -> dict[str, Any]:
    """Returns the dictionary of the `summary.json` of a search on a task. Arguments as of `write`."""
    task, config = result.task, result.config
    if task is None or config is None:
        raise ValueError("Expected a search on a task to write the page of, got one with an evaluator.")
    optimism = result.optimism
    return {
        "kind": SEARCH,
        "space": result.space.name,
        "task": task.name,
        "task_hash": task.sha256,
        "strategy": strategy.name,
        "hyperparameters": dict(strategy.hyperparameters),
        "objective": result.objective.text,
        "metric": result.metric._asdict(),
        "cost_unit": result.cost_unit,
        "num_epochs": config.num_epochs,
        "seed": seed,
        "stopped": result.stopped,
        "findings": [line for line in repr(result).splitlines() if not line.startswith(_SHOWN_BELOW)],
        "best": result.best_trial,
        "decisions": {str(name): readable(value) for name, value in result.architecture.items()},
        "drawing": result.space.drawing(result.arch),
        "trials": _trials(result),
        "finalists": [
            {
                "trial": each.trial,
                "architecture": result.space.to_str(each.arch),
                "score": each.score,
                "fresh": [_number(value) for value in each.fresh],
            }
            for each in result.finalists
        ],
        "optimism": _number(optimism),
        "explanation": explanation_of(result),
        "training": None if model is None else _training(model),
        "versions": versions(),
        "command": command,
    }


def _trials(result: SearchResult) -> list[dict[str, Any]]:
    sizes = [name for name in ("parameters", "flops") if name in result.history]
    rows = result.history.to_dict("records")
    return [
        {
            "architecture": result.space.to_str(arch),
            "score": _number(row["score"]),
            "measured": _number(measured),
            "cost": float(cost),
            "failure": row["failure"],
            **{name: int(row[name]) for name in sizes},
        }
        for arch, row, measured, cost in zip(
            np.asarray(result.trials.query.arch)[0],
            rows,
            result.scores,
            np.asarray(result.trials.observation.cost)[0],
            strict=True,
        )
    ]


def _training(model: FittedModel) -> dict[str, Any] | None:
    """Returns how the model learned: its score on training and test data after each epoch, and in the end."""
    curves, task = model.curves, model.task
    if curves is None or not isinstance(task, Task):
        return None
    splits = [split for split in SPLITS if getattr(task, split).num_examples]
    # In an epoch each training example is seen in one view, others are evaluated in all.
    counted = {split: getattr(task, split).num_examples for split in splits} | {"train": task.train.inputs.shape[1]}
    scores = {split: curves.scores(split, counted[split], task.metric) for split in splits}
    found = {split: [_number(value) for value in values] for split, values in scores.items() if split != "validation"}
    return found | {"scores": {split: model.score(split) for split in splits}}


def _number(value: float) -> float | None:
    """Returns a number as JSON holds it, None for none."""
    return float(value) if math.isfinite(value) else None


def _history(result: SearchResult) -> str:
    frame = result.history.rename(columns=csv_cell)
    return frame.map(csv_cell).to_csv()
