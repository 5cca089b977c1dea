"""Reads pickles as data. Nothing that a file names is imported or called: values are built here, or refused.

The opcodes are those of Python's `pickle` protocols 0 to 5 that plain data need. Dictionaries, lists, tuples, sets,
strings, numbers, NumPy scalars and arrays of numbers come out; everything else ends in a ValueError. The file is read
once from front to back, and memory is bounded whatever the file says: strings, the stack and the memo have limits.

Files of curves are long runs of pairs, an epoch or a name and a float. Such runs are recognized by a regular
expression and decoded by NumPy at once, which makes the reader as fast as these files need.
"""

import functools
import re
import struct
from collections.abc import Callable, Container
from typing import Any, BinaryIO

import numpy as np

from jaxnas.tables.published.pickle_memo import Memo
from jaxnas.tables.published.pickle_runs import (
    FLOATS,
    PUTS,
    SHORTEST,
    Run,
    fill,
    flat,
    known_pattern,
    little_endian,
    names_pattern,
    numbers_pattern,
    texts_of,
)
from jaxnas.tables.published.pickle_source import MARGIN, PUSHES, Source
from jaxnas.tables.published.pickled import CALLS, STORAGE_TYPES, Described, Named, Storage, checked_key

LARGEST_STACK = 4_000_000
DEEPEST = 200


class _Skipped(dict):
    """A dictionary whose contents are not wanted; it stays empty."""


