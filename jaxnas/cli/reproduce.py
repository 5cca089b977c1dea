"""`jaxnas reproduce`: published results computed again, side by side with the published figures."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxnas.cli.shared_options import names_in
from jaxnas.evidence.figures import DIFFERS, Figure, Result
from jaxnas.evidence.reproduction import found_tables, import_text, lacking, published_results, reproduce
from jaxnas.training.compilation import configure_compilation

LIST = "list"


def run(options: argparse.Namespace) -> int:
    """Computes published results, prints them next to the published figures and writes a page. Returns the exit code.

    It is 1 if a figure differs from the published one by more than its tolerance.
    """
    results, tables = published_results(), names_in(options.table)
    if options.name == LIST:
        found = found_tables([Path(folder) for folder in tables])
        for name, result in results.items():
            print(f"{name:20} {result.title}")
            lacks = lacking(result, found)
            print(f"{'':20} needs {', '.join(result.needs)}: {'import ' + ', '.join(lacks) if lacks else 'there'}")
        return 0
    configure_compilation()
    reproduction = reproduce(options.name, table=tables, out=options.out, command=options.command_line)
    for name, figures in reproduction.figures.items():
        _show(results[name], figures)
    for name, lacks in reproduction.missing.items():
        print(import_text(name, lacks))
    if options.json:
        print(json.dumps({name: [each.as_dict() for each in found] for name, found in reproduction.figures.items()}))
    print(f"Page: {reproduction.page}")
    return int(any(figure.verdict == DIFFERS for found in reproduction.figures.values() for figure in found))


def _show(result: Result, figures: Sequence[Figure]) -> None:
    shown = Table(title=result.title, title_justify="left")
    for column in ("figure", "published", "unpublished", "ours", "difference", "in errors", "tolerance", "verdict"):
        shown.add_column(column, justify="left" if column in ("figure", "verdict") else "right")
    for figure in figures:
        shown.add_row(figure.what, *figure.texts(), figure.verdict)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(shown)
    for source in dict.fromkeys(figure.source for figure in figures):
        console.print(f"Source: {source}.", style="dim")
    for note in dict.fromkeys(figure.note for figure in figures if figure.note):
        console.print(note, style="dim")
