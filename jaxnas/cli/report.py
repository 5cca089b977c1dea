"""`jaxnas report`: the page of a comparison again."""

import argparse
from pathlib import Path

from jaxnas.cli.folders import writable
from jaxnas.report.comparison_files import write_again


def run(options: argparse.Namespace) -> int:
    """Writes the page of a comparison again. Returns the exit code."""
    folder = Path(options.folder)
    print(f"Report: {write_again(writable(folder) if folder.is_dir() else folder, pdf=options.pdf)}")
    return 0
