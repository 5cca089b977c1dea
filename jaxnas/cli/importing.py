"""`jaxnas import`: a published benchmark's own file into tables."""

import argparse

from jaxnas.progress import progress_bars
from jaxnas.tables.manifest import upgraded
from jaxnas.tables.published.importing import import_table
from jaxnas.tables.table import Table


def run(options: argparse.Namespace) -> int:
    """Reads the file and writes its tables, each into a folder of its identifier. Returns the exit code."""
    with progress_bars() as bars:
        bar = bars.add_task("", total=None)

        def progress(name: str, done: int, total: int) -> None:
            bars.update(bar, description=name, completed=done, total=total)

        folders = import_table(options.name, options.path, out=options.out, progress=progress)
    for folder in folders:
        print(f"{folder}: {_described(Table.read(folder))}")
    return 0


def _described(table: Table) -> str:
    """Returns a line that describes a table."""
    if upgraded(table.manifest)["kind"] == "columns":
        return f"a column pack of {', '.join(table.size_names[:4])}" + (", ..." if len(table.size_names) > 4 else "")
    known, size = int(table.trained.sum()), table.num_architectures
    scores = f"{known:,} architectures" if known == size else f"{known:,} of {size:,} architectures: a partial table"
    return f"{scores}; protocols {', '.join(table.protocols)}"
