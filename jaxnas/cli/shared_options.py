"""Options that several commands read, and lines that several print."""

from typing import TYPE_CHECKING

from jaxnas.report import units
from jaxnas.tasks.base import SPLITS, Task

if TYPE_CHECKING:
    from jaxnas.training.fitted import FittedModel


def task_name_of(task: str, label: str | None) -> str:
    """Returns the name of a task in the catalog, given the options `--task` and `--label`."""
    if label is None:
        return task
    if not task.lower().endswith((".csv", ".parquet")):
        raise ValueError(f"Expected --label with a file.csv or file.parquet, got the task {task!r}.")
    return f"{task}:{label}"


def names_in(text: str | None) -> list[str]:
    """Returns the names in a string with commas between."""
    return [name for name in (text or "").split(",") if name]


def scores_text(model: "FittedModel", task: Task) -> str:
    """Returns the scores of a model on the splits of its task."""
    splits = [split for split in SPLITS if getattr(task, split).num_examples]
    scores = ", ".join(f"{split} {units.with_unit(model.score(split), task.metric)}" for split in splits)
    return f"{task.metric.name} {scores}"
