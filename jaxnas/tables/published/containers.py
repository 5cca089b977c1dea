"""Opens the files that pickles come in: bare, bz2, and torch files of both forms, which need no torch."""

import bz2
import contextlib
import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from jaxnas.tables.published.base import Progress
from jaxnas.tables.published.pickled import Storage, Tensor
from jaxnas.tables.published.unpickle import Reader

_LEGACY = b"\x80\x02\x8a\n" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
"""The first bytes of a torch file of the older form."""
_LARGEST_TENSOR = 10_000_000
_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "BoolStorage": "u1",
}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """Gives the bytes of the pickles in a file, and how many bytes of the file itself are read.

    The file is a pickle, bz2 of one, a torch file of the older form (pickles one after the other), or one of the form
    since torch 1.6 (a zip file with `data.pkl`).
    """
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start[:3] == b"BZh":
            with bz2.open(file) as inner:
                yield inner, file.tell  # type: ignore[misc]
        elif start == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive, archive.open(_main_name(archive)) as inner:
                yield inner, file.tell  # type: ignore[misc]
        else:
            yield file, file.tell


@contextlib.contextmanager
def reader_of(
    path: Path,
    progress: Progress = lambda name, done, total: None,
    finished: Callable[[dict], None] = lambda found: None,
) -> Iterator[Reader]:
    """Gives the reader of a file before its value: past the three pickles that an older torch file starts with.

    `progress` receives the number of bytes of the file that are read; `finished` is for `Reader`.
    Raises ValueError, also for errors of a damaged archive.
    """
    size = path.stat().st_size
    try:
        with opened(path) as (file, read_so_far):
            reader = Reader(file, size, finished, lambda: progress(path.name, read_so_far(), size))
            if reader.source.peek(14).startswith(_LEGACY):
                for _ in range(3):
                    reader.load()
            yield reader
    except (OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise ValueError(f"a damaged archive ({str(error) or type(error).__name__})") from None


def value_of(path: Path) -> Any:
    """Returns the value of a file, a tensor that it is or that a list or a dictionary holds as a NumPy array."""
    with reader_of(path) as reader:
        value = reader.load()
        return _values(path, reader, value) if isinstance(value, Tensor) else value


def _values(path: Path, reader: Reader, tensor: Tensor) -> np.ndarray:
    """Returns the numbers of a tensor, from the zip file or from behind the pickles of the older form."""
    storage = tensor.storage
    if storage.type not in _TYPES or not 0 <= storage.size <= _LARGEST_TENSOR:
        raise ValueError(
            f"Expected a tensor of at most {_LARGEST_TENSOR:,} numbers, got {storage.size} {storage.type}."
        )
    kind = np.dtype(_TYPES[storage.type])
    raw = _zipped_storage(path, storage) if zipfile.is_zipfile(path) else _legacy_storage(reader, storage, kind)
    values = np.frombuffer(raw[: storage.size * kind.itemsize], kind)
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    negative = min((*tensor.shape, *tensor.strides, tensor.offset, 1)) < 0
    if negative or not 0 <= last < len(values) or math.prod(tensor.shape) > storage.size:
        raise ValueError(f"Expected a tensor within its storage, got shape {tensor.shape}.")
    strides = [stride * kind.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides).copy()


def _zipped_storage(path: Path, storage: Storage) -> bytes:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        name = _main_name(archive).removesuffix("data.pkl") + f"data/{storage.key}"
        with archive.open(name) as inner:
            return inner.read(8 * _LARGEST_TENSOR)


def _legacy_storage(reader: Reader, storage: Storage, kind: np.dtype) -> bytes:
    """Returns the bytes of the first storage: an older torch file has their keys, and then size and bytes of each."""
    if reader.load() != [storage.key]:
        raise ValueError("Expected a torch file of one tensor, got several.")
    size = int.from_bytes(reader.source.read(8), "little")
    if size != storage.size:
        raise ValueError(f"Expected a storage of {storage.size:,} numbers, got {size:,}.")
    return reader.source.read(size * kind.itemsize)


def _main_name(archive: zipfile.ZipFile) -> str:
    found = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(found) != 1:
        raise ValueError("Expected a torch file with one data.pkl, got a zip file without.")
    return found[0]
