"""Reads TFRecord files and protobuf messages without TensorFlow."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 1 << 24
LONGEST = 1 << 22
"""The longest record, in bytes."""
_HEAD, _TAIL = 12, 4


def records(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Returns the records of a file from its position on, each with the position after it.

    A record is its length (8 bytes), a checksum of the length, the data and a checksum of the data. Checksums are not
    looked at: the SHA-256 of the whole file is a stronger check, in less time. Raises ValueError if
    the file is truncated or of another kind.
    """
    data, position, before = b"", 0, file.tell()
    while True:
        if len(data) - position < _HEAD:
            data, position, before = data[position:] + file.read(CHUNK), 0, before + position
            if not data:
                return
            if len(data) < _HEAD:
                raise ValueError(f"a record cut at byte {before:,}")
        length = int.from_bytes(data[position : position + 8], "little")
        end = position + _HEAD + length + _TAIL
        if length > LONGEST:
            raise ValueError(f"no TFRecord at byte {before + position:,}")
        if end > len(data):
            data, position, before = data[position:] + file.read(CHUNK + length), 0, before + position
            end = _HEAD + length + _TAIL
            if end > len(data):
                raise ValueError(f"a record cut at byte {before:,}")
        yield data[position + _HEAD : end - _TAIL], before + end
        position = end


def fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Returns the fields of a protobuf message by number: varints and fixed numbers as unsigned, doubles as floats.

    Raises ValueError if the bytes are no message.
    """
    position, length = 0, len(message)
    while position < length:
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 1 and position + 8 <= length:
            yield tag >> 3, struct.unpack_from("<d", message, position)[0]
            position += 8
        elif kind == 2:
            size, position = _varint(message, position)
            if position + size > length:
                raise ValueError("a message cut within a field")
            yield tag >> 3, message[position : position + size]
            position += size
        elif kind == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
        elif kind == 5 and position + 4 <= length:
            yield tag >> 3, struct.unpack_from("<f", message, position)[0]
            position += 4
        else:
            raise ValueError("no protobuf message")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("no protobuf message")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
