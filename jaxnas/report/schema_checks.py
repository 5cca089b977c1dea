"""Checks of values that `summary.json` holds, and how they are put together.

A check is a function of a value, of where it is, and of the lengths that lists have had so far, by name: all lists of
one name must be equally long. It raises ValueError on a value that is not as it must be.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

Sizes = dict[str, int]
Check = Callable[[Any, str, Sizes], None]

LARGEST = 1e18


def refuse(where: str, expected: str, value: Any) -> ValueError:
    """Returns the error for a value that is not as it must be."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return ValueError(f"expected {where.lstrip('.') or 'it'} to be {expected}, got {shown}")


def number(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is a finite number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -LARGEST <= value <= LARGEST:
        raise refuse(where, "a finite number", value)


def count(least: int = 0) -> Check:
    """Returns the check of a whole number of at least `least`."""

    def check(value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST:
            raise refuse(where, f"a whole number of {least} or more", value)

    return check


def text(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is a text."""
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise refuse(where, "a text", value)


def words(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is a text that is not empty."""
    text(value, where, sizes)
    if not value:
        raise refuse(where, "a text with words", value)


def flag(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is true or false."""
    if not isinstance(value, bool):
        raise refuse(where, "true or false", value)


def anything(value: Any, where: str, sizes: Sizes) -> None:
    """Takes any value."""


def one_of(*values: Any) -> Check:
    """Returns the check of one of some values."""

    def check(value: Any, where: str, sizes: Sizes) -> None:
        if isinstance(value, bool) or value not in values:
            raise refuse(where, " or ".join(map(str, values)), value)

    return check


def maybe(inner: Check) -> Check:
    """Returns the check of None, or of what another check takes."""
    return lambda value, where, sizes: None if value is None else inner(value, where, sizes)


def listed(inner: Check, size: str = "", least: int = 0, longer_by: int = 0) -> Check:
    """Returns the check of a list: of at least some values, as long as the other lists of `size`, less `longer_by`."""

    def check(value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise refuse(where, f"a list of {least} or more", value)
        if size and sizes.setdefault(size, len(value) - longer_by) != len(value) - longer_by:
            raise refuse(where, f"a list of {sizes[size] + longer_by}", value)
        for number, each in enumerate(value):
            inner(each, f"{where}[{number}]", sizes)

    return check


def mapped(inner: Check, key: Check = text, least: int = 0) -> Check:
    """Returns the check of a dictionary of at least some names, each of which one check takes, each value another."""

    def check(value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, dict) or len(value) < least:
            raise refuse(where, f"names with values, {least} or more", value)
        for name, each in value.items():
            key(name, where, sizes)
            inner(each, f"{where}.{name}", sizes)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, own: str = "") -> Check:
    """Returns the check of a dictionary with some keys. Lists named `own` are equally long within it only."""

    def check(value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, dict):
            raise refuse(where, f"a dictionary with {', '.join(required)}", value)
        sizes = {name: each for name, each in sizes.items() if name != own} if own else sizes
        for name, inner in {**required, **(optional or {})}.items():
            if name in value:
                inner(value[name], f"{where}.{name}", sizes)
            elif name in required:
                raise ValueError(f"expected {f'{where}.{name}'.lstrip('.')}, got a file without it")

    return check


def share(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is a share from 0 to 1, or the text of one."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found <= 1:
        raise refuse(where, "shares from 0 to 1", value)


def metric(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is a metric: its name, unit and direction."""
    parts = {"name": words, "unit": text, "better": one_of(1, -1)}
    fields(parts)(value, where, sizes)
    if set(value) != set(parts):
        raise refuse(where, f"a dictionary of {', '.join(parts)}", value)


def versions(value: Any, where: str, sizes: Sizes) -> None:
    """Checks that it is the versions of packages, jaxnas among them."""
    mapped(text)(value, where, sizes)
    fields({"jaxnas": text})(value, where, sizes)
