"""Writes the cards of tables again, from their arrays and manifests, with the code for the card of a new table.

Claim: the cards of the shipped tables follow today's templates; arrays and content hashes do not change.
Command: python experiments/tables/cards.py tabular/tables/*
Run time: half a minute on one core.
Output: README.md and the hashes in manifest.json of each folder; the table's file is not changed. Last line: a JSON
object with the reliability of the mean over runs of each, among all classes and among the best 5 %.
Page: docs/tables.md
"""

import argparse
import json
import re
from pathlib import Path

from published_tables import DATA_SETS, card_of

from jaxnas.files import CARD_FILE, MANIFEST_FILE, replace_file
from jaxnas.tables.building.card import table_card
from jaxnas.tables.format import manifest_bytes, manifest_hash, sha256
from jaxnas.tables.reliability import reliability_of_means
from jaxnas.tables.table import Table
from jaxnas.tasks.named import task_named


def new_card(folder: Path, table: Table) -> str:
    """Returns the card of a table that was built, or of a published one of NAS-Bench-201."""
    task = table.manifest["task"]["name"]
    if "source" not in table.manifest:
        space = table.manifest["space"]["name"]
        return table_card(table, task_named(task), space, task, None)
    (data_set,) = [each for each in DATA_SETS if each.name == task]
    (num_mended,) = re.findall(r"^(\d+) architectures came with", (folder / CARD_FILE).read_text(), re.MULTILINE)
    return card_of(data_set, table, int(num_mended))


def rewrite(folder: Path, table: Table) -> None:
    """Writes the card of a table and its manifest with the card's hash."""
    card = new_card(folder, table).encode()
    table.manifest["files"][CARD_FILE] = sha256(card)
    table.manifest["manifest_hash"] = manifest_hash(table.manifest)
    replace_file(folder / CARD_FILE, card)
    replace_file(folder / MANIFEST_FILE, manifest_bytes(table.manifest))


def main() -> None:
    """Writes the cards of the folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    found = {}
    for folder in parser.parse_args().folders:
        table = Table.read(folder, verify=True)
        rewrite(folder, table)
        found[table.id] = reliability_of_means(table)
        print(table.id, found[table.id], flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
