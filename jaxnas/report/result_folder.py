"""Folders of results, replaced whole: a folder holds the files of one result, or after an interruption visibly none.

A writer makes its files in a fresh folder within the folder of the results. When all are there, it
locks the folder, notes in `NOTE` which files are its own or the previous writer's, takes the old
summary and page away, and moves the new files in, the summary last. A writer that is killed leaves
the old results whole, or a folder without summary.json that the next writer fills. Files that no
note and no earlier summary claims are neither removed nor replaced.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from jaxnas.files import TEMPORARY_SUFFIX, locked, remove_leftovers, replace_file
from jaxnas.report.figures.gallery import FIGURE_NAMES

SUMMARY_FILE, TRIALS_FILE, PAGE_FILE = "summary.json", "trials.npz", "report.html"
NOTE = ".jaxnas-files.json"
COMPARISON, SEARCH, ONE_SHOT, SESSIONS = "comparison", "search", "one-shot search", "report of sessions"

SEARCH_FILES = ("history.csv", "search.svg", "search.pdf", "best.svg", "explanation.svg")
"""What a search leaves besides its page and its summary."""
ONE_SHOT_FILES = ("found.svg",)
"""Likewise a one-shot search."""

_TABLES = ("table", "fronts", "by_table", "ranks")
_LAST = (PAGE_FILE, SUMMARY_FILE)
_SHOWN = (
    *(f"{name}.{suffix}" for name in FIGURE_NAMES for suffix in ("svg", "pdf")),
    *(f"{name}.{suffix}" for name in _TABLES for suffix in ("tex", "csv")),
)
_NAMES = {
    COMPARISON: frozenset((*_LAST, TRIALS_FILE, *_SHOWN)),
    SEARCH: frozenset((*_LAST, *SEARCH_FILES)),
    ONE_SHOT: frozenset((*_LAST, *ONE_SHOT_FILES)),
    SESSIONS: frozenset(_LAST),
}
_BEFORE_NOTES = {COMPARISON: SUMMARY_FILE, SEARCH: "journal.jsonl"}
"""What shows that version 0.1 wrote a folder, which left no note; one-shot searches came later."""
_PREFIX = ".jaxnas-"


def is_plain(name: str) -> bool:
    """Returns whether a name can be the name of a folder or a file, and of nothing elsewhere."""
    return re.fullmatch(r"\w[\w.-]*", name) is not None


def parts_of(folder: Path) -> list[Path]:
    """Returns the folders within one of results that hold separate results."""
    return [path.parent for path in folder.glob(f"*/{SUMMARY_FILE}") if _can_be_part(path.parent)]


def _can_be_part(folder: Path) -> bool:
    return is_plain(folder.name) and not folder.is_symlink()


@contextlib.contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder within one of results, to write files in; it is removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with locked(folder):
            _remove_abandoned(folder)
            fresh = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=TEMPORARY_SUFFIX, dir=folder))
            held.enter_context(locked(fresh))
        try:
            yield fresh
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def check_free(folder: Path, kind: str, names: Iterable[str] | None = None) -> None:
    """Raises ValueError if a result of a kind, such as "comparison", would replace a file that is not its own.

    `names` are the names of its files in the folder, by default all that such a result can have.
    """
    own = _own(folder, kind)
    for name in sorted(_NAMES[kind] if names is None else names):
        if name not in own and os.path.lexists(folder / name):
            raise ValueError(
                f"Expected a folder that is new or holds a {kind} of jaxnas, got {folder}, whose {name} is not of one."
            )


def publish(
    fresh: Path, folder: Path, kind: str, kept: Iterable[str] = (), made_from: Mapping[str, bytes] | None = None
) -> None:
    """Replaces the results in a folder by the files in a fresh one, the summary last.

    Args:
        fresh: from `fresh_folder`; files are in it, or in folders in it.
        kept: files of the results before, relative to the folder, that belong to the new ones, too.
        made_from: the contents of files in the folder that the new ones were made from, by name;
            None if they bring their own summary.

    Raises:
        ValueError: if a file of the same name is in the folder that jaxnas did not write.
        RuntimeError: if a file has another content than the one that the new files were made from.
    """
    new = {path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if not path.is_dir()}
    kept = set(kept)
    parts = sorted({name.partition("/")[0] for name in new if "/" in name})
    with contextlib.ExitStack() as held:
        held.enter_context(locked(folder))
        for part in parts:
            (folder / part).mkdir(exist_ok=True)
            held.enter_context(locked(folder / part))
        now = {name: (folder / name).read_bytes() if (folder / name).is_file() else None for name in made_from or ()}
        if now != dict(made_from or {}):
            raise RuntimeError(f"Expected {folder} to stay as it was read, got other results meanwhile: run it again.")
        check_free(folder, kind, new)
        old = _own(folder, kind) - kept
        _write_note(folder, kind, old | new | kept)
        for name in sorted((name for name in old if name in new), key=_rank, reverse=True):
            if _rank(name):
                (folder / name).unlink(missing_ok=True)
        _remove(folder, sorted(old - new, key=_rank, reverse=True))
        for name in sorted(new, key=_rank):
            os.replace(fresh / name, folder / name)
        _write_note(folder, kind, new | kept)
        remove_leftovers(folder)


def _rank(name: str) -> int:
    """Returns when a file is moved in: 0 for most, then pages, then summaries, the folder's own summary last."""
    last = name.rpartition("/")[2]
    return 0 if last not in _LAST else 2 * (1 + _LAST.index(last)) - ("/" in name)


