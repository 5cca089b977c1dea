"""Names of a table's files, and files that are written whole or not at all. Needs the standard library only."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

TABLE_FILE, MANIFEST_FILE, CARD_FILE = "table.parquet", "manifest.json", "README.md"
TEMPORARY_SUFFIX = ".tmp"
OUT = Path("jaxnas-out")
"""The folder for all that commands write, unless another one is named."""


def out_path(out: str | os.PathLike | None, command: str, name: str) -> Path:
    """Returns the path for the results of a command: `out`, or by default `jaxnas-out/<command>-<name>`."""
    return Path(out) if out else OUT / f"{command}-{name}"


def writable(folder: Path) -> Path:
    """Returns the folder, made if need be. Raises ValueError if it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(f"Expected a folder to write into, got {folder}: {error.strerror or error}.") from None


def replace_file(path: Path, data: bytes) -> None:
    """Writes a file atomically: after any failure it is either the old one or the new one."""
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        with open(temporary, "xb") as file:  # with the permissions that the umask leaves
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except FileNotFoundError:
        if not path.exists():  # else another process has written the file and removed this one as a leftover
            raise
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Asks the system, if it supports this, to make the names in a folder survive a loss of power."""
    with contextlib.suppress(OSError):  # Windows opens no folders, and some file systems refuse
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files that a killed process left in a folder.

    A temporary file counts as a leftover if the file itself was written later, so no file being written now is lost.
    """
    for temporary in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        path = folder / temporary.name.removeprefix(".").removesuffix(TEMPORARY_SUFFIX).rpartition(".")[0]
        with contextlib.suppress(FileNotFoundError):
            if path != folder and path.stat().st_mtime_ns > temporary.stat().st_mtime_ns:
                temporary.unlink()


@contextlib.contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Holds the lock of a folder. Raises BlockingIOError if another process holds it and `wait` is False."""
    try:
        import fcntl
    except ImportError:  # a system without such locks: one writer at a time is left to the user
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)
