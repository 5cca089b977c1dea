"""The bytes of a pickle, of which only a part is in memory."""

from collections.abc import Callable
from typing import BinaryIO

from jaxnas.tables.published.budget import Budget

CHUNK = 1 << 20
LONGEST = 1 << 26
"""The longest string or array of a file, in bytes."""
MARGIN = 1 << 13
"""The longest line of a text opcode, in bytes."""


class Source:
    """The part of a file around a position.

    Args:
        file: is read once, from its position.
        budget: counts its bytes.
        progress: is called after each part of the file.
    """

    def __init__(self, file: BinaryIO, budget: Budget, progress: Callable[[], None]):
        self.file, self.budget = file, budget
        self.progress = progress
        self.data = b""
        self.position = 0
        self.before = 0  # bytes of the file before `data`
        self.ended = False

    @property
    def offset(self) -> int:
        """Returns the number of bytes of the file before the next one."""
        return self.before + self.position

    def peek(self, count: int) -> bytes:
        """Returns the bytes from the position on that are in memory: at least `count`, unless the file ends."""
        self.refill(count)
        return self.data[self.position :]

    def refill(self, needed: int) -> None:
        """Reads on until `needed` bytes follow the position, unless the file ends."""
        length = len(self.data) - self.position
        if length >= needed or self.ended:
            return
        pieces = [self.data[self.position :]]
        self.before += self.position
        while length < needed and not self.ended:
            pieces.append(self.file.read(CHUNK))
            self.ended = not pieces[-1]
            length += len(pieces[-1])
        self.data, self.position = b"".join(pieces), 0
        self.budget.bytes = self.before + length
        self.budget.check()
        self.progress()

    def read(self, count: int) -> bytes:
        """Returns the next `count` bytes. Raises ValueError if the file has fewer, or `count` is too large."""
        end = self.position + count
        if end > len(self.data):
            if count > LONGEST:
                raise ValueError(f"Expected values of at most {LONGEST:,} bytes, got one of {count:,}.")
            self.refill(count)
            end = self.position + count
            if end > len(self.data):
                raise ValueError(f"Expected {count:,} more bytes at byte {self.offset:,}, got the end: a cut file.")
        found = self.data[self.position : end]
        self.position = end
        return found

    def readline(self) -> bytes:
        """Returns the rest of a line with its end. Raises ValueError if the line is too long or has no end."""
        self.refill(MARGIN)
        end = self.data.find(b"\n", self.position, self.position + MARGIN)
        if end < 0:
            raise ValueError(f"Expected the end of a line after byte {self.offset:,}, got none.")
        return self.read(end + 1 - self.position)
