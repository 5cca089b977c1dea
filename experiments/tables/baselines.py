"""Trains the baselines of a table that was built without them, and writes them into its manifest and its card.

Claim: this script reproduces the baselines of a shipped table; its arrays and their content hash do not change.
Command: python experiments/tables/baselines.py tabular/tables/recurrent-3-digits-rows-v1
Run time: half a minute on one core.
Output: the manifest and the card, written again; the table's file is unchanged. Last line: a JSON object of them.
Page: docs/tables.md
"""

import argparse
import json
from pathlib import Path

from cards import rewrite

from jaxnas.spaces.named import space_named
from jaxnas.tables.building.baselines import baseline_scores
from jaxnas.tables.table import Table
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.config import config_from_dict
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import Trainer


def main() -> None:
    """Writes the baselines of a table, and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a table of a space and a task of the catalog")
    options = parser.parse_args()
    configure_compilation()
    table = Table.read(options.folder, verify=True)
    names = table.manifest["space"]["name"], table.manifest["task"]["name"]
    space, task = space_named(names[0]), task_named(names[1])
    trainer = Trainer(space, task, config_from_dict(table.manifest["training"], networks_class(space).default))
    found = baseline_scores(trainer, table.manifest["seeds"])
    table.manifest["references"] = found
    rewrite(options.folder, table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
