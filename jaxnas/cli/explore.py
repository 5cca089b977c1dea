"""`jaxnas explore`: the page of a whole table."""

import argparse
import shlex

from jaxnas.report.explorer.explorer import explore


def run(options: argparse.Namespace) -> int:
    """Writes the page of a whole table. Returns the exit code."""
    command = shlex.join(["jaxnas", "explore", options.table])
    print(f"Explorer: {explore(options.table, out=options.out, command=command)}")
    return 0
