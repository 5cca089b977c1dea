"""An executor whose workers are this process: a value arrives as a copy, and the last call to begin ends first."""

import pickle
from collections.abc import Callable
from typing import Any

from jaxnas.execution.base import Ended, Executor, Terms, Workers, called
from jaxnas.execution.copies import copied
from jaxnas.provenance import machine


class Elsewhere(Executor):
    """A stand-in for a pool of processes or a cluster, which notes the names of the functions that it calls."""

    def __init__(self, *_: Any, failure: str = ""):
        self.functions, self.ended, self.failure = [], False, failure

    def machine(self) -> dict:
        return machine()

    def workers(self, function: Callable, value: Any, num_calls: int, terms: Terms = Terms()) -> Workers:
        return _Copy(self, function, pickle.loads(copied(value)))

    def close(self) -> None:
        self.ended = True


class _Copy(Workers):
    def __init__(self, executor: Elsewhere, function: Callable, value: Any):
        super().__init__(capacity=10**6, again=True)
        self.executor, self.function, self.value, self.waiting = executor, function, value, []

    def _send(self, name, arguments) -> None:
        self.waiting.append((name, arguments))

    def _received(self, seconds) -> tuple[Any, Ended] | None:
        name, arguments = self.waiting.pop()
        self.executor.functions.append(self.function.__name__)
        failure = self.executor.failure
        return name, Ended(failure=failure) if failure else called(self.function, self.value, *arguments)

    def close(self) -> None:
        self.waiting.clear()
