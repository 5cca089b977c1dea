"""How many values the columns of a Parquet file hold, from its footer alone.

PyArrow, asked for them, ends the process if statistics in a damaged footer do not fit together. The footer is a
struct in Thrift's compact protocol; its fields are numbered as parquet.thrift has them.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MAGIC = b"PAR1"
_MAX_DEPTH = 16
_ROW_GROUPS, _COLUMNS, _META_DATA, _NUM_VALUES = 4, 1, 3, 5


def num_values(path: Path) -> int:
    """Returns how many values the columns of a Parquet file hold together. Raises ValueError on no such file."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        end = file.read()
        length = struct.unpack("<I", end[:4])[0] if len(end) == 8 and end[4:] == _MAGIC else size
        if length + 8 > size:
            raise ValueError("no footer")
        file.seek(size - 8 - length)
        footer = _Reader(file.read(length))
    try:
        groups = footer.struct()[_ROW_GROUPS]
        found = [column[_META_DATA][_NUM_VALUES] for group in groups for column in group[_COLUMNS]]
        return sum(count if count >= 0 else 2**63 for count in found)
    except (KeyError, TypeError, IndexError, struct.error):
        raise ValueError("a damaged footer") from None


class _Reader:
    """Reads Thrift's compact protocol from bytes; wrong bytes raise IndexError or TypeError."""

    def __init__(self, data: bytes):
        self._data, self._place = data, 0
        self._depth = 0

    def struct(self) -> dict[int, Any]:
        """Returns the fields of a struct by their numbers."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TypeError("too deep")
        fields, number = {}, 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind)
        self._depth -= 1
        return fields

    def _value(self, kind: int) -> Any:
        readers: dict[int, Callable[[], Any]] = {
            1: self._byte,
            2: self._byte,
            3: self._byte,
            **dict.fromkeys((4, 5, 6), self._zigzag),
            7: lambda: self._bytes(8),
            8: lambda: self._bytes(self._varint()),
            9: self._list,
            10: self._list,
            12: self.struct,
        }
        if kind not in readers:
            raise TypeError("no such type")
        return readers[kind]()

    def _list(self) -> list[Any]:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._varint()
        if length > len(self._data) - self._place:  # each element takes a byte or more
            raise TypeError("too long")
        return [self._value(head & 15) for _ in range(length)]

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _bytes(self, length: int) -> bytes:
        self._place += length
        if self._place > len(self._data):
            raise IndexError("beyond the end")
        return self._data[self._place - length : self._place]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise TypeError("too large")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
