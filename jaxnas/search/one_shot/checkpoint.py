"""Checkpoints of a one-shot search: one file for each seed, from which it resumes.

A file is written whole or not at all (`jaxnas.files.replace_file`), and holds the state, what was recorded and
a description of the search. States are small, so that one is written with every record; a folder of a file for each
array, as Orbax writes, would take longer than the steps between.
"""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas.files import replace_file

_HEADER, _STEP, _LEAF, _RECORD = "description", "step", "state", "record"


def checkpoint_path(folder: str | os.PathLike, seed: int) -> Path:
    """Returns where the checkpoint of a seed lies in a folder."""
    return Path(folder) / f"search-{seed}.npz"


def write_checkpoint(path: Path, description: dict, step: int, state: Any, records: dict[str, np.ndarray]) -> None:
    """Writes the state after `step` steps, a pytree of arrays, and arrays of records by name."""
    arrays: dict[str, Any] = {f"{_LEAF}{n}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(state))}
    arrays |= {f"{_RECORD}{name}": values for name, values in records.items()}
    arrays |= {_STEP: np.int64(step), _HEADER: np.frombuffer(_text(description), np.uint8)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def read_checkpoint(path: Path, description: dict, like: Any) -> tuple[int, Any, dict[str, np.ndarray]] | None:
    """Returns the number of steps, the state with the structure of `like`, and the records; None without a file.

    Raises ValueError where the file is damaged, none of ours, or of another search.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        header = bytes(found.pop(_HEADER))
        step = int(found.pop(_STEP))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected {path} as a one-shot search writes it, got a file that cannot be read.") from error
    if header != _text(description):
        before, now = json.loads(header), json.loads(_text(description))
        changed = next(key for key in (*now, *before) if before.get(key) != now.get(key))
        raise ValueError(
            f"Expected the checkpoint of this search, got one with another {changed} in {path}; use another folder."
        )
    leaves, structure = jax.tree.flatten(like)
    arrays = [found.get(f"{_LEAF}{number}") for number in range(len(leaves))]
    if any(array is None or array.shape != leaf.shape for array, leaf in zip(arrays, leaves, strict=True)):
        raise ValueError(f"Expected {path} with the state of this search, got another one; use another folder.")
    records = {name.removeprefix(_RECORD): values for name, values in found.items() if name.startswith(_RECORD)}
    return step, jax.tree.unflatten(structure, arrays), records


def _text(description: dict) -> bytes:
    return json.dumps(description, sort_keys=True).encode()
