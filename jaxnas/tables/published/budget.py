"""How much of one file importers read: values, bytes and seconds.

Real files stay far below. Those of NATS-Bench unpack to 39 times their size at most, and take 0.2 seconds a megabyte.
"""

import time

VALUES, CONTAINER, TEXT = 5_000_000, 8, 64
"""Values of any file, and one more for each 4 unpacked bytes, as often as each is referred to. A list counts as 8 more,
and 64 bytes of text or of an array as one."""
BYTES, SECONDS = 1 << 22, 5.0
"""Unpacked bytes and seconds of the processor of any file, and 100 and 2e-6 more for each byte of the file itself."""
LARGEST_JSON, MOST_KEYS = 1 << 28, 1000
"""Keys of one step, as pickles are written. They may all collide, so that the clock is looked at after each step."""


class Budget:
    """The limits on a file of `size` bytes; `check` raises ValueError if it exceeds them."""

    def __init__(self, size: int):
        self.held = self.bytes = 0
        self.most_bytes = BYTES + 100 * size
        self.end = time.thread_time() + SECONDS + 2e-6 * size

    def hold(self, count: int) -> None:
        """Adds values in memory."""
        self.held += count
        if count > 100 or self.held > VALUES:
            self.check()

    def check(self, more: int = 0) -> None:
        """Raises ValueError if the file takes too much, with `more` values than were added."""
        if self.held + more > VALUES + self.bytes / 4:
            raise ValueError(f"Expected fewer values in a file of its size, got {self.held + more:,}.")
        if self.bytes > self.most_bytes:
            raise ValueError(f"Expected at most {self.most_bytes:,} bytes in a file of its size, got more.")
        if time.thread_time() > self.end:
            raise ValueError("Expected a file that is read in the time of others of its size, got a longer one.")
