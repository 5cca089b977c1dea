"""Sequences and text as arrays of one length: padding, characters as tokens."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

PADDING = -1
"""The token, or the label of a step, that is none."""
MAX_STEPS = 2**16
MAX_VALUES = 2**28
MAX_TOKENS = 2**16
"""The maximum number of different tokens or tags: a number for each is kept at every step."""


def is_text(values: Any) -> bool:
    """Returns whether data are strings, one or more."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind != "O":
            return values.dtype.kind == "U" and values.size > 0
        values = values.reshape(-1).tolist()
    return isinstance(values, list | tuple) and len(values) > 0 and all(isinstance(each, str) for each in values)


def is_ragged(values: Any) -> bool:
    """Returns whether data are sequences of unequal length."""
    if not isinstance(values, list | tuple) and not (isinstance(values, np.ndarray) and values.dtype.kind == "O"):
        return False
    try:
        lengths = {len(each) for each in values}
    except TypeError:  # numbers have no length
        return False
    return len(lengths) > 1


def as_array(values: Any, expected: str) -> np.ndarray:
    """Returns data as one array. Raises ValueError if its parts have unequal shapes; `expected` describes them."""
    try:
        return np.asarray(values)
    except ValueError:  # as NumPy says it
        raise ValueError(f"Expected {expected}, got parts of unequal shapes.") from None


def tokens_of(values: Any, num_steps: int | None = None) -> np.ndarray:
    """Returns tokens as one array [n, t]: lists of unequal length as int32[n, T], -1 after the end of each.

    Args:
        num_steps: T; by default the length of the longest list.
    """
    if np.ma.is_masked(values):
        raise ValueError("Expected tokens without a mask, got masked values; give padding as -1.")
    if not is_ragged(values):
        return as_array(values, "tokens int[n, T], -1 for padding")
    return padded_labels(values, _checked_steps([len(each) for each in values], num_steps, "sequences", "tokens"))


