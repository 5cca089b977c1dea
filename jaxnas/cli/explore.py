"""`jaxnas explore`: the page of a whole table."""

import argparse
import shlex
from pathlib import Path

from jaxnas.benchmarks.tabular import space_of
from jaxnas.cli.folders import writable
from jaxnas.report.explorer.explorer import write_explorer
from jaxnas.report.result_folder import is_plain
from jaxnas.tables.table import Table


def run(options: argparse.Namespace) -> int:
    """Writes the page of a whole table. Returns the exit code."""
    explored = Table.read(options.id)
    if not options.out and not is_plain(explored.id):  # the identifier is data, and never a path
        raise ValueError(f"Expected --out for a table whose identifier cannot name a file, got {explored.id!r}.")
    path = Path(options.out or f"{explored.id}.html")
    writable(path.parent)
    if path.is_dir():
        raise ValueError(f"Expected a file to write, got the folder {path}.")
    command = shlex.join(["jaxnas", "explore", options.id])
    print(f"Explorer: {write_explorer(explored, space_of(explored), path, command)}")
    return 0
