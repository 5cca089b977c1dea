"""How much of one file importers read: values, bytes and seconds.

Real files stay far below. Those of NATS-Bench unpack to 39 times their size at most, and take 0.2 seconds a megabyte.
"""

import time

VALUES, VALUES_A_BYTE = 5_000_000, 1 / 4
"""In any file, and more for each byte unpacked. A value counts as often as it is referred to."""
CONTAINER, TEXT = 8, 64
"""Values that a list or the like counts as, and bytes of text or of an array that count as one."""
BYTES, BYTES_A_BYTE = 1 << 22, 100
"""Unpacked bytes of any file, and more for each byte of the file itself."""
SECONDS, SECONDS_A_BYTE = 5.0, 2e-6
"""Seconds of the processor, likewise."""
LARGEST_JSON = 1 << 28
MOST_AT_ONCE = 1000
"""Keys that are hashed between two looks at the clock: a file can have keys that all collide."""


class Budget:
    """What a file of `size` bytes may take; `check` raises ValueError where it takes more."""

    def __init__(self, size: int):
        self.held = self.bytes = 0
        self.most_bytes = BYTES + BYTES_A_BYTE * size
        self.end = time.thread_time() + SECONDS + SECONDS_A_BYTE * size

    def hold(self, count: int) -> None:
        """Adds values in memory."""
        self.held += count
        if count > 100 or self.held > VALUES:
            self.check()

    def check(self, more: int = 0) -> None:
        """Raises ValueError if the file takes too much, with `more` values than were added."""
        if self.held + more > VALUES + VALUES_A_BYTE * self.bytes:
            raise ValueError(f"Expected fewer values in a file of its size, got {self.held + more:,}.")
        if self.bytes > self.most_bytes:
            raise ValueError(f"Expected at most {self.most_bytes:,} bytes in a file of its size, got more.")
        if time.thread_time() > self.end:
            raise ValueError("Expected a file that is read in the time of others of its size, got a longer one.")
