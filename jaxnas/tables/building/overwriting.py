"""What a build may write over: files of its own table, but no others, and no larger table."""

import json
from pathlib import Path
from typing import Any

from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE
from jaxnas.tables.building.card import MARK
from jaxnas.tables.format import read_manifest
from jaxnas.tables.table import Table

_SAME = ("id", "space", "task", "training", "trainings", "plan", "code")


def check_replaceable(folder: Path, manifest: dict[str, Any], num_classes: int) -> None:
    """Raises ValueError where the folder of a build holds what its table would destroy.

    That is a file of the same name that no build wrote, or a table of something else, or of more trainings. A table
    that is not whole, as an interrupted build leaves it, is written again.

    Args:
        manifest: of the table that is to be written.
        num_classes: how many of its classes are to be trained.
    """
    present = [name for name in (MANIFEST_FILE, TABLE_FILE, CARD_FILE) if (folder / name).exists()]
    if CARD_FILE in present and MARK not in (folder / CARD_FILE).read_text(encoding="utf-8", errors="replace"):
        raise _refused(folder, f"{CARD_FILE}, which no build wrote")
    if MANIFEST_FILE in present:
        _check_table(folder, json.loads(json.dumps(manifest)), num_classes)
    elif TABLE_FILE in present and not (folder / "shards").is_dir():
        raise _refused(folder, f"{TABLE_FILE}, which no build wrote")


def _check_table(folder: Path, manifest: dict[str, Any], num_classes: int) -> None:
    try:
        found = read_manifest(folder)
    except ValueError:
        raise _refused(folder, f"{MANIFEST_FILE}, which is of no table or was changed") from None
    if changed := [name for name in _SAME if found.get(name) != manifest.get(name)]:
        raise _refused(folder, f"the table {found['id']} of another {changed[0]}")
    try:
        num_trained = int(Table.read(folder).trained.sum())
    except ValueError:
        return
    if len(found["seeds"]) > len(manifest["seeds"]) or num_trained > num_classes:
        size = f"{num_trained:,} classes and {len(found['seeds'])} seeds"
        raise _refused(folder, f"the table {found['id']} of {size}")


def _refused(folder: Path, found: str) -> ValueError:
    return ValueError(
        f"Expected a folder to write this table into, got {folder} with {found}; give another one, or replace what is "
        "there by --replace (replace_table=True)."
    )
