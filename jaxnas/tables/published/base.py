"""Shared parts of importers: partial results that survive a kill, and columns of runs."""

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxnas.checks import first_line
from jaxnas.files import TEMPORARY_SUFFIX, replace_file
from jaxnas.tables.columns import Column, is_missing, run_count_name, run_counts, unsigned
from jaxnas.tables.published.budget import LARGEST_JSON, Budget

Progress = Callable[[str, int, int], None]
"""Is told what is read, how much of it was, and how much there is."""
_PLAN_FILE = "plan.json"
_HASHED = 1 << 22


class Work:
    """Partial results of an import: arrays by name in a folder, kept until the tables are written.

    They are of one source: if a file of it has changed since, all are read again.

    Args:
        folder: is made when there is something to keep.
        files: the files of the source.
    """

    def __init__(self, folder: Path, files: Sequence[Path]):
        self.folder = folder
        self.plan = json.dumps([[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files])
        if folder.is_dir() and _read(folder / _PLAN_FILE) != self.plan:
            self.remove()

    def part(self, name: str) -> dict[str, np.ndarray] | None:
        """Returns the arrays of a part; None if it is missing or damaged."""
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as found:
                return dict(found)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def keep(self, name: str, **arrays: np.ndarray) -> None:
        """Writes the arrays of a part."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _PLAN_FILE).exists():
            replace_file(self.folder / _PLAN_FILE, self.plan.encode())
        temporary = self.folder / f"{name}.tmp.npz"
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, self.folder / f"{name}.npz")

    def remove(self) -> None:
        """Removes all parts, and the folder if nothing else is in it."""
        for path in [*self.folder.glob("*.npz"), *self.folder.glob(f".*{TEMPORARY_SUFFIX}"), self.folder / _PLAN_FILE]:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return ""


@contextlib.contextmanager
def expected(path: Path, what: str) -> Iterator[None]:
    """Ends errors of a damaged or unknown file as one line that states the expected file."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, OverflowError) as error:
        found = first_line(error)
        if found.startswith("Expected "):
            raise ValueError(f"Expected {path} to be {what}: e{found[1:]}.") from None
        raise ValueError(f"Expected {path} to be {what}, got: {found}.") from None
    except (MemoryError, RecursionError) as error:
        raise ValueError(f"Expected {path} to be {what}, got: {type(error).__name__}.") from None


def only_file(path: Path, names: Iterable[str], what: str) -> Path:
    """Returns the file itself, or the one of a folder that has one of the names.

    Raises ValueError if there is none.
    """
    names = tuple(names)
    if path.is_file():
        return path
    found = [path / name for name in names if (path / name).is_file()]
    if not found:
        raise ValueError(f"Expected {what}, {' or '.join(names)}, or a folder with it, got {path}.")
    return found[0]


def json_of(path: Path, progress: Progress) -> dict:
    """Returns the object in a JSON file. Raises ValueError if the file is too large or none."""
    size = path.stat().st_size
    if size > LARGEST_JSON:
        raise ValueError(f"{size:,} bytes, where a file of at most {LARGEST_JSON:,} is read")
    progress(path.name, 0, size)
    data = path.read_bytes()
    Budget(size).hold(sum(map(data.count, (b",", b"[", b"{"))))
    found = json.loads(data)
    progress(path.name, size, size)
    return found


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASHED):
            digest.update(block)
    return digest.hexdigest()


def runs_of(
    values: np.ndarray,
    unit: str,
    better: int,
    runs: str,
    fidelity: str | None = None,
    denominator: int | None = None,
) -> Column:
    """Returns a column of runs [G, S], the runs that there are first; NaN is a missing one.

    Args:
        denominator: the total of the counts, if the values are shares of it: they are stored as counts.

    Raises ValueError if a share is no whole number of examples.
    """
    order = np.argsort(np.isnan(values), axis=1, kind="stable")
    values = np.take_along_axis(values, order, axis=1)
    named = None if fidelity is None else (fidelity,)
    if denominator is not None:
        return Column(counts_of(values, denominator), ("class", "run"), "count", better, denominator, runs, named)
    return Column(values.astype(np.float32), ("class", "run"), unit, better, None, runs, named)


def counts_of(shares: np.ndarray, denominator: int) -> np.ndarray:
    """Returns the counts behind shares of a number of examples, unsigned; the largest value for a NaN share.

    Raises ValueError if a share is no whole number of examples.
    """
    counts = shares * denominator
    with np.errstate(invalid="ignore"):  # of infinite ones
        whole = np.round(counts)
        wrong = ~np.isnan(counts) & ~((np.abs(counts - whole) <= 0.05) & (whole >= 0) & (whole <= denominator))
    if wrong.any():
        value = shares[wrong].reshape(-1)[0]
        raise ValueError(f"Expected accuracies of {denominator:,} examples, got {value:.6g}.")
    missing = np.iinfo(np.uint32).max
    return unsigned(np.where(np.isnan(counts), missing, whole).astype(np.uint32))


def with_run_counts(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Returns columns with the numbers of runs of each set, if some class has fewer than there can be.

    Raises ValueError if columns of one set have different runs.
    """
    found = dict(columns)
    for runs in dict.fromkeys(column.runs for column in columns.values() if "run" in column.axes):
        there = [
            (~is_missing(column.by_run)).any(axis=2)
            for column in columns.values()
            if "run" in column.axes and column.runs == runs
        ]
        if any((each.sum(1) != there[0].sum(1)).any() for each in there):
            raise ValueError(f"Expected the same runs in all columns of the {runs} runs, got different ones.")
        if not there[0].all():
            found[run_count_name(runs)] = run_counts(there[0].sum(1), runs)
    return found
