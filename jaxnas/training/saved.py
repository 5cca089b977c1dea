"""The folder of a saved model: arrays by Orbax and a description, each with its hash. Other files are not touched."""

import hashlib
import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas.checks import first_line
from jaxnas.files import locked, remove_leftovers, replace_file

MODEL_FILE = "model.json"
HASH = "sha256"
_COMMITTED = "commit_success.txt"  # which Orbax writes, with the absolute path, and does not read on a disk
_WRITTEN = re.compile(r"arrays-[0-9a-f]{16}|\.arrays-[0-9a-f]{8}\.tmp.*")
_KEYS = {"jaxnas", "space", "arch", "arrays", HASH}


def write_model(folder: Path, description: dict[str, Any], arrays: Any) -> None:
    """Replaces an older model atomically: after any failure the folder holds one or the other.

    Args:
        folder: created if missing; other files in it are kept.
        description: JSON values.

    Raises ValueError if the folder holds a `model.json` of something else, or the description is not JSON.
    """
    import orbax.checkpoint

    try:
        json.dumps(description)
    except TypeError as error:
        raise ValueError(f"Expected a model whose classes can be written as JSON, got: {first_line(error)}.") from None
    _older(folder)  # another's is refused before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".arrays-{secrets.token_hex(4)}.tmp"
    with locked(folder):
        try:
            with orbax.checkpoint.StandardCheckpointer() as checkpointer:
                checkpointer.save(temporary, arrays)
            (temporary / _COMMITTED).unlink(missing_ok=True)
            files = _hashes(temporary)
            name = f"arrays-{hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]}"
            if not (folder / name).exists():
                os.replace(temporary, folder / name)
            whole = {**description, "arrays": name, "shapes": _shapes(arrays), "files": files}
            replace_file(folder / MODEL_FILE, json.dumps({**whole, HASH: _hash_of(whole)}, indent=1).encode())
        finally:  # leftovers of older models and killed writers
            kept = _older(folder)
            for path in folder.glob("*arrays-*"):
                if _WRITTEN.fullmatch(path.name) and path.name != kept:
                    shutil.rmtree(path, ignore_errors=True)
            remove_leftovers(folder)


def read_description(folder: Path) -> dict[str, Any]:
    """Returns the description of a saved model, after checking its hash and the hashes of its arrays.

    Raises ValueError if the folder holds no model, or one that was changed.
    """
    found = _described(folder)
    if found is None:
        raise ValueError(f"Expected a folder that FittedModel.save wrote, got {folder}.")
    expected = found.pop(HASH)
    if expected != _hash_of(found):
        raise ValueError(f"Expected {folder / MODEL_FILE} as FittedModel.save wrote it, got a file that was changed.")
    if not _is_own(found["arrays"]) or not isinstance(found.get("files"), dict):
        raise ValueError(f"Expected {folder / MODEL_FILE} to name its arrays, got {found['arrays']!r:.40}.")
    files = _hashes(folder / found["arrays"])
    if changed := sorted(name for name in {**files, **found["files"]} if files.get(name) != found["files"].get(name)):
        raise ValueError(
            f"Expected {folder / found['arrays'] / changed[0]} as FittedModel.save wrote it, got a file that was "
            "changed or is missing."
        )
    return found


def read_arrays(folder: Path, description: dict[str, Any], like: Any) -> Any:
    """Returns the arrays of a saved model, of the structure and shapes of `like`. Raises ValueError on others."""
    import orbax.checkpoint

    path = folder / description["arrays"]
    if description.get("shapes") != _shapes(like):  # Orbax would print the errors of its threads
        raise ValueError(f"Expected {path} with the arrays of this model, got others.")
    try:
        with orbax.checkpoint.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(path, like)
    except Exception as error:  # Orbax does not document which ones
        raise ValueError(f"Expected {path} with the arrays of this model, got: {first_line(error)}.") from None


def _described(folder: Path) -> dict[str, Any] | None:
    """Returns the content of a folder's model file, unchecked; None if there is no such file of a model."""
    try:
        found = json.loads((folder / MODEL_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and set(found) >= _KEYS else None


def _older(folder: Path) -> str | None:
    """Returns the name of the arrays of the model that a folder holds, None without one."""
    if not (folder / MODEL_FILE).exists():
        return None
    found = _described(folder)
    if found is None:
        raise ValueError(
            f"Expected a folder for a model, got {folder} with a {MODEL_FILE} that FittedModel.save did not write; "
            "give another folder."
        )
    return found["arrays"] if _is_own(found["arrays"]) else None


def _shapes(arrays: Any) -> list[list[int]]:
    return [list(np.shape(each)) for each in jax.tree.leaves(arrays)]


def _is_own(name: object) -> bool:
    return isinstance(name, str) and name.startswith("arrays-") and name.removeprefix("arrays-").isalnum()


def _hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file in a folder, by its path there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _hash_of(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
