"""Reads pickles as data. Nothing that a file names is imported or called: values are built here, or refused.

The opcodes are those in Python's own `pickle._Unpickler` that plain data need. Dictionaries, lists, tuples, sets,
strings, numbers, NumPy scalars and arrays of numbers come out; everything else ends in a ValueError. The file is read
once from front to back, and values, bytes and seconds are bounded for any file: a reference to an
earlier value gets a copy of it, which counts.

Files of curves are long runs of pairs, an epoch or a name and a float. Such runs are recognized by a regular
expression and decoded by NumPy at once, which makes the reader as fast as these files need.
"""

import functools
import itertools
import pickle
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxnas.tables.published.budget import CONTAINER, TEXT, Budget
from jaxnas.tables.published.pickle_source import Source
from jaxnas.tables.published.pickled import CALLS, STORAGE, Described, Storage, checked_keys, copied

KEPT_FIRST, KEPT_LAST, MOST_KEPT = 100_000, 200_000, 600_000
"""What is remembered of a file with more: files share their constants from the start, the rest is near."""
_IN_MEMORY = 1 << 15
"""Bytes that are in memory before a run is looked for."""


class Memo(dict):
    """The values that a pickle may refer to again, each returned as a copy: no list is in others twice."""

    def __init__(self, budget: Budget):
        self.budget = budget

    def __getitem__(self, number: int) -> Any:
        value = super().__getitem__(number)
        return value if type(value) is str and len(value) < TEXT else copied(value, self.budget)


