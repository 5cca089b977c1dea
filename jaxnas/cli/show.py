"""`jaxnas show`: one architecture, described and drawn."""

import argparse

from jaxnas.report.architecture import show


def run(options: argparse.Namespace) -> int:
    """Prints an architecture's decisions, class and size, and draws it. Returns the exit code."""
    print(show(options.arch, options.space, task=options.task, out=options.out))
    return 0
