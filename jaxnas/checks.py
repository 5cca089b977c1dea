"""Checks of arguments, with errors of one form: "Expected ..., got ...". Loads no JAX."""

import difflib
import importlib.util
import math
import operator
import re
from collections.abc import Callable, Iterable

NUM_SEEDS = 2**32
"""Seeds are whole numbers below this, the range that a generator distinguishes."""
_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
MAX_FILE_NAME = 100


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Returns the error for an unknown name, with the nearest known names; upper and lower case count as equal."""
    known = sorted(known)
    by_lower = {each.lower(): each for each in known}
    given = str(name).lower().replace(" ", "_")
    near = [given] if given in by_lower else difflib.get_close_matches(given, by_lower, n=3, cutoff=0.4)
    if given.isdecimal():  # numbers with a digit in common are not near
        near = []
    hint = f"Did you mean {' or '.join(by_lower[each] for each in near)}?" if near else f"{name!r} is unknown."
    return ValueError(f"{hint} Expected {kind} of {', '.join(known)}, got {name!r}.")


def checked_size(name: str, value: int, smallest: int = 1, largest: int | None = None, why: str = "") -> int:
    """Returns a hyperparameter that is an int of at least `smallest`. Raises ValueError otherwise.

    Args:
        largest: the upper bound; None for none.
        why: the reason for the bound, for the error.
    """
    if not isinstance(value, int) or value < smallest:
        raise ValueError(f"Expected {name} to be an int of at least {smallest}, got {value!r:.40}.")
    if largest is not None and value > largest:
        raise ValueError(f"Expected {name} of at most {largest:,}{f', {why}' if why else ''}, got {value:,}.")
    return value


def checked_sizes(sizes: dict[str, int]) -> tuple[tuple[str, int], ...]:
    """Returns hyperparameters by name that are ints of at least 1, as pairs. Raises ValueError otherwise."""
    return tuple((name, checked_size(name, value)) for name, value in sizes.items())


def checked_seed(value: int, largest: int = NUM_SEEDS - 1) -> int:
    """Returns a seed as an int. Raises ValueError if it is not from 0 to `largest`."""
    try:
        seed = operator.index(value)
    except TypeError:
        seed = -1
    if not 0 <= seed <= largest:
        raise ValueError(f"Expected a seed that is a whole number from 0 to {largest:,}, got {value!r:.40}.")
    return seed


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message; a KeyError or an empty message also gives the error's type."""
    if isinstance(error, RecursionError):
        return "values in values in values, too deep to read"
    text = str(error).splitlines()[0] if str(error).strip() else ""
    return text.rstrip(".") if text and not isinstance(error, KeyError) else f"{type(error).__name__} {text}".strip()


def failure_of(error: BaseException) -> str:
    """Returns the type and the first line of an error in user code, at most 500 characters of the message."""
    try:
        lines = str(error)[:500].splitlines()
    except Exception as another:  # a user-defined error class
        return failure_of(another)
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def is_installed(module: str) -> bool:
    """Returns whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def is_file_name(text: object) -> bool:
    """Returns whether a string can safely name a file or a folder: ASCII letters, digits, `_`, `.` and `-`."""
    return isinstance(text, str) and len(text) <= MAX_FILE_NAME and _FILE_NAME.fullmatch(text) is not None


def checked_flag(name: str, value: bool) -> bool:
    """Returns a hyperparameter that is True or False. Raises ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"Expected {name} to be True or False, got {value!r}.")
    return value


def checked_function(name: str, value: object) -> Callable:
    """Returns a hyperparameter that is a function. Raises ValueError otherwise."""
    if not callable(value):
        raise ValueError(f"Expected {name} to be a function, got {value!r}.")
    return value


def checked_number(
    name: str, value: float, *, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf
) -> float:
    """Returns a hyperparameter that is a number within bounds. Raises ValueError otherwise."""
    number = isinstance(value, int | float) and math.isfinite(value)
    if not number or not (above < value <= at_most and at_least <= value):
        bounds = {"above": above, "of at least": at_least, "of at most": at_most}
        text = " and".join(f" {word} {bound}" for word, bound in bounds.items() if math.isfinite(bound))
        raise ValueError(f"Expected {name} to be a number{text}, got {value!r}.")
    return value


def printable(text: str) -> str:
    """Returns a string with the replacement character instead of each character that XML cannot represent."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