def _own(folder: Path, kind: str) -> set[str]:
    """Returns the files of a kind of result that jaxnas wrote into a folder, relative to it."""
    noted = _noted(folder, kind)
    if noted is not None:
        return noted
    if kind not in _BEFORE_NOTES:
        return set()
    if not (folder / _BEFORE_NOTES[kind]).is_file() or (kind == COMPARISON and not _is_comparison(folder)):
        parts = [part.name for part in parts_of(folder) if _is_comparison(part)]
        return {PAGE_FILE, *_names_in(folder, parts, kind)} if parts and kind == COMPARISON else set()
    return {name for name in _NAMES[kind] if (folder / name).is_file()}


def _names_in(folder: Path, parts: Iterable[str], kind: str) -> set[str]:
    return {f"{part}/{name}" for part in parts for name in _NAMES[kind] if (folder / part / name).is_file()}


def _noted(folder: Path, kind: str) -> set[str] | None:
    """Returns the files that the note of a folder lists for a kind of result; None if there is no note of it."""
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        if note["kind"] != kind:
            return None
        return {name for name in note["files"] if isinstance(name, str) and _is_known(folder, name, kind)}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _is_known(folder: Path, name: str, kind: str) -> bool:
    """Returns whether a name in a note is one that results have: a note never leads to other files or other folders."""
    part, _, last = name.rpartition("/")
    return last in _NAMES[kind] and (not part or (is_plain(part) and _can_be_part(folder / part)))


def _is_comparison(folder: Path) -> bool:
    try:
        found = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
        return isinstance(found, dict) and {"benchmark", "num_runs", "num_trials", "strategies"} <= set(found)
    except (OSError, ValueError, RecursionError):
        return False


def _write_note(folder: Path, kind: str, names: Iterable[str]) -> None:
    note = {"about": "the files in this folder that jaxnas wrote", "kind": kind, "files": sorted(names)}
    replace_file(folder / NOTE, (json.dumps(note, indent=1) + "\n").encode())


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Removes files, and the folders that they leave empty."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
        if "/" in name:
            with contextlib.suppress(OSError):
                (folder / name).parent.rmdir()


def _remove_abandoned(folder: Path) -> None:
    """Removes the fresh folders of writers that were killed: those that nobody has locked."""
    for fresh in folder.glob(f"{_PREFIX}*{TEMPORARY_SUFFIX}"):
        if fresh.is_dir() and not fresh.is_symlink():
            with contextlib.suppress(BlockingIOError, FileNotFoundError), locked(fresh, wait=False):
                shutil.rmtree(fresh, ignore_errors=True)
