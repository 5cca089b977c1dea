"""What a pickle has had, by number, in bounded memory."""

import bisect
from collections.abc import Iterable
from typing import Any

KEPT_FIRST, KEPT_LAST, MOST_KEPT = 100_000, 200_000, 600_000
"""What is remembered of a file with more: files share their constants from the start, the rest is near."""


class Memo:
    """The values that a pickle may come back to: single ones, and lists of values with consecutive numbers.

    The lists are those of names of curves. To put each name into a dictionary would take as long as half of the rest.
    """

    def __init__(self) -> None:
        self._values: dict[int, Any] = {}
        self._starts: list[int] = []
        self._lists: list[list] = []
        self._next = 0  # the number after the largest one
        self._count, self._most = 0, MOST_KEPT

    def put(self, number: int, value: Any) -> None:
        """Remembers a value by its number."""
        self._values[number] = value
        self._next = max(self._next, number + 1)
        self._added(1)

    def append(self, value: Any) -> None:
        """Remembers a value by the next number."""
        self.put(self._next, value)

    def put_all(self, numbers: Iterable[int], values: list) -> None:
        """Remembers values by their numbers, of which there are as many."""
        self._values.update(zip(numbers, values, strict=True))
        self._next = max(self._next, max(numbers) + 1)
        self._added(len(values))

    def extend(self, values: list) -> None:
        """Remembers values by the next numbers; the list must not change afterwards."""
        self._starts.append(self._next)
        self._lists.append(values)
        self._next += len(values)
        self._added(len(values))

    def get(self, number: int) -> Any:
        """Returns the value of a number. Raises ValueError where there is none."""
        if number in self._values:
            return self._values[number]
        position = bisect.bisect_right(self._starts, number) - 1
        if position < 0 or number - self._starts[position] >= len(self._lists[position]):
            raise ValueError(f"Expected a value that the pickle has had, got number {number:,} of it.")
        return self._lists[position][number - self._starts[position]]

    def _added(self, count: int) -> None:
        self._count += count
        if self._count > self._most:
            self._forget()

    def _forget(self) -> None:
        last = self._next - KEPT_LAST
        kept = {number: value for number, value in self._values.items() if number < KEPT_FIRST or number >= last}
        listed = zip(self._starts, self._lists, strict=True)
        near = [(start, each) for start, each in listed if start < KEPT_FIRST or start + len(each) > last]
        self._values, self._starts, self._lists = kept, [start for start, _ in near], [each for _, each in near]
        self._count = len(kept) + sum(map(len, self._lists))
        self._most = max(MOST_KEPT, self._count + KEPT_LAST)  # or else a file could make it forget at each value
