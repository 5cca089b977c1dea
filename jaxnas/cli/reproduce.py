"""`jaxnas reproduce`: published results computed again, side by side with the published figures."""

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxnas import catalog
from jaxnas.checks import unknown_name
from jaxnas.cli.folders import writable
from jaxnas.evidence.figures import DIFFERS, Figure, Result
from jaxnas.files import MANIFEST_FILE
from jaxnas.tables.format import read_manifest
from jaxnas.tables.shipped import shipped_folder, shipped_ids

LIST, ALL = "list", "all"
IMPORTED = Path("jaxnas-tables")
PAGE_FILE, DATA_FILE = "reproduction.html", "reproduction.json"


def run(options: argparse.Namespace) -> int:
    """Computes published results, prints them beside the published figures and writes a page. Returns the exit code.

    It is 1 where a figure differs from the published one by more than its tolerance.
    """
    results = {name: catalog.find(name, catalog.PUBLISHED) for name in catalog.PUBLISHED}
    tables = found_tables([Path(folder) for folder in options.table.split(",") if folder])
    if options.name == LIST:
        for name, result in results.items():
            print(f"{name:20} {result.title}")
            print(f"{'':20} {_needs(result, tables)}")
        return 0
    if options.name != ALL and options.name not in results:
        raise unknown_name("a published result", options.name, [*results, LIST, ALL])
    names = list(results) if options.name == ALL else [options.name]
    missing = {name: lacking(results[name], tables) for name in names}
    if options.name != ALL and missing[options.name]:
        raise ValueError(_import_text(options.name, missing[options.name]))
    chosen = {name: results[name] for name in names if not missing[name]}
    return _reproduce(chosen, {name: missing[name] for name in names if missing[name]}, tables, options)


def _reproduce(
    chosen: Mapping[str, Result],
    missing: Mapping[str, list[str]],
    tables: Mapping[str, Path],
    options: argparse.Namespace,
) -> int:
    from jaxnas.evidence.page import page_of
    from jaxnas.training.compilation import configure_compilation

    configure_compilation()
    folder = writable(Path(options.out))
    found = {}
    for name, result in chosen.items():
        found[name] = list(result.figures({need: table_for(need, tables) for need in result.needs}))
        _show(result, found[name])
    for name, lacks in missing.items():
        print(_import_text(name, lacks))
    data = {name: [figure.as_dict() for figure in figures] for name, figures in found.items()}
    (folder / DATA_FILE).write_text(json.dumps(data, indent=1), encoding="utf-8")
    (folder / PAGE_FILE).write_text(page_of(chosen, found, dict(missing), options.command_line), encoding="utf-8")
    if options.json:
        print(json.dumps(data))
    print(f"Page: {folder / PAGE_FILE}")
    return int(any(figure.verdict == DIFFERS for figures in found.values() for figure in figures))


def found_tables(folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the folders of tables by identifier: those given, those that were imported here, those that ship.

    Raises ValueError where a folder that was given holds no table.
    """
    found = {name: shipped_folder() / name for name in shipped_ids()}
    for path in sorted(IMPORTED.glob(f"*/{MANIFEST_FILE}")):
        with contextlib.suppress(ValueError):  # a damaged table that nobody asked for
            found[read_manifest(path.parent)["id"]] = path.parent
    return found | {read_manifest(folder)["id"]: folder for folder in folders}


def table_for(need: str, tables: Mapping[str, Path]) -> Path:
    """Returns the folder of the table that a result needs: of its identifier, or the latest version of it."""
    return tables[max(name for name in tables if name == need or name.startswith(f"{need}-v"))]


def lacking(result: Result, tables: Mapping[str, Path]) -> list[str]:
    """Returns the tables that a result needs and that are not there."""
    return [need for need in result.needs if not any(n == need or n.startswith(f"{need}-v") for n in tables)]


def _needs(result: Result, tables: Mapping[str, Path]) -> str:
    lacks = lacking(result, tables)
    return f"needs {', '.join(result.needs)}: {'there' if not lacks else 'import ' + ', '.join(lacks)}"


def _import_text(name: str, lacks: list[str]) -> str:
    benchmark = lacks[0].partition("-")[0]
    return (
        f"Expected {', '.join(lacks)} for {name}, got no such table; jaxnas import {benchmark} FILE makes it, and "
        "--table FOLDER says where it is."
    )


def _show(result: Result, figures: Sequence[Figure]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=result.title, title_justify="left")
    for column in ("figure", "published", "ours", "difference", "in errors", "verdict"):
        shown.add_column(column, justify="left" if column in ("figure", "verdict") else "right")
    for figure in figures:
        shown.add_row(figure.what, *figure.texts(), figure.verdict)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(shown)
    for note in dict.fromkeys(figure.note for figure in figures if figure.note):
        console.print(note, style="dim")
