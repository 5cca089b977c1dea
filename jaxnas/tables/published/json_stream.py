"""Reads large JSON files of nested objects one inner value at a time, in bounded memory."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
LONGEST = 1 << 26
"""The longest inner value, in characters."""
_SPACE = " \t\r\n"


def items(
    path: Path, depth: int, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Returns the values that are `depth` objects deep in a file, each after the names that lead to it.

    Args:
        progress: is told the number of bytes that are read.

    Raises:
        ValueError: where the file is no JSON of such objects.
    """
    with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8") as file:
        text = _Text(file.read, lambda: progress(raw.tell()) if progress else None)
        yield from _inner(text, depth, ())
        if text.next() != "":
            raise ValueError("more after the end")


def _inner(text: "_Text", depth: int, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if text.next() != "{":
        raise ValueError(f"no object at character {text.offset:,}")
    if text.peek() == "}":
        text.next()
        return
    while True:
        name = text.value()
        if not isinstance(name, str) or text.next() != ":":
            raise ValueError(f"no name of a value at character {text.offset:,}")
        if depth == 1:
            yield (*names, name), text.value()
        else:
            yield from _inner(text, depth - 1, (*names, name))
        following = text.next()
        if following == "}":
            return
        if following != ",":
            raise ValueError(f"no comma at character {text.offset:,}")


class _Text:
    """The text of a file, of which only a part is in memory."""

    def __init__(self, read: Callable[[int], str], told: Callable[[], None]):
        self._read = read
        self._told = told
        self._text = ""
        self._position = 0
        self._before = 0
        self._ended = False
        self._decode = json.JSONDecoder().raw_decode

    @property
    def offset(self) -> int:
        """Returns the position in the file, in characters."""
        return self._before + self._position

    def _more(self, count: int = CHUNK) -> None:
        self._before += self._position
        more = self._read(count)
        self._ended = not more
        self._text, self._position = self._text[self._position :] + more, 0
        self._told()

    def peek(self) -> str:
        """Returns the next character that is no white space, "" at the end."""
        while True:
            while self._position < len(self._text):
                if self._text[self._position] not in _SPACE:
                    return self._text[self._position]
                self._position += 1
            if self._ended:
                return ""
            self._more()

    def next(self) -> str:
        """Returns the next character that is no white space, and passes it."""
        found = self.peek()
        self._position += len(found)
        return found

    def value(self) -> Any:
        """Returns the next value, and passes it. Raises ValueError where there is none."""
        self.peek()
        wanted = CHUNK
        while True:
            try:
                found, end = self._decode(self._text, self._position)
                if end < len(self._text) or self._ended:  # else a number may have more digits
                    self._position = end
                    return found
            except json.JSONDecodeError as error:
                if self._ended or len(self._text) - self._position > LONGEST:
                    raise ValueError(f"no JSON value at character {self._before + error.pos:,}") from None
                if error.pos < len(self._text) - CHUNK // 2 and len(self._text) - self._position > CHUNK:
                    raise ValueError(f"no JSON value at character {self._before + error.pos:,}") from None
            self._more(wanted)
            wanted *= 2
