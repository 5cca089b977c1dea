"""An executor whose other machines are this process, where a value arrives as a copy and the last call ends first."""

import pickle
from collections.abc import Callable, Generator, Iterable
from typing import Any

from jaxnas.provenance import machine
from jaxnas.tables.building.executors.base import Ended


class Elsewhere:
    """The stand-in for a cluster: `calls` are made when they are asked for."""

    def __init__(self, num_processes: int | None = None, address: str | None = None):
        self.calls, self.functions, self.ended = self, [], False

    def machine(self) -> dict:
        return machine()

    def results(
        self, function: Callable, copy: bytes, calls: Iterable[tuple[Any, tuple]], look: Callable[[], None]
    ) -> Generator[tuple[Any, Ended], None, None]:
        value = pickle.loads(copy)
        for name, arguments in reversed(list(calls)):
            self.functions.append(function.__name__)
            yield name, Ended(function(value, *arguments))

    def close(self) -> None:
        self.ended = True
