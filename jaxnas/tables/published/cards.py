"""Imported tables and their cards: sources, licenses, and how far the importer was tried."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jaxnas.tables.selection import selection_text
from jaxnas.tables.table import Table

TRIED = "The importer was tried on original files."
NOT_TRIED = "Read from its documented layout, not tried on the original file."


class Publication(NamedTuple):
    """The citation and the license of the numbers.

    Attributes:
        importer: the name of the importer.
        authors: as BibTeX has them.
        cites: keys of the package's `references.bib`.
        tried: `TRIED` or `NOT_TRIED`, or a sentence with details.
    """

    importer: str
    title: str
    paper: str
    license: str
    address: str
    authors: str
    cites: tuple[str, ...]
    tried: str = NOT_TRIED


class Imported(NamedTuple):
    """A table that an importer has read, without hashes, and its card."""

    table: Table
    card: str


def imported(
    table: Table, table_id: str, publication: Publication, source: Path, notes: Sequence[str], files: dict[str, str]
) -> Imported:
    """Returns a table with its identifier, license and source in the manifest, and its card.

    Args:
        source: the file or folder that was read.
        notes: the caveats that readers must know, a paragraph each.
        files: the SHA-256 of the files that were read, by name, if they are few.
    """
    origin = {
        "authors": publication.authors,
        "references": list(publication.cites),
        "paper": publication.paper,
        "address": publication.address,
        "made_by": f"jaxnas import {publication.importer}",
        "files": files,
    }
    manifest = table.manifest | {"id": table_id, "licence": publication.license, "source": origin}
    table = replace(table, manifest=manifest)
    return Imported(table, _card_of(table, publication, source, notes))


def _card_of(table: Table, publication: Publication, source: Path, notes: Sequence[str]) -> str:
    command = f"jaxnas import {publication.importer} {source.name}"
    lines = [f"# {table.id}", "", f"{publication.title}, imported by `{command}`.", ""]
    lines += [f"{note}\n" for note in notes]
    lines += ["## Columns", "| column | unit | axes |", "|---|---|---|"]
    for name, column in table.columns.items():
        unit = f"count of {column.denominator:,}" if column.denominator else column.unit
        lines.append(f"| `{name}` | {unit} | {' x '.join(column.axes)} |")
    lines += ["", *_protocols(table), "## Limits", publication.tried]
    lines += [selection_text(table)] if table.protocols else []
    lines += ["Networks of this table were not trained by jaxnas, and it does not train them again.", ""]
    lines += ["## License and citation", f"{publication.license}. {publication.address}", "", publication.paper]
    return "\n".join([*lines, f"Cite the paper, the id `{table.id}` and the content_hash of manifest.json.", ""])


def _protocols(table: Table) -> list[str]:
    if not table.protocols:
        return ["A column pack: `jn.load(ID, columns=[PACK])` joins it to a table of the same space.", ""]
    lines = ["## Protocols", "| name | a search is told | reported | a query costs |", "|---|---|---|---|"]
    for name in table.protocols:
        protocol = table.protocol(name)
        lines.append(f"| `{name}` | `{protocol.told}` | `{protocol.reported}` | {table.cost_unit(protocol)} |")
    return [*lines, ""]
