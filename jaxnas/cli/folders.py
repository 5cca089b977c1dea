"""Folders that commands write to, and files that they read."""

import tempfile
from pathlib import Path


def writable(folder: Path) -> Path:
    """Returns the folder, made if need be. Raises ValueError where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(f"Expected a folder to write into, got {folder}: {error.strerror or error}.") from None


def task_name_of(task: str, label: str | None) -> str:
    """Returns the name of a task in the catalog, given the options `--task` and `--label`."""
    if label is None:
        return task
    if not task.lower().endswith((".csv", ".parquet")):
        raise ValueError(f"Expected --label with a file.csv or file.parquet, got the task {task!r}.")
    return f"{task}:{label}"
