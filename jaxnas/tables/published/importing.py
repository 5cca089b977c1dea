"""Published benchmarks, from their own files into tables."""

import os
from collections.abc import Callable
from pathlib import Path

from jaxnas.files import OUT, out_path, writable
from jaxnas.tables.overwriting import check_table_replaceable
from jaxnas.tables.published.named import importer_named
from jaxnas.tables.table import write


def import_table(
    name: str,
    path: str | os.PathLike,
    *,
    out: str | os.PathLike | None = None,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> list[Path]:
    """Returns the folders of the tables of a published benchmark, after reading its own file and writing them.

    Args:
        name: of an importer, or `file.py:NAME`.
        path: the benchmark's own file or folder.
        out: for a folder per table, named by its identifier; by default each is `jaxnas-out/import-<identifier>`.
        progress: called with the name of a file or folder, the number of parts done, and the number in all.

    Raises ValueError on an unknown name, a file that is not there or cannot be read, or a folder of something else.
    """
    read = importer_named(name)
    path = Path(path)
    if not path.exists():
        raise ValueError(f"Expected a file or a folder, got {path}, which is not there.")
    parent = writable(Path(out) if out else OUT)
    folders = []
    for imported in read(path, parent / f".{name.rpartition(':')[2]}.partial", progress):
        folder = parent / imported.table.id if out else out_path(None, "import", imported.table.id)
        check_table_replaceable(folder, imported.table)
        write(imported.table, folder, imported.card)
        folders.append(folder)
    return folders
