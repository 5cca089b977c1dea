"""Files of arrays that work resumes from: a header and the arrays, with a SHA-256 over both. No pickles, no archives.

A damaged file is never parsed. The contents of an intact file are used only if they match the reader's expectations,
since anybody can write a hash.
"""

import functools
import hashlib
import json
import math
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

SUFFIX = ".arrays"
_ALIGNED = 64  # bytes; mapped arrays then start at multiples of their item size
_HASH_DIGITS = 64
_TYPE = re.compile(r"[<|][biuf][1248]")
Arrays: TypeAlias = dict[str, np.ndarray]


class Like(NamedTuple):
    """The requirements on an array: its shape, the allowed dtype kinds (NumPy's letters), and whether it is finite."""

    shape: tuple[int, ...]
    kinds: str = "f"
    finite: bool = True


def array_bytes(header: Mapping[str, Any], arrays: Mapping[str, ArrayLike]) -> bytes:
    """Returns the bytes of a file of arrays of numbers by name.

    They are the length of a JSON text in 8 bytes, the text with the header and with types and shapes of the arrays,
    their values, and the SHA-256 of all before as 64 digits. Spaces and zeros fill up to multiples of 64 bytes.
    """
    found = {name: np.asarray(values) for name, values in arrays.items()}
    little = {name: values.astype(values.dtype.newbyteorder("<"), order="C") for name, values in found.items()}
    described = {name: [values.dtype.str, list(values.shape)] for name, values in little.items()}
    text = json.dumps({"header": header, "arrays": described}).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNED)
    parts = [len(text).to_bytes(8, "little"), text]
    for values in little.values():
        parts += [values.tobytes(), bytes(-values.nbytes % _ALIGNED)]
    data = b"".join(parts)
    return data + hashlib.sha256(data).hexdigest().encode()


def arrays_of(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Returns the header and the arrays of a file's bytes, read only. Raises ValueError if they are damaged."""
    if not is_whole(data):
        raise ValueError("a damaged file")
    return parsed(memoryview(data))


def is_whole(data: bytes | memoryview) -> bool:
    """Returns whether bytes end in their hash."""
    return bytes(data[-_HASH_DIGITS:]) == hashlib.sha256(data[:-_HASH_DIGITS]).hexdigest().encode()


def parsed(data: memoryview) -> tuple[dict[str, Any], Arrays]:
    """Returns the header and the arrays of a file that is whole, in its own memory. Raises ValueError otherwise."""
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        text = json.loads(bytes(data[8:start]))
        arrays, end = {}, len(data) - _HASH_DIGITS
        for name, (kind, shape) in text["arrays"].items():
            if not _TYPE.fullmatch(kind) or any(type(size) is not int or size < 0 for size in shape):
                raise ValueError("arrays of numbers that are none")
            array = np.frombuffer(data[start:end], kind, math.prod(shape)).reshape(shape)
            start += array.nbytes + -array.nbytes % _ALIGNED
            arrays[name] = array
        if start != end or not isinstance(text["header"], dict):
            raise ValueError("other bytes than those of its arrays")
        return text["header"], arrays
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"no file of arrays ({type(error).__name__})") from None


def read_arrays(path: Path, header: Mapping[str, Any], expected: Mapping[str, Like]) -> Arrays | None:
    """Returns the arrays of a file; None if it is missing, damaged, or has another header or other arrays."""
    try:
        found, arrays = arrays_of(path.read_bytes())
        check_arrays(arrays, expected)
    except (OSError, ValueError):
        return None
    return arrays if found == header else None


def check_arrays(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Like]) -> None:
    """Raises ValueError if arrays are not those that are expected, and no others."""
    if unlike := sorted(arrays.keys() ^ expected.keys()):
        raise ValueError(f"{unlike[0]:.40}, {'which is missing' if unlike[0] in expected else 'which is unknown'}")
    for name, like in expected.items():
        values = arrays[name]
        if values.shape != like.shape or values.dtype.kind not in like.kinds:
            raise ValueError(f"{name} of {values.dtype} {list(values.shape)} for {list(like.shape)}")
        if like.finite and not np.isfinite(values).all():
            raise ValueError(f"{name} with values that are not finite")


def set_aside(path: Path, again: str) -> None:
    """Renames a damaged file, if there is one, and warns of it.

    Args:
        again: the consequence, for the warning: "its scores are computed again".
    """
    if not path.is_file():
        return
    os.replace(path, path.with_suffix(".damaged"))
    message = f"{path} is damaged: it is now {path.stem}.damaged, and {again}."
    warnings.warn(message, RuntimeWarning, stacklevel=2)


@functools.cache
def mapped(path: Path, size: int, modified: int) -> tuple[dict[str, Any], Arrays] | None:
    """Returns the header and the arrays of a file in the pages of the disk, None if it is damaged.

    Its hash is checked once a process, as long as its size and the time of its change stay.
    """
    try:
        data = np.memmap(path, mode="r").data
        return parsed(data) if len(data) == size and is_whole(data) else None
    except (OSError, ValueError):
        return None
