"""The types of options: string to value, or one line that states the expected form."""

import argparse
import math

from jaxnas.checks import NUM_SEEDS, is_file_name

MAX_COUNT = 2**31 - 1
MAX_DIGITS = 100


def count(text: str) -> int:
    """Returns a whole number of 1 or more."""
    return _whole(text, 1, MAX_COUNT)


def natural(text: str) -> int:
    """Returns a whole number of 0 or more."""
    return _whole(text, 0, NUM_SEEDS - 1)


def _whole(text: str, least: int, largest: int) -> int:
    if not text.isdecimal() or (least and text.strip("0") == ""):
        raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text!r}")
    if len(text) > MAX_DIGITS or int(text) > largest:  # Python refuses to read very many digits
        raise argparse.ArgumentTypeError(f"expected a whole number of at most {largest:,}, got {text:.30}")
    return int(text)


def shard(text: str) -> tuple[int, int]:
    """Returns i and N of `i/N`."""
    number, _, count = text.partition("/")
    digits = number.isdecimal() and count.isdecimal() and len(text) <= MAX_DIGITS
    if not (digits and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"expected i/N with i from 1 to N, got {text!r}")
    return int(number), int(count)


def pair(text: str) -> tuple[int, int]:
    """Returns M and K of `M,K`."""
    first, _, second = text.partition(",")
    if not (first.isdecimal() and second.isdecimal() and int(first) and int(second)):
        raise argparse.ArgumentTypeError(f"expected M,K, two whole numbers of 1 or more, got {text!r}")
    return int(first), int(second)


def counts(text: str) -> list[int]:
    """Returns whole numbers of 1 or more, with commas between."""
    return [count(part) for part in text.split(",")]


def names(text: str) -> list[str]:
    """Returns names with commas between."""
    return [part.strip() for part in text.split(",")]


def amount(text: str) -> float:
    """Returns a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def table_id(text: str) -> str:
    """Returns an identifier that can name a file."""
    if not is_file_name(text):
        raise argparse.ArgumentTypeError(f"expected an identifier of letters, digits, dots and dashes, got {text!r}")
    return text
