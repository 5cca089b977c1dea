"""Importers by name."""

from collections.abc import Callable, Iterator

from jaxnas import catalog
from jaxnas.tables.published.cards import Imported


def importer_named(name: str) -> Callable[..., Iterator[Imported]]:
    """Returns the function `(path, work, progress) -> Iterator[Imported]` of a name, or of `file.py:NAME`.

    `work` is a folder for partial results; `progress` is called with the progress of reading.

    Raises ValueError on an unknown name.
    """
    found = catalog.found("an importer", name, catalog.IMPORTERS)
    if not callable(found):
        raise ValueError(f"Expected {name} to be a function that reads a file, got {type(found).__name__}.")
    return found
