"""Checks that others can run: tables and surrogates."""

import os

from jaxnas.benchmarks import surrogate_files
from jaxnas.spaces.base import Space
from jaxnas.tables.building import verification
from jaxnas.tables.building.verification import Check
from jaxnas.tasks.base import Task


def verify(
    table: str | os.PathLike, *, sample: int = 0, space: Space | str | None = None, task: Task | str | None = None
) -> list[Check]:
    """Returns the checks of a table: of its files against its hashes, and of a sample of classes by training again.

    Args:
        table: an identifier or a folder, also of a surrogate, of which files and arrays are checked.
        sample: how many classes to train again, on one core; none if the files fail their check.
        space, task: of the table, or their names, if the catalog has none of the names in the table.

    Raises ValueError if there is no such table, it was not trained here, or a sample of a surrogate
    is asked for.
    """
    if not surrogate_files.is_surrogate(table):
        return verification.verify(table, sample=sample, space=space, task=task)
    if sample:
        raise ValueError(f"Expected no sample of a surrogate, which has no trainings, got {sample} of {table}.")
    folder = surrogate_files.folder_of(table)
    try:
        surrogate_files.read_files(folder)
    except ValueError as error:
        return [Check(False, str(error))]
    return [Check(True, f"{folder.name}: files and arrays are those that the manifest names.")]
