"""The bytes of a pickle, of which only a part is in memory, and the opcodes that only read a value from them."""

from collections.abc import Callable
from typing import Any, BinaryIO

CHUNK = 1 << 20
LONGEST = 1 << 26
"""The longest string or array of a file, in bytes."""
MARGIN = 1 << 13
"""Bytes that are in memory before an opcode is looked at."""


class Source:
    """The part of a file around a position.

    Args:
        file: is read once, from its position.
        progress: is called after each part of the file.
    """

    def __init__(self, file: BinaryIO, progress: Callable[[], None] | None = None):
        self.file = file
        self.progress = progress
        self.data = b""
        self.position = 0
        self.before = 0  # bytes of the file before `data`
        self.ended = False

    @property
    def offset(self) -> int:
        """Returns the number of bytes of the file before the next one."""
        return self.before + self.position

    def refill(self, needed: int = MARGIN) -> None:
        """Reads on, so that `needed` bytes follow the position where the file has them."""
        rest = self.data[self.position :]
        self.before += self.position
        pieces, length = [rest], len(rest)
        while length < needed and not self.ended:
            piece = self.file.read(CHUNK)
            self.ended = not piece
            pieces.append(piece)
            length += len(piece)
        self.data, self.position = b"".join(pieces), 0
        if self.progress is not None:
            self.progress()

    def take(self, count: int) -> bytes:
        """Returns the next `count` bytes. Raises ValueError where there are fewer, or where it is too many."""
        if count > LONGEST:
            raise ValueError(f"Expected values of at most {LONGEST:,} bytes, got one of {count:,}.")
        if len(self.data) - self.position < count:
            self.refill(count)
        found = self.data[self.position : self.position + count]
        if len(found) < count:
            raise ValueError(f"Expected {count:,} more bytes at byte {self.offset:,}, got {len(found):,}: a cut file.")
        self.position += count
        return found

    def line(self) -> bytes:
        """Returns the rest of a line of a text opcode, without its end."""
        if len(self.data) - self.position < MARGIN:
            self.refill()
        end = self.data.find(b"\n", self.position, self.position + MARGIN)
        if end < 0:
            raise ValueError(f"Expected the end of a line after byte {self.offset:,}, got none.")
        return self.take(end + 1 - self.position)[:-1]


Push = Callable[[Source], Any]


def _unsigned(source: Source, count: int) -> int:
    return int.from_bytes(source.take(count), "little")


def _signed(source: Source, count: int) -> int:
    return int.from_bytes(source.take(count), "little", signed=True)


def _text_int(source: Source) -> int | bool:
    line = source.line()
    return line == b"01" if line in (b"00", b"01") else int(line[:300].rstrip(b"L"))


def _quoted(source: Source) -> str:
    line = source.line()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise ValueError("Expected a string in quotes, got another one.")
    return line[1:-1].decode("unicode_escape")


def _long_text(source: Source, length: int) -> str:
    return source.take(length).decode("utf-8", "surrogatepass")


PUSHES: dict[int, Push] = {
    0x4E: lambda source: None,
    0x88: lambda source: True,
    0x89: lambda source: False,
    0x49: _text_int,
    0x4C: _text_int,
    0x46: lambda source: float(source.line()[:100]),
    0x4A: lambda source: _signed(source, 4),
    0x8A: lambda source: _signed(source, _unsigned(source, 1)),
    0x53: _quoted,
    0x54: lambda source: source.take(_unsigned(source, 4)).decode("latin1"),
    0x55: lambda source: source.take(_unsigned(source, 1)).decode("latin1"),
    0x56: lambda source: source.line().decode("raw_unicode_escape"),
    0x8D: lambda source: _long_text(source, _unsigned(source, 8)),
    0x42: lambda source: source.take(_unsigned(source, 4)),
    0x43: lambda source: source.take(_unsigned(source, 1)),
    0x8E: lambda source: source.take(_unsigned(source, 8)),
    0x96: lambda source: source.take(_unsigned(source, 8)),
    0x5D: lambda source: [],
    0x29: lambda source: (),
    0x8F: lambda source: set(),
}
"""Opcodes that only put a value on the stack."""
