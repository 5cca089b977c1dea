"""Bars of progress on standard error."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jaxnas.checks import is_installed

if TYPE_CHECKING:
    from rich.progress import Progress

COMPILING = "compiling, which takes up to minutes the first time"


@contextlib.contextmanager
def progress_bars(first: str = "", remaining: str | None = None) -> "Iterator[Progress]":
    """Gives bars of progress, shown on a terminal, and in a notebook if ipywidgets is installed.

    Args:
        first: the work done before a bar moves, printed as a line if there is no terminal.
        remaining: the text of the last column; by default Rich's estimate of the time left.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn(remaining, style="progress.remaining") if remaining else TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    shown = console.is_terminal or (console.is_jupyter and is_installed("ipywidgets"))
    if first and not shown:
        print(first, file=sys.stderr, flush=True)
    with Progress(*columns, console=console, disable=not shown) as bars:
        yield bars
