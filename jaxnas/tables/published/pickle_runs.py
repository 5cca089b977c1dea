"""Runs of pairs in pickles, a key and a float each: found by a regular expression, decoded by NumPy at once."""

import functools
import re
from typing import Any, NamedTuple

import numpy as np

from jaxnas.tables.published.pickled import checked_key

SHORTEST = 4
"""Pairs of a run that is worth it."""


class Run(NamedTuple):
    """Consecutive pairs of a key and a float on the stack."""

    keys: list
    values: bytes


FLOATS = re.compile(rb"(?s)(?:G.{8})+")
PUTS = {b"\x94": 1, b"q": 2, b"r": 5}


@functools.cache
def numbers_pattern(code: int) -> re.Pattern:
    return re.compile(rb"(?s)(?:K.G.{8})+" if code == 0x4B else rb"(?s)(?:M..G.{8})+")


@functools.cache
def known_pattern(code: int) -> re.Pattern:
    return re.compile(rb"(?s)(?:h.G.{8})+" if code == 0x68 else rb"(?s)(?:j.{4}G.{8})+")


@functools.cache
def names_pattern(head: bytes, length: int, put: bytes) -> re.Pattern:
    item = re.escape(head) + b".{%d}" % length + re.escape(put) + b".{%d}" % (PUTS[put] - 1)
    return re.compile(b"(?s)(?:" + item + b"G.{8})+")


def little_endian(view: np.ndarray) -> list[int]:
    """Returns little-endian unsigned numbers of bytes [n, width]."""
    padded = np.zeros((len(view), 8), np.uint8)
    padded[:, : view.shape[1]] = view
    return padded.view("<u8")[:, 0].tolist()


@functools.lru_cache(maxsize=4096)
def _texts(raw: bytes, length: int) -> tuple[str, ...]:
    return tuple(raw[start : start + length].decode() for start in range(0, len(raw), length))


def texts_of(raw: bytes, length: int) -> list[str]:
    return list(_texts(raw, length)) if length else [""] * 0


def flat(items: list) -> list:
    """Returns what is on the stack with its runs as single keys and values."""
    if Run not in map(type, items):
        return items
    flat: list = []
    for item in items:
        if type(item) is Run:
            for pair in zip(item.keys, np.frombuffer(item.values, ">f8").tolist(), strict=True):
                flat.extend(pair)
        else:
            flat.append(item)
    return flat


def fill(target: dict, items: list) -> None:
    """Puts keys and values, and runs of them, into a dictionary."""
    missing = object()
    key: Any = missing
    for item in items:
        if type(item) is Run and key is missing:
            target.update(zip(item.keys, np.frombuffer(item.values, ">f8").tolist(), strict=True))
        elif type(item) is Run:  # it starts with the value of a key before it
            return fill(target, flat(items))
        elif key is missing:
            key = checked_key(item)
        else:
            target[key] = item
            key = missing
    if key is not missing:
        raise ValueError("Expected a value for every key of a dictionary, got one key more.")
