"""Published results computed again, side by side with the published figures."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnas import __version__, catalog
from jaxnas.checks import unknown_name
from jaxnas.evidence.figures import AGREES, DIFFERS, MISSING, TOLERATED, Figure, Result
from jaxnas.files import MANIFEST_FILE, OUT, out_path, writable
from jaxnas.report.bibliography import entries
from jaxnas.report.templates import render
from jaxnas.tables.format import read_manifest
from jaxnas.tables.shipped import shipped_folder, shipped_ids
from jaxnas.tasks.metrics import ACCURACY

ALL = "all"
PAGE_FILE, DATA_FILE = "reproduction.html", "reproduction.json"


class Reproduction(NamedTuple):
    """The figures of published results next to those computed here.

    Attributes:
        figures: of each result that was computed, by name.
        missing: the tables that the other results need and that are not there, by name.
        page: the path of the page.
    """

    figures: dict[str, list[Figure]]
    missing: dict[str, list[str]]
    page: Path


def reproduce(
    name: str = ALL,
    *,
    table: Sequence[str | os.PathLike] = (),
    out: str | os.PathLike | None = None,
    command: str = "",
) -> Reproduction:
    """Returns published results computed again, after writing a page of them and reproduction.json.

    Args:
        name: of a result, or `all` for those whose tables are there.
        table: folders of imported tables; those in `jaxnas-out` and those that ship are found without.
        out: the folder; by default `jaxnas-out/reproduce-<name>`.
        command: the command line to show on the page.

    Raises ValueError on an unknown name, or if a table that the named result needs is not there.
    """
    results, tables = published_results(), found_tables([Path(each) for each in table])
    if name != ALL and name not in results:
        raise unknown_name("a published result", name, [*results, ALL])
    names = list(results) if name == ALL else [name]
    missing = {each: lacks for each in names if (lacks := lacking(results[each], tables))}
    if name in missing:
        raise ValueError(import_text(name, missing[name]))
    chosen = {each: results[each] for each in names if each not in missing}
    folder = writable(out_path(out, "reproduce", name))
    found = {
        each: list(result.figures({need: table_for(need, tables) for need in result.needs}))
        for each, result in chosen.items()
    }
    data = {each: [figure.as_dict() for figure in figures] for each, figures in found.items()}
    (folder / DATA_FILE).write_text(json.dumps(data, indent=1), encoding="utf-8")
    page = folder / PAGE_FILE
    page.write_text(_page_text(chosen, found, missing, command), encoding="utf-8")
    return Reproduction(found, missing, page)


def _page_text(
    results: Mapping[str, Result],
    figures: Mapping[str, Sequence[Figure]],
    missing: Mapping[str, Sequence[str]],
    command: str,
) -> str:
    """Returns the page of results with their figures, and of the tables that others miss, as HTML."""
    every = [figure for each in figures.values() for figure in each]
    verdicts = {AGREES: "agrees", TOLERATED: "tolerated", DIFFERS: "differs", MISSING: "missing"}
    counts = {verdict: [figure.verdict for figure in every].count(verdict) for verdict in verdicts}
    known = entries()
    keys = dict.fromkeys(key for result in results.values() for key in result.cites)
    return render(
        "page/reproduction.html",
        ACCURACY,
        results=results,
        figures=figures,
        missing=missing,
        counts=counts,
        styles=verdicts,
        bibtex="\n\n".join(known[key] for key in keys),
        command=command,
        version=__version__,
    )


def published_results() -> dict[str, Result]:
    """Returns the published results of the catalog, by name."""
    return {name: catalog.find(name, catalog.PUBLISHED) for name in catalog.PUBLISHED}


def found_tables(folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the folders of tables by identifier: those given, those that were imported here, those that ship.

    Raises ValueError if a folder that was given holds no table.
    """
    found = {name: shipped_folder() / name for name in shipped_ids()}
    for path in sorted(OUT.glob(f"import-*/{MANIFEST_FILE}")):
        with contextlib.suppress(ValueError):  # a damaged table that nobody asked for
            found[read_manifest(path.parent)["id"]] = path.parent
    return found | {read_manifest(folder)["id"]: folder for folder in folders}


def table_for(need: str, tables: Mapping[str, Path]) -> Path:
    """Returns the folder of the table that a result needs: of its identifier, or the latest version of it."""
    return tables[max(name for name in tables if name == need or name.startswith(f"{need}-v"))]


def lacking(result: Result, tables: Mapping[str, Path]) -> list[str]:
    """Returns the tables that a result needs and that are not there."""
    return [need for need in result.needs if not any(n == need or n.startswith(f"{need}-v") for n in tables)]


def import_text(name: str, lacks: list[str]) -> str:
    """Returns the sentence that names the tables which a result lacks, and the command that makes them."""
    benchmark = lacks[0].partition("-")[0]
    return (
        f"Expected {', '.join(lacks)} for {name}, got no such table; jaxnas import {benchmark} FILE makes it, and "
        "--table FOLDER names its folder."
    )