class Reader:
    """Reads one pickle after the other from a file.

    Args:
        file: is read once, from its position.
        skip: names whose dictionaries are left empty: curves that nobody asks for.
        finished: is told each dictionary when it has its items, the inner ones first; it may take them out again, so
            that a file of many records never is in memory as a whole.
        progress: is called after each part of the file.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        skip: Container[str] = (),
        finished: Callable[[dict], None] | None = None,
        progress: Callable[[], None] | None = None,
    ):
        self.source = Source(file, progress)
        self.skip = skip
        self.finished = finished

    def read(self) -> Any:
        """Returns the value of the next pickle. Raises ValueError where there is none of plain data."""
        try:
            return _Machine(self).run()
        except (IndexError, KeyError, TypeError, struct.error, OverflowError, UnicodeError, RecursionError) as error:
            at = self.source.offset
            raise ValueError(f"Expected a pickle, got {type(error).__name__} at byte {at:,}.") from None


class _Machine:
    """The stack machine of one pickle."""

    def __init__(self, reader: Reader):
        self.reader = reader
        self.source = reader.source
        self.stack: list = []
        self.below: list[list] = []
        self.memo = Memo()

    def run(self) -> Any:
        source = self.source
        source.refill()
        if source.data[source.position : source.position + 1] not in (b"\x80", b"(", b"]", b"}", b"c", b"l", b"d"):
            raise ValueError(f"Expected a pickle, got other bytes at byte {source.offset:,}.")
        while True:
            data, position = source.data, source.position
            if len(data) - position < MARGIN and not source.ended:
                source.refill()
                data, position = source.data, source.position
            stack = self.stack
            code = data[position]
            # The opcodes that files of curves consist of come first; all others are in tables.
            if code == 0x94:  # MEMOIZE
                source.position = position + 1
                self.memo.append(stack[-1])
            elif code == 0x68 or code == 0x6A:  # BINGET, LONG_BINGET
                if data[position + (2 if code == 0x68 else 5)] == 0x47 and self.run_of_known_keys(code):
                    continue
                width = 2 if code == 0x68 else 5
                stack.append(self.memo.get(int.from_bytes(data[position + 1 : position + width], "little")))
                source.position = position + width
            elif code == 0x4B or code == 0x4D:  # BININT1, BININT2
                width = 2 if code == 0x4B else 3
                if data[position + width] == 0x47 and self.run_of_numbers(code):
                    continue
                stack.append(int.from_bytes(data[position + 1 : position + width], "little"))
                source.position = position + width
            elif code == 0x47:  # BINFLOAT
                if data[position + 9 : position + 10] == b"G" and self.run_of_floats():
                    continue
                stack.append(struct.unpack(">d", source.take(9)[1:])[0])
            elif code == 0x8C:  # SHORT_BINUNICODE
                length = data[position + 1]
                if data[position + length + 2 : position + length + 4] == b"\x94G" and self.run_of_names(code, length):
                    continue
                source.position = position + 2
                stack.append(source.take(length).decode("utf-8", "surrogatepass"))
            elif code == 0x58:  # BINUNICODE
                length = int.from_bytes(data[position + 1 : position + 5], "little")
                if length < 256 and self.run_of_names(code, length):
                    continue
                source.position = position + 5
                stack.append(source.take(length).decode("utf-8", "surrogatepass"))
            elif code == 0x71 or code == 0x72:  # BINPUT, LONG_BINPUT
                width = 2 if code == 0x71 else 5
                source.position = position + width
                self.memo.put(int.from_bytes(data[position + 1 : position + width], "little"), stack[-1])
            elif code == 0x2E:  # STOP
                source.position = position + 1
                if self.below or len(stack) != 1:
                    raise ValueError(f"Expected a pickle of one value, got an end at byte {source.offset:,}.")
                return stack.pop()
            else:
                source.position = position + 1
                self.other(code)
            if len(stack) > LARGEST_STACK:
                raise ValueError(f"Expected at most {LARGEST_STACK:,} values at a time, got more.")

    def other(self, code: int) -> None:
        """Runs an opcode that is not among the most frequent ones."""
        if code in PUSHES:
            self.stack.append(PUSHES[code](self.source))
        elif code in _STEPS:
            _STEPS[code](self)
        else:
            raise ValueError(f"Expected a pickle of plain data, got opcode {code:#04x} at byte {self.source.offset:,}.")

    # Runs of pairs

    def run_of_numbers(self, code: int) -> bool:
        return self.found_run(numbers_pattern(code), 11 if code == 0x4B else 12, self.number_keys)

    def run_of_names(self, code: int, length: int) -> bool:
        data, position = self.source.data, self.source.position
        start = position + (2 if code == 0x8C else 5)
        put = data[start + length : start + length + 1]
        if put not in PUTS or data[start + length + PUTS[put] : start + length + PUTS[put] + 1] != b"G":
            return False
        stride = start - position + length + PUTS[put] + 9
        keys = functools.partial(self.name_keys, start - position, length, put)
        return self.found_run(names_pattern(data[position:start], length, put), stride, keys)

    def run_of_known_keys(self, code: int) -> bool:
        return self.found_run(known_pattern(code), 11 if code == 0x68 else 14, self.known_keys)

    def found_run(self, pattern: re.Pattern, stride: int, keys_of: Callable[[np.ndarray], list]) -> bool:
        """Returns whether a run starts here; it is then on the stack."""
        source = self.source
        found = pattern.match(source.data, source.position)
        if found is None or found.end() - source.position < SHORTEST * stride:
            return False
        count = (found.end() - source.position) // stride
        view = np.frombuffer(source.data, np.uint8, count * stride, source.position).reshape(count, stride)
        self.stack.append(Run(keys_of(view), view[:, -8:].tobytes()))
        source.position += count * stride
        return True

    def number_keys(self, view: np.ndarray) -> list:
        return little_endian(view[:, 1:-9])

    def name_keys(self, start: int, length: int, put: bytes, view: np.ndarray) -> list:
        keys = texts_of(view[:, start : start + length].tobytes(), length)
        if put == b"\x94":
            self.memo.extend(keys)
        else:
            self.memo.put_all(little_endian(view[:, start + length + 1 : start + length + PUTS[put]]), keys)
        return keys

    def known_keys(self, view: np.ndarray) -> list:
        return [checked_key(self.memo.get(number)) for number in little_endian(view[:, 1:-9])]

    def run_of_floats(self) -> bool:
        source = self.source
        end = FLOATS.match(source.data, source.position).end()  # type: ignore[union-attr]
        view = np.frombuffer(source.data, np.uint8, end - source.position, source.position).reshape(-1, 9)
        self.stack.extend(np.frombuffer(view[:, 1:].tobytes(), ">f8").tolist())
        source.position = end
        return True

    # Containers

    def mark(self) -> None:
        if len(self.below) >= DEEPEST:
            raise ValueError(f"Expected values within at most {DEEPEST} others, got more.")
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list:
        """Returns what has come since the last mark, and removes the mark."""
        items, self.stack = flat(self.stack), self.below.pop()
        return items

    def set_items(self) -> None:
        items, self.stack = self.stack, self.below.pop()
        target = self.stack[-1]
        if type(target) is _Skipped:
            return
        if type(target) is not dict:
            raise ValueError(f"Expected items of a dictionary, got a {type(target).__name__}.")
        fill(target, items)
        if self.reader.finished is not None:
            self.reader.finished(target)

    def set_item(self) -> None:
        self.below.append(self.stack[:-2])
        self.stack = self.stack[-2:]
        if len(self.stack) != 2:
            raise ValueError("Expected a key and a value, got fewer.")
        self.set_items()

    def dictionary(self) -> None:
        wanted = not (self.stack and type(self.stack[-1]) is str and self.stack[-1] in self.reader.skip)
        self.stack.append({} if wanted else _Skipped())

    def append(self) -> None:
        value = self.stack.pop()
        _listed(self.stack[-1]).append(value)

    def extend(self) -> None:
        items = self.marked()
        _listed(self.stack[-1]).extend(items)

    def add_items(self) -> None:
        items = self.marked()
        target = self.stack[-1]
        if type(target) is not set:
            raise ValueError(f"Expected items of a set, got a {type(target).__name__}.")
        target.update(checked_key(item) for item in items)

    def tuple_of(self, count: int) -> None:
        self.stack = flat(self.stack) if self.stack and type(self.stack[-1]) is Run else self.stack
        if len(self.stack) < count:
            raise ValueError(f"Expected {count} values for a tuple, got {len(self.stack)}.")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    # Names and calls

    def named(self, module: Any, name: Any) -> None:
        full = f"{module}.{name}"
        if full not in CALLS and not STORAGE_TYPES.fullmatch(full):
            raise ValueError(f"Expected a pickle of plain data, got {full[:80]!r}: nothing of a file is run.")
        self.stack.append(Named(full))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.named(module, name)

    def call(self) -> None:
        given, function = self.stack.pop(), self.stack.pop()
        if type(given) is not tuple or type(function) is not Named or function.name not in CALLS:
            raise ValueError(f"Expected a pickle of plain data, got a call of a {type(function).__name__}.")
        if function.name == "collections.OrderedDict" and given == ():
            self.dictionary()
        else:
            self.stack.append(CALLS[function.name](*given))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is not Described and state not in ({}, None):
            raise ValueError(f"Expected the state of a NumPy array or type, got that of a {type(target).__name__}.")
        if type(target) is Described:
            target.set(state)

    def persistent(self) -> None:
        kind, storage, key, _, size = self.stack.pop()[:5]
        if kind != "storage" or type(storage) is not Named or type(size) is not int:
            raise ValueError("Expected the storage of a tensor, got another reference.")
        self.stack.append(Storage(str(key), storage.name.removeprefix("torch."), size))


def _listed(value: Any) -> list:
    if type(value) is not list:
        raise ValueError(f"Expected items of a list, got a {type(value).__name__}.")
    return value


# All other opcodes


def _protocol(machine: _Machine) -> None:
    if (number := machine.source.take(1)[0]) > 5:
        raise ValueError(f"Expected a pickle of protocol 0 to 5, got protocol {number}.")


def _marked_dictionary(machine: _Machine) -> None:
    items = machine.marked()
    machine.stack.append({checked_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})
    if machine.reader.finished is not None:
        machine.reader.finished(machine.stack[-1])


def _nothing(_: Any) -> None:
    return None


def _push_marked(kind: Callable[[list], Any]) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        items = machine.marked()
        machine.stack.append(kind(items))

    return step


_STEPS: dict[int, Callable[[_Machine], None]] = {
    0x80: _protocol,
    0x95: lambda machine: _nothing(machine.source.take(8)),  # FRAME
    0x28: _Machine.mark,
    0x30: lambda machine: _nothing(machine.stack.pop()),
    0x31: lambda machine: _nothing(machine.marked()),
    0x7D: _Machine.dictionary,
    0x64: _marked_dictionary,
    0x75: _Machine.set_items,
    0x73: _Machine.set_item,
    0x6C: _push_marked(list),
    0x61: _Machine.append,
    0x65: _Machine.extend,
    0x74: _push_marked(tuple),
    0x85: lambda machine: machine.tuple_of(1),
    0x86: lambda machine: machine.tuple_of(2),
    0x87: lambda machine: machine.tuple_of(3),
    0x90: _Machine.add_items,
    0x91: _push_marked(lambda items: frozenset(checked_key(item) for item in items)),
    0x67: lambda machine: machine.stack.append(machine.memo.get(int(machine.source.line()[:20]))),
    0x70: lambda machine: machine.memo.put(int(machine.source.line()[:20]), machine.stack[-1]),
    0x63: lambda machine: machine.named(*(machine.source.line().decode() for _ in range(2))),
    0x93: _Machine.stack_global,
    0x52: _Machine.call,
    0x62: _Machine.build,
    0x51: _Machine.persistent,
}
