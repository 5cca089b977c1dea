"""`jaxnas report`: the page of a comparison or a search again, or the page of sessions."""

import argparse
from pathlib import Path

from jaxnas.files import writable
from jaxnas.report.comparison_files import write_again
from jaxnas.sessions.summary import PATTERN, report_sessions
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Writes the page of a comparison or a search again, or the page of sessions. Returns the exit code."""
    folder = Path(options.folder)
    if any(folder.glob(PATTERN)):
        configure_compilation()
        page = report_sessions(writable(folder), bench=options.table, command=options.command_line)
        print(f"Report: {page}")
        return 0
    print(f"Report: {write_again(writable(folder) if folder.is_dir() else folder, pdf=options.pdf)}")
    return 0