class Reader(pickle._Unpickler):
    """Reads one pickle after the other from a file.

    Args:
        file: is read once, from its position.
        size: of the file itself in bytes, which the budget is by; its unpacked size may be larger.
        finished: called with each dictionary when it has its items, the inner ones first; it may
            remove items, which keeps a file of many records from being in memory as a whole.
        progress: is called after each part of the file.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int = 0,
        finished: Callable[[dict], None] = lambda found: None,
        progress: Callable[[], None] = lambda: None,
    ):
        self.budget = Budget(size)
        self.source = Source(file, self.budget, progress)
        super().__init__(self.source, encoding="latin1")
        self.read, self.readline = self.source.read, self.source.readline
        self.finished = finished
        self.start()

    def start(self) -> None:
        """Forgets the values of the pickle before."""
        self.stack: list = []
        self.metastack: list[list] = []
        self.append = self.stack.append
        self.memo: dict[int, Any] = Memo(self.budget)
        self.memoized = 0

    def load(self) -> Any:
        """Returns the value of the next pickle. Raises ValueError if there is none of plain data."""
        self.start()
        if self.source.peek(1)[:1] not in (b"\x80", b"(", b"]", b"}", b"c", b"l", b"d"):
            raise ValueError(f"Expected a pickle, got other bytes at byte {self.source.offset:,}.")
        try:
            before = self.source.before
            while (code := self.read(1)) != pickle.STOP:
                _STEPS[code[0]](self)
                if before != self.source.before:  # another part of the file is in memory
                    before = self.source.before
                    self.bounded()
            if self.metastack or len(self.stack) != 1:
                raise ValueError(f"Expected a pickle of one value, got an end at byte {self.source.offset:,}.")
            return self.stack.pop()
        except _ERRORS as error:
            if str(error).startswith("Expected "):
                raise
            at = self.source.offset
            raise ValueError(f"Expected a pickle of plain data, got {type(error).__name__} at byte {at:,}.") from None

    def bounded(self) -> None:
        """Refuses too many values at a time, and forgets values that a long file does not come back to."""
        self.budget.check(sum(map(len, self.metastack), len(self.metastack) + len(self.stack)))
        if len(self.memo) > MOST_KEPT:
            last = max(self.memo) - KEPT_LAST
            for number in [number for number in self.memo if KEPT_FIRST <= number <= last]:
                del self.memo[number]

    # Values that Python's own class makes otherwise

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        storage = STORAGE.fullmatch(full)
        if storage is None and full not in CALLS:
            raise ValueError(f"Expected a pickle of plain data, got {full[:80]!r}: nothing of a file is run.")
        return CALLS[full] if storage is None else storage[1]

    def persistent_load(self, pid: Any) -> Storage:
        kind, name, key, _, size = pid[:5]
        if kind != "storage" or type(name) is not str or type(size) is not int:
            raise ValueError("Expected the storage of a tensor, got another reference.")
        return Storage(str(key), name, size)

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is Described:
            target.set(state)
        elif state not in ({}, None):
            raise ValueError(f"Expected the state of a NumPy array or type, got that of a {type(target).__name__}.")

    def load_memoize(self) -> None:
        self.memo[self.memoized] = self.stack[-1]
        self.memoized += 1

    def pop_mark(self) -> list:
        items, self.stack = self.stack, self.metastack.pop()
        self.append = self.stack.append
        self.budget.hold(CONTAINER + len(items))
        return items

    def fill(self, target: Any, items: Sequence) -> None:
        """Puts keys and values into a dictionary."""
        if type(target) is not dict or len(items) % 2:
            raise ValueError(f"Expected items of a dictionary, got {len(items)} for a {type(target).__name__}.")
        target.update(zip(checked_keys(items[::2]), items[1::2], strict=True))
        self.finished(target)

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self.fill(self.stack[-1], items)

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self.fill(self.stack[-1], items)

    def load_setitem(self) -> None:
        items = self.stack[-2:]
        del self.stack[-2:]
        self.budget.hold(2)
        self.fill(self.stack[-1], items)

    def load_additems(self) -> None:
        items = self.pop_mark()
        self.stack[-1] |= frozenset(checked_keys(items))

    def load_frozenset(self) -> None:
        self.append(frozenset(checked_keys(self.pop_mark())))

    def load_frame(self) -> None:
        self.read(8)

    # Runs of pairs

    def load_mark(self) -> None:
        self.metastack.append(self.stack)
        self.stack = []
        self.append = self.stack.append
        self.source.refill(_IN_MEMORY)
        while self.run():
            pass

    def run(self) -> bool:
        """Returns whether a run starts here; it is then on the stack."""
        data, position = self.source.data, self.source.position
        head, put = data[position : position + 1], b""
        if head == b"\x8c" or head == b"X":
            head = data[position : position + (2 if head == b"\x8c" else 5)]
            end = position + len(head) + head[1]
            put = data[end : end + 1]
        run = _run_of(head, put)
        found = run and run.pattern.match(data, position)
        if not run or not found:
            return False
        self.source.position = found.end()
        rows = np.frombuffer(found[0], run.row)
        values = rows["value"].tolist()
        if head == b"G":
            self.stack += values
            return True
        keys = rows["key"].astype(run.key).tolist()
        if head == b"h" or head == b"j":
            keys = [self.memo[number] for number in keys]
        elif put == pickle.MEMOIZE:
            self.memo.update(enumerate(keys, self.memoized))
            self.memoized += len(keys)
        elif put:
            self.memo.update(zip(rows["number"].tolist(), keys, strict=True))
        self.stack += itertools.chain.from_iterable(zip(keys, values, strict=True))
        return True


class _Run(NamedTuple):
    """Consecutive floats, most of them after a key: the pattern and the layout of their bytes."""

    pattern: re.Pattern[bytes]
    row: np.dtype
    key: str = "O"


_PUTS = {pickle.MEMOIZE: 0, pickle.BINPUT: 1, pickle.LONG_BINPUT: 4}
_NUMBERS = {pickle.BININT1: 1, pickle.BININT2: 2, pickle.BINGET: 1, pickle.LONG_BINGET: 4}


@functools.lru_cache(maxsize=1 << 12)
def _run_of(head: bytes, put: bytes) -> _Run | None:
    """Returns the runs that start with an opcode, for names also of the same length; None if there are none."""
    value = [("float", "S1"), ("value", ">f8")]
    if head == pickle.BINFLOAT:
        return _Run(re.compile(rb"(?s)(?:G.{8}){4,}"), np.dtype(value))
    if head in _NUMBERS:
        width = _NUMBERS[head]
        pattern = rb"(?s)(?:%b.{%d}G.{8}){4,}" % (head, width)
        return _Run(re.compile(pattern), np.dtype([("code", "S1"), ("key", f"<u{width}"), *value]))
    if put not in _PUTS or not any(head[1:2]) or any(head[2:]):
        return None
    number = [("number", f"<u{_PUTS[put]}")] if _PUTS[put] else []
    pattern = rb"(?s)(?:%b[!-~]{%d}%b.{%d}G.{8}){4,}" % (re.escape(head), head[1], re.escape(put), _PUTS[put])
    row = [("head", f"S{len(head)}"), ("key", f"S{head[1]}"), ("put", "S1"), *number, *value]
    return _Run(re.compile(pattern), np.dtype(row), "U")


def _counted(step: Callable[[Reader], None], reader: Reader) -> None:
    """Does a step that puts a value into another without a mark, which is where others are counted."""
    step(reader)
    reader.budget.hold(CONTAINER)


_ERRORS = (
    pickle.UnpicklingError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    struct.error,
    OverflowError,
    RecursionError,
)
_PLAIN = (
    "PROTO FRAME MARK STOP POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES "
    "BINBYTES8 EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS "
    "EMPTY_SET ADDITEMS FROZENSET GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE "
    "BUILD BINPERSID"
)
"""The opcodes of plain data. All others are refused, those that make objects of a class among them."""
_STEPS: dict[int, Callable[[Reader], None]] = {
    code: getattr(Reader, step.__name__)
    for code, step in pickle._Unpickler.dispatch.items()
    if code in {getattr(pickle, name)[0] for name in _PLAIN.split()}
} | {pickle.BYTEARRAY8[0]: pickle._Unpickler.dispatch[pickle.BINBYTES8[0]]}
for _code in (pickle.APPEND, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
    _STEPS[_code[0]] = functools.partial(_counted, _STEPS[_code[0]])
