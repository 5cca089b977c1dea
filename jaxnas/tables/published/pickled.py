"""The names that a pickle of plain data may use: types and functions by which it makes values. None is called.

Each has its replacement here, which makes the value from the file's arguments, or refuses it.
"""

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnas.tables.published.budget import CONTAINER, MOST_KEYS, TEXT, Budget

SCALARS = frozenset({str, int, float, bytes, bool, type(None)})


class Storage(NamedTuple):
    """A torch storage that a file refers to: the place of its bytes, not the bytes."""

    key: str
    type: str
    size: int


class Tensor(NamedTuple):
    """A torch tensor that a file refers to."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Described:
    """A NumPy type, or an array, which a pickle makes first and describes afterwards."""

    def __init__(self) -> None:
        self.dtype: np.dtype | None = None
        self.values: np.ndarray | None = None

    def set(self, state: Any) -> None:
        if self.dtype is not None:  # a type: its byte order
            self.dtype = self.dtype.newbyteorder(state[1]) if state[1] in ("<", ">") else self.dtype
            return
        shape, described, _, raw = state[1:5]
        if type(described) is not Described or described.dtype is None or type(raw) is not bytes:
            raise ValueError("Expected an array of numbers, got another one.")
        order: Literal["F", "C"] = "F" if state[3] else "C"
        self.values = np.frombuffer(raw, described.dtype).reshape([int(size) for size in shape], order=order)


def plain(value: Any) -> Any:
    """Returns a value of a pickle as its reader needs it: an array as NumPy has it."""
    return value.values if type(value) is Described else value


def copied(value: Any, budget: Budget) -> Any:
    """Returns a value whose containers are no other value's; all that it holds counts."""
    kind = type(value)
    if kind in (dict, list, tuple, set, frozenset):
        budget.hold(CONTAINER + len(value))
        return kind([copied(each, budget) for each in (value.items() if kind is dict else value)])
    budget.hold((len(value) if kind in (str, bytes) else getattr(plain(value), "nbytes", 0)) // TEXT)
    return value


def _dtype(name: Any, *_: Any) -> Described:
    found = Described()
    if type(name) is not str or not re.fullmatch(r"[<>=|]?([biuf][1248]|S\d{1,3}|U\d{1,3})", name):
        raise ValueError(f"Expected a NumPy type of numbers, got a {type(name).__name__}.")
    found.dtype = np.dtype(name)
    return found


def _scalar(described: Any, raw: Any) -> Any:
    if type(described) is not Described or described.dtype is None or type(raw) is not bytes:
        raise ValueError("Expected a NumPy scalar, got another one.")
    if len(raw) != described.dtype.itemsize:
        raise ValueError(f"Expected a NumPy scalar of {described.dtype.itemsize} bytes, got {len(raw)}.")
    return np.frombuffer(raw, described.dtype)[0].item()


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if type(storage) is not Storage:
        raise ValueError("Expected a tensor with a storage, got another one.")
    return Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _array(raw: Any, described: Any, shape: Any, order: Any) -> Described:
    found = Described()
    found.set((1, shape, described, order == "F", bytes(raw)))
    return found


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if encoding != "latin1":
        raise ValueError("Expected bytes as latin1, got others.")
    return text.encode("latin1")


def _dict(pairs: Any = ()) -> dict:
    return dict(zip(checked_keys([key for key, _ in pairs]), [value for _, value in pairs], strict=True))


STORAGE = re.compile(r"torch\.([A-Z]\w{2,15}Storage)")
CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dict,
    "builtins.set": lambda items=(): set(checked_keys(items)),
    "__builtin__.set": lambda items=(): set(checked_keys(items)),
    "builtins.frozenset": lambda items=(): frozenset(checked_keys(items)),
    "numpy.dtype": _dtype,
    "numpy.ndarray": lambda *_: Described(),
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.multiarray._reconstruct": lambda *_: Described(),
    "numpy._core.multiarray._reconstruct": lambda *_: Described(),
    "numpy.core.numeric._frombuffer": _array,
    "numpy._core.numeric._frombuffer": _array,
    "_codecs.encode": _encode,
    "builtins.bytes": lambda: b"",
    "__builtin__.bytes": lambda: b"",
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor": _tensor,
}


def checked_keys(values: Any) -> Any:
    """Returns keys. Raises ValueError if they are more than are hashed at once, or other than `checked_key` takes."""
    if len(values) > MOST_KEYS:
        raise ValueError(f"Expected at most {MOST_KEYS:,} keys at once, got {len(values):,}.")
    return values if SCALARS.issuperset(map(type, values)) else [checked_key(each) for each in values]


def checked_key(value: Any) -> Any:
    """Returns a key of a dictionary. Raises ValueError if it is no scalar and no tuple of scalars."""
    if type(value) in SCALARS or (type(value) is tuple and all(type(each) in SCALARS for each in value)):
        return value
    raise ValueError(f"Expected keys that are strings, numbers or tuples of them, got a {type(value).__name__}.")
