"""Folders that commands write to."""

import tempfile
from pathlib import Path


def writable(folder: Path) -> Path:
    """Returns the folder, made if need be. Raises ValueError where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(f"Expected a folder to write into, got {folder}: {error.strerror or error}.") from None