def characters_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the characters that occur in strings, sorted."""
    return tuple(sorted(set().union(*texts)))


def encoded(texts: Any, vocabulary: Sequence[str], num_steps: int | None = None) -> np.ndarray:
    """Returns strings as numbers of characters, int32[n, T], -1 after the end of each.

    Args:
        texts: strings, [n].
        vocabulary: the known characters, in their order.
        num_steps: T; by default the length of the longest string.

    Raises ValueError on an empty string, an unknown character, or a string longer than T.
    """
    if not is_text(texts):
        raise ValueError(f"Expected a list of texts, got {type(texts).__name__}.")
    texts = [str(text) for text in np.asarray(texts, object).reshape(-1)]
    longest = _checked_steps([len(text) for text in texts], num_steps, "texts", "characters")
    numbers = {character: number for number, character in enumerate(vocabulary)}
    found = np.full((len(texts), longest), PADDING, np.int32)
    for row, text in enumerate(texts):
        if unknown := sorted(set(text) - set(numbers)):
            raise ValueError(
                f"Expected text of the {len(numbers)} characters {''.join(vocabulary)!r:.60}, got {unknown[0]!r} in "
                f"row {row}; replace it, or leave it out."
            )
        found[row, : len(text)] = [numbers[character] for character in text]
    return found


def padded(values: Any, shape: tuple[int | None, int | None] = (None, None)) -> np.ndarray:
    """Returns sequences of real numbers as float64[n, T, F], NaN after the end of each.

    Args:
        values: arrays [t, F], or [t] of one feature, of unequal length or not; or one array [n, T, F] or [n, T], in
            which steps that are NaN are padding.
        shape: (T, F); None to infer them from the values.

    Raises ValueError on sequences without steps or of padding alone, arrays of other shapes, longer
    than T, or with values that are not finite numbers.
    """
    num_steps, num_features = shape
    if not isinstance(values, Iterable) or (isinstance(values, np.ndarray) and not values.ndim):
        raise ValueError(f"Expected sequences, arrays [t, F] or [t], got {type(values).__name__}.")
    parts = [_steps_of(each, row) for row, each in enumerate(values)]
    if not parts:
        raise ValueError("Expected one or more sequences, got none.")
    num_features = num_features or parts[0].shape[1]
    for row, part in enumerate(parts):
        if part.shape[1] != num_features:
            raise ValueError(
                f"Expected {num_features} features in each step of each sequence, got {part.shape[1]} in row {row}."
            )
    longest = _checked_steps([len(part) for part in parts], num_steps, "sequences", "steps")
    if len(parts) * longest * num_features > MAX_VALUES:
        raise ValueError(
            f"Expected at most {MAX_VALUES:,} values, got {len(parts):,} sequences of {longest:,} steps of "
            f"{num_features:,}; cut the longest ones."
        )
    found = np.full((len(parts), longest, num_features), np.nan)
    for row, part in enumerate(parts):
        found[row, : len(part)] = part
    _check_values(found)
    return found


def padded_labels(labels: Sequence[Any], num_steps: int) -> np.ndarray:
    """Returns a label for each step, [n] lists of unequal length, as int32[n, T], -1 after the end of each."""
    found = np.full((len(labels), num_steps), PADDING, np.int32)
    for row, each in enumerate(labels):
        values = np.asarray(each)
        if values.ndim != 1 or values.dtype.kind not in "iu" or len(values) > num_steps:
            raise ValueError(
                f"Expected an integer for each of up to {num_steps} steps, got shape {list(values.shape)} of "
                f"{values.dtype} in row {row}."
            )
        if values.size and values.max() >= MAX_TOKENS:
            raise ValueError(f"Expected integers below {MAX_TOKENS:,}, got {values.max()} in row {row}.")
        found[row, : len(values)] = values
    return found


def _steps_of(value: Any, row: int) -> np.ndarray:
    """Returns one sequence as float64[t, F]."""
    if np.ma.is_masked(value):
        raise ValueError(f"Expected sequences without a mask, got masked values in row {row}; replace or drop them.")
    try:
        found = np.asarray(value)
        if found.dtype.kind == "c":
            raise TypeError
        found = found.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"Expected sequences of numbers, arrays [t, F] with the same F in each step, got others in row {row}."
        ) from None
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or not found.shape[1]:
        raise ValueError(f"Expected sequences of shape [t, F] or [t], got {list(found.shape)} in row {row}.")
    return found


def _checked_steps(lengths: list[int], num_steps: int | None, what: str, steps: str) -> int:
    """Returns the number of steps that all are padded to."""
    if 0 in lengths:
        raise ValueError(f"Expected {what} of one or more {steps}, got an empty one in row {lengths.index(0)}.")
    longest, most = max(lengths), MAX_STEPS if num_steps is None else num_steps
    if longest > most:
        raise ValueError(
            f"Expected {what} of at most {most:,} {steps}, got {longest:,} in row {lengths.index(longest)}; cut it."
        )
    return num_steps or longest


def check_padding(real: np.ndarray) -> None:
    """Raises ValueError if a sequence has no real step, or one after padding; `real` is bool[n, T]."""
    if (empty := ~real.any(1)).any():
        raise ValueError(f"Expected a real step in each sequence, got padding alone in row {int(empty.argmax())}.")
    if (gap := (real[:, 1:] & ~real[:, :-1]).any(1)).any():
        raise ValueError(
            f"Expected padding after the last real step alone, got some before one in row {int(gap.argmax())}; replace "
            "missing steps, or cut them out."
        )


def _check_values(values: np.ndarray) -> None:
    missing = np.isnan(values)
    with np.errstate(over="ignore"):
        too_large = np.isinf(values.astype(np.float32))
    if too_large.any() or (missing.any(-1) & ~missing.all(-1)).any():
        raise ValueError("Expected finite sequences, got NaN or infinite values; replace or drop them.")
    check_padding(~missing.all(-1))
