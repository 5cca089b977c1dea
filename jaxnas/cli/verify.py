"""`jaxnas verify`: the files of a table against its hashes, and a sample of it trained again."""

import argparse
import sys

from jaxnas.tables.format import check_files
from jaxnas.tables.shipped import find
from jaxnas.tables.table import Table


def run(options: argparse.Namespace) -> int:
    """Checks the files of a table, and retrains a sample of it. Returns the exit code."""
    folder = find(options.id)
    problems = check_files(folder)
    for problem in problems:
        print(f"jaxnas verify: {problem}", file=sys.stderr)
    if problems:
        return 1
    Table.read(folder, verify=True)
    print(f"{folder.name}: files and arrays are those that the manifest names.")
    if not options.sample:
        return 0
    from jaxnas import catalog
    from jaxnas.tables.building.verification import retrain
    from jaxnas.training.compilation import on_one_core

    with on_one_core():
        space = None if options.space is None else catalog.space(options.space)
        task = None if options.task is None else catalog.task(options.task)
        checks = retrain(folder, options.sample, space=space, task=task)
    for check in checks:
        print(f"{'passed' if check.passed else 'FAILED'}: {check.text}")
    return 0 if all(check.passed for check in checks) else 1
