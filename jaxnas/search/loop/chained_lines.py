"""A file of JSON lines that are chained by checksums, to which one process at a time appends."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxnas.files import sync_folder

try:
    import fcntl
except ImportError:  # on Windows there are no locks
    fcntl = None  # type: ignore[assignment]

CHECK = "check"
_CHECK_DIGITS = 16
_ELSEWHERE = {"search": "search in another folder", "session": "choose another log"}


class JournalFile:
    """An open journal: a header and lines, each with a checksum over itself and all before it.

    It is locked until `close`, or until the process ends for any reason. A last line that was cut off is removed.
    `kind` is "search" or "session", for messages.

    Attributes:
        lines: those in the file, the header first, without their checksums.

    Raises ValueError if another process has it locked, or a line other than a truncated last
    one was changed. The file is then left unchanged.
    """

    def __init__(self, path: Path, header: dict, kind: str = "search"):
        self.path = path
        self._file = open(path, "a+b")  # noqa: SIM115, it stays open
        try:
            _lock(self._file, path, kind)
            self.lines, self._check, end = _read(self._file, path, header, kind)
            if end < os.fstat(self._file.fileno()).st_size:
                self._file.truncate(end)
            if not self.lines:
                self.append(header)
                self.lines = [header]
                sync_folder(path.parent)
        except BaseException:
            self.close()
            raise

    def append(self, line: dict) -> None:
        """Writes a line and returns when it is on disk; if that fails, the file is as before."""
        text, check = _checked_text(line, self._check)
        end = os.fstat(self._file.fileno()).st_size
        try:
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
        except BaseException:
            os.truncate(self.path, end)
            raise
        self._check = check

    def close(self) -> None:
        """Ends the lock."""
        self._file.close()


def _lock(file: IO[bytes], path: Path, kind: str) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if not isinstance(error, BlockingIOError):  # a file system without locks
            return
        raise ValueError(
            f"Expected no other {kind} in {path.parent}, got one that is running; wait for it, or {_ELSEWHERE[kind]}."
        ) from None


def _checked_text(line: dict, before: str) -> tuple[bytes, str]:
    """Returns a line in its stored form, and its checksum, which depends on the checksum of the line before."""
    check = hashlib.sha256((before + json.dumps(line)).encode()).hexdigest()[:_CHECK_DIGITS]
    return (json.dumps({**line, CHECK: check}) + "\n").encode(), check


def read_whole(path: Path, kind: str) -> list[dict]:
    """Returns the lines of a journal, the header first. Raises ValueError if one is damaged, or the last is cut off."""
    with open(path, "rb") as file:
        lines, _, end = _read(file, path, {}, kind)
        if not lines or end < os.fstat(file.fileno()).st_size:
            raise ValueError(f"{path} has no lines." if not lines else f"The last line of {path} is cut off.")
    return lines


def _read(file: IO[bytes], path: Path, header: dict, kind: str) -> tuple[list[dict], str, int]:
    """Returns the whole lines of a file, the checksum of the last, and the position of their end."""
    file.seek(0)
    lines, check, end = [], "", 0
    for number, (text, last) in enumerate(_with_last(file)):
        line = _line_of(text)
        found = line.pop(CHECK, None)
        expected, check_after = _checked_text(line, check)
        if text != expected or found != check_after:
            begun = _checked_text(header, "")[0] if number == 0 else b'{"'
            if last and not text.endswith(b"\n") and (text.startswith(begun) or begun.startswith(text)):
                break
            raise ValueError(
                f"Expected {path} as a {kind} writes it, got line {number + 1} that is damaged or of something else; "
                f"{_ELSEWHERE[kind]}, or restore the file."
            )
        lines.append(line)
        check, end = check_after, end + len(text)
    return lines, check, end


def _with_last(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yields the lines of a file, each with whether it is the last."""
    before = None
    for text in file:
        if before is not None:
            yield before, False
        before = text
    if before is not None:
        yield before, True


def _line_of(text: bytes) -> dict:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
