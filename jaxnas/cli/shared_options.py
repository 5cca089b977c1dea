"""Options that several commands read."""


def task_name_of(task: str, label: str | None) -> str:
    """Returns the name of a task in the catalog, given the options `--task` and `--label`."""
    if label is None:
        return task
    if not task.lower().endswith((".csv", ".parquet")):
        raise ValueError(f"Expected --label with a file.csv or file.parquet, got the task {task!r}.")
    return f"{task}:{label}"


def names_in(text: str | None) -> list[str]:
    """Returns the names in a text with commas between."""
    return [name for name in (text or "").split(",") if name]
