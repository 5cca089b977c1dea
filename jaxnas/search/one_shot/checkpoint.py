"""Checkpoints of a one-shot search: one file for each seed, from which it resumes.

A file is written whole or not at all (`jaxnas.files.replace_file`), and holds the state, the
records and a description of the search. States are small, so one is written with every record; a
folder of a file for each array, as Orbax writes, would take longer than the steps between.
"""

import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas.array_files import SUFFIX, Arrays, Like, array_bytes, arrays_of, check_arrays, set_aside
from jaxnas.files import replace_file

_LEAF, _RECORD = "state", "record"
_CHOSEN = ("arch", "score", "num_scored")


def checkpoint_path(folder: str | os.PathLike, seed: int) -> Path:
    """Returns the path of the checkpoint of a seed in a folder."""
    return Path(folder) / f"search-{seed}{SUFFIX}"


def write_checkpoint(path: Path, description: dict, step: int, state: Any, records: dict[str, np.ndarray]) -> None:
    """Writes the state after `step` steps, a pytree of arrays, and arrays of records by name."""
    arrays: dict[str, Any] = {f"{_LEAF}{n}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(state))}
    arrays |= {f"{_RECORD}{name}": values for name, values in records.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, array_bytes({"search": description, "step": step}, arrays))


def read_checkpoint(
    path: Path, description: dict, like: Any, bounds: np.ndarray, records: Arrays
) -> tuple[Any, Arrays] | None:
    """Returns the state with the structure of `like`, and the records; None without a file.

    A damaged file is set aside, with a warning, and counts as none.

    Args:
        bounds: the numbers of steps at which a search is recorded, from 0.
        records: those before the first step, without rows.

    Raises ValueError if the file is of another search, or holds values that no search writes.
    """
    try:
        header, arrays = arrays_of(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        set_aside(path, "its search begins again")
        return None
    _check_search(path, json.loads(json.dumps(description)), header.get("search"))
    leaves, structure = jax.tree.flatten(like)
    expected = {f"{_LEAF}{n}": Like(leaf.shape, leaf.dtype.kind) for n, leaf in enumerate(leaves)}
    try:
        done = _check_records(arrays, expected, bounds, records)
        if header.get("step") != bounds[done]:
            raise ValueError("another step than its records")
    except ValueError as error:
        raise ValueError(f"Use another folder: {path} has {error}. Expected the state of this search.") from None
    state = [arrays[f"{_LEAF}{number}"] for number in range(len(leaves))]
    found = {name.removeprefix(_RECORD): values for name, values in arrays.items() if name.startswith(_RECORD)}
    return jax.tree.unflatten(structure, state), found


def _check_search(path: Path, now: dict, before: Any) -> None:
    if before != now:
        known = before if isinstance(before, dict) else {}
        changed = next((key for key in (*now, *known) if known.get(key) != now.get(key)), "search")
        raise ValueError(f"Use another folder: {path} is of another search. Expected one with this {changed}.")


def _check_records(arrays: Arrays, state: dict[str, Like], bounds: np.ndarray, records: Arrays) -> int:
    """Returns the number of records. Raises ValueError if arrays are not the state and the records of a search."""
    steps = arrays.get(f"{_RECORD}steps", bounds[:0])
    done, expected = steps.size, dict(state)
    for name, values in records.items():  # losses of alpha are NaN if a method has none
        expected[f"{_RECORD}{name}"] = Like((done, *values.shape[1:]), values.dtype.kind, name != "losses")
    chosen = [name for name in _CHOSEN if f"{_RECORD}{name}" in arrays]
    for name in chosen:
        shape = arrays[f"{_RECORD}{name}"].shape if name == "arch" else ()
        expected[f"{_RECORD}{name}"] = Like(shape, "f" if name == "score" else "i", False)
    check_arrays(arrays, expected)
    if not np.array_equal(steps, bounds[1 : done + 1]):
        raise ValueError("steps that no search records")
    if chosen and (len(chosen) < len(_CHOSEN) or done + 1 != len(bounds)):
        raise ValueError("an architecture before its last step")
    return done
