"""The rule of overwriting for tables and packs: files of the same one, but no others, and no larger one."""

import json
from pathlib import Path
from typing import Any

from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE
from jaxnas.tables.format import read_manifest
from jaxnas.tables.table import Table

MARKS = (
    "Made by `jaxnas build --space",
    "imported by `jaxnas import ",
    ": zero-cost proxies\n",
    ": scores of supernets\n",
)
"""What the cards of builds, imports, proxies and supernets have, by which they are known."""
_SAME = ("id", "space", "task", "training", "trainings", "plan", "code", "proxies", "supernet")


def check_replaceable(
    folder: Path, manifest: dict[str, Any], num_classes: int, advice: str = "give another folder by --out"
) -> None:
    """Raises ValueError if a folder holds files that a table or a pack would destroy.

    That is a file of the same name that jaxnas did not write, or a table of something else, or of more classes, seeds
    or columns. A table that is not whole, as an interrupted command leaves it, is written again.

    Args:
        manifest: of the table that is to be written.
        num_classes: how many of its classes have scores.
        advice: the remedy, for the message.
    """
    present = [name for name in (MANIFEST_FILE, TABLE_FILE, CARD_FILE) if (folder / name).exists()]
    card = (folder / CARD_FILE).read_text(encoding="utf-8", errors="replace") if CARD_FILE in present else ""
    found = None
    if card and not any(mark in card for mark in MARKS):
        found = f"{CARD_FILE}, which jaxnas did not write"
    elif MANIFEST_FILE in present:
        found = _loss(folder, json.loads(json.dumps(manifest)), num_classes)
    elif TABLE_FILE in present and not card and not (folder / "shards").is_dir():
        found = f"{TABLE_FILE}, which jaxnas did not write"
    if found:
        raise ValueError(f"Expected a folder to write {manifest['id']} into, got {folder} with {found}; {advice}.")


def _loss(folder: Path, manifest: dict[str, Any], num_classes: int) -> str | None:
    """Returns the loss of a folder with a manifest in words, None for nothing."""
    try:
        found = read_manifest(folder)
    except ValueError:
        return f"{MANIFEST_FILE}, which is of no table or was changed"
    if changed := [name for name in _SAME if found.get(name) != manifest.get(name)]:
        return f"the table {found['id']} of another {changed[0]}"
    if "columns" in manifest and (lost := sorted(found.get("columns", {}).keys() - manifest["columns"].keys())):
        return f"{found['id']} with the column {lost[0]}"
    try:
        num_trained = _num_known(Table.read(folder))
    except ValueError:
        return None
    seeds = found.get("seeds", ())
    if len(seeds) > len(manifest.get("seeds", ())) or num_trained > num_classes:
        return f"the table {found['id']} of {num_trained:,} classes and {len(seeds)} seeds"
    return None


def check_table_replaceable(folder: Path, table: Table) -> None:
    """Raises ValueError if a folder holds files that a table would destroy, as `check_replaceable`."""
    manifest = table.manifest | {"columns": dict.fromkeys(table.columns)}
    check_replaceable(folder, manifest, _num_known(table))


def _num_known(table: Table) -> int:
    return int(table.trained.sum()) if table.protocols else len(table.representatives)
