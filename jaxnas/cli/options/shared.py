"""Options that several commands have."""

import argparse

from jaxnas.cli.options import types


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the machines of the work."""
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="work on a Ray cluster, host:port or auto (without an address: one of this machine alone)",
    )


def add_epochs(parser: argparse.ArgumentParser) -> None:
    """Adds how long networks are trained."""
    parser.add_argument(
        "--epochs", type=types.count, metavar="N", help="epochs of a training (default: by the kind of space)"
    )


def add_space_and_task(parser: argparse.ArgumentParser) -> None:
    """Adds the search space, and the task with its label."""
    parser.add_argument("--space", required=True, metavar="S", help="a name, or file.py:NAME")
    parser.add_argument(
        "--task",
        required=True,
        metavar="T",
        help="a name, file.py:NAME, file.npz with X, y, or file.csv or file.parquet with the label in the last column",
    )
    parser.add_argument("--label", metavar="NAME", help="the label's column of a file.csv or file.parquet")
