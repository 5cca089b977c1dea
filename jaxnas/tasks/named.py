"""Tasks by name."""

from jaxnas import catalog
from jaxnas.tasks.base import Task
from jaxnas.tasks.files import is_file, task_from_file
from jaxnas.tasks.fresh import fresh_task_named


def task_named(name: str) -> Task:
    """Returns the `Task` of a name, of `file.py:NAME` (a Task or a function that returns one), or of a data file.

    An `.npz` file holds arrays `X`, `y` and optionally `split`; a `.csv` or `.parquet` file holds features and, in its
    last column or in `file.csv:NAME`, the label (see `jaxnas.tasks.files`). `fresh-7` is a task made by the seed 7, see
    `jaxnas.tasks.fresh`. Raises ValueError on an unknown name.
    """
    if isinstance(name, str) and (made := fresh_task_named(name)) is not None:
        return made
    if isinstance(name, str) and name not in catalog.TASKS and is_file(name):
        return task_from_file(name)
    found = catalog.found("a task", name, catalog.TASKS)
    found = found() if callable(found) else found
    if not all(hasattr(found, attribute) for attribute in ("train", "validation", "test", "num_classes", "sha256")):
        raise ValueError(f"Expected {name} to be a task, got {type(found).__name__}.")
    return found
