"""Records: values as JSON has them, and whether they are of a shape.

A shape is a `Kind` of value, `[SHAPE]` for a list, a dictionary of shapes by key, or a tuple of
shapes of which one must fit. A key of a dictionary that ends with "?" may be missing; keys that it
does not name are not checked. `Rows` and `Names` are lists and dictionaries with more conditions.
Needs no more than Python.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

LARGEST = 10**18
Sizes = dict[str, int]


@dataclass(frozen=True)
class Kind:
    """A value that is not looked into: how errors call it, and the test whether a value is one."""

    name: str
    test: Callable[[Any], bool]


def whole(low: int = 0, high: int = LARGEST) -> Kind:
    """Returns the kind of a whole number within bounds."""
    return Kind(
        f"a whole number from {low:,} to {high:,}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
    )


def one_of(*values: Any) -> Kind:
    """Returns the kind of one of some values."""
    return Kind(
        " or ".join(map(str, values)),
        lambda value: any(type(value) is type(each) and value == each for each in values),
    )


def is_number(value: Any, largest: float = LARGEST) -> bool:
    """Returns whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -largest <= value <= largest


def is_text(value: Any) -> bool:
    """Returns whether a value is a string that can be written as UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


NUMBER = Kind("a finite number", is_number)
POSITIVE = Kind("a number above 0", lambda value: is_number(value) and value > 0)
TEXT = Kind("a text", is_text)
WORDS = Kind("a text that is not empty", lambda value: is_text(value) and value != "")
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NULL = Kind("null", lambda value: value is None)


@dataclass(frozen=True)
class Rows:
    """A list.

    Attributes:
        of: the shape of each value.
        size: lists of one name are equally long in a record and in those around it.
        least: the smallest length.
    """

    of: "Shape"
    size: str = ""
    least: int = 0


@dataclass(frozen=True)
class Names:
    """A dictionary with at least `least` keys of one kind, and values of one shape."""

    of: "Shape"
    key: Kind = TEXT
    least: int = 0


Shape: TypeAlias = "Kind | Rows | Names | list[Any] | tuple[Any, ...] | Mapping[str, Any]"


def check(value: Any, shape: Shape, where: str = "", sizes: Sizes | None = None) -> None:
    """Raises ValueError if a value is not of a shape.

    Args:
        where: the place of the value in a record, for the error.
        sizes: the lengths of lists that are known, by the names in `Rows`.
    """
    sizes = {} if sizes is None else sizes
    match shape:
        case Kind():
            if not shape.test(value):
                raise misfit(value, shape.name, where)
        case Rows():
            _check_rows(value, shape, where, sizes)
        case Names():
            _check_names(value, shape, where, sizes)
        case list():
            _check_rows(value, Rows(*shape), where, sizes)
        case tuple():
            _check_any(value, shape, where, sizes)
        case _:
            _check_record(value, shape, where, dict(sizes))


def misfit(value: Any, expected: str, where: str) -> ValueError:
    """Returns the error for a value that is not as expected."""
    return ValueError(f"{value!r:.60} where {expected} should be{f' at {where}' if where else ''}")


def _check_rows(value: Any, shape: Rows, where: str, sizes: Sizes) -> None:
    if not isinstance(value, list) or len(value) < shape.least:
        raise misfit(value, f"a list of {shape.least} or more", where)
    if shape.size and sizes.setdefault(shape.size, len(value)) != len(value):
        raise misfit(value, f"a list of {sizes[shape.size]}", where)
    for number, each in enumerate(value):
        check(each, shape.of, f"{where}[{number}]", sizes)


def _check_names(value: Any, shape: Names, where: str, sizes: Sizes) -> None:
    if not isinstance(value, dict) or len(value) < shape.least:
        raise misfit(value, f"names and values, {shape.least} or more,", where)
    for name, each in value.items():
        check(name, shape.key, where)
        check(each, shape.of, _within(where, name), sizes)


def _check_record(value: Any, shape: Mapping[str, Shape], where: str, sizes: Sizes) -> None:
    if not isinstance(value, dict):
        raise misfit(value, f"a dictionary with {', '.join(name for name in shape if not name.endswith('?'))}", where)
    for name, each in shape.items():
        key = name.removesuffix("?")
        if key in value:
            check(value[key], each, _within(where, key), sizes)
        elif key == name:
            raise ValueError(f"nothing for {_within(where, key)}")


def _check_any(value: Any, shapes: tuple[Shape, ...], where: str, sizes: Sizes) -> None:
    first, *others = shapes
    if not any(_fits(value, each, sizes) for each in others):
        check(value, first, where, sizes)


def _fits(value: Any, shape: Shape, sizes: Sizes) -> bool:
    try:
        check(value, shape, sizes=sizes)
        return True
    except ValueError:
        return False


def _within(where: str, name: str) -> str:
    return f"{where}.{name:.40}" if where else f"{name:.40}"
