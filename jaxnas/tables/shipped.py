"""The tables that ship with the package, by identifier. Needs the standard library only."""

import os
from pathlib import Path

from jaxnas.checks import unknown_name
from jaxnas.files import MANIFEST_FILE

TABLES, PACKS, SURROGATES = "tables", "packs", "surrogates"


def shipped_folder(kind: str = TABLES) -> Path:
    """Returns the folder of the tables, packs or surrogates that ship with the package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "tabular"
    return (inside if inside.is_dir() else package.parent / "tabular") / kind


def shipped_ids(kind: str = TABLES) -> list[str]:
    """Returns the identifiers of the tables, packs or surrogates that ship with the package."""
    return sorted(path.parent.name for path in shipped_folder(kind).glob(f"*/{MANIFEST_FILE}"))


def find(source: str | os.PathLike) -> Path:
    """Returns the folder of a table, given by a shipped identifier or by the folder itself.

    A shipped identifier without a separator has precedence over a folder of that name: `./ID` is a folder.

    Raises ValueError if there is none.
    """
    shipped = {name: kind for kind in (PACKS, TABLES) for name in shipped_ids(kind)}
    if isinstance(source, str) and source in shipped:
        return shipped_folder(shipped[source]) / source
    folder = Path(source)
    if (folder / MANIFEST_FILE).is_file():
        return folder
    if folder.is_dir():
        raise ValueError(f"{folder} is the folder of no table, pack or surrogate: it has no {MANIFEST_FILE}.")
    raise unknown_name(f"a folder with a {MANIFEST_FILE}, or a table", os.fspath(source), shipped)
