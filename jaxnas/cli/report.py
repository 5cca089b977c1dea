"""`jaxnas report`: the page of a comparison or a search again."""

import argparse
from pathlib import Path

from jaxnas.files import writable
from jaxnas.report.comparison_files import write_again


def run(options: argparse.Namespace) -> int:
    """Writes the page of a comparison or a search again. Returns the exit code."""
    folder = Path(options.folder)
    print(f"Report: {write_again(writable(folder) if folder.is_dir() else folder, pdf=options.pdf)}")
    return 0
