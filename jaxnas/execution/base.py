"""Executors: a function of a shared value, called many times by workers, with results as they come."""

import abc
import contextlib
import itertools
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterable
from typing import Any, NamedTuple

from jaxnas.checks import failure_of

POLL_SECONDS = 0.5
MAX_TRIES = 4
"""How often a call is made whose worker is lost each time."""


class Ended(NamedTuple):
    """How a call ended.

    Attributes:
        value: of the function.
        failure: in one line, why there is no value; empty if there is one.
        log: the traceback of a failure, and the output of its worker if that is captured.
        crashed: whether the process of the call ended, perhaps by its fault.
        lost: whether the machine of the call was lost.
    """

    value: Any = None
    failure: str = ""
    log: str = ""
    crashed: bool = False
    lost: bool = False


class Workers(abc.ABC):
    """Workers with a copy of a function and its first argument each. `close` ends them, even if they are busy.

    A call whose machine is lost is made again.

    Args:
        capacity: how many calls may have begun and not ended.
        again: whether a call whose process ended is made again, too.
    """

    def __init__(self, capacity: int, again: bool):
        self.capacity = capacity
        self._again = again
        self._begun: dict[Hashable, tuple[Any, ...]] = {}
        self._tries: Counter[Hashable] = Counter()

    @property
    def num_begun(self) -> int:
        """Returns how many calls have begun and not ended."""
        return len(self._begun)

    def begin(self, name: Hashable, *arguments: Any) -> None:
        """Begins a call. `name` is unique among those that have begun."""
        self._begun[name] = arguments
        self._send(name, arguments)

    def first(self, seconds: float | None = None) -> tuple[Any, Ended] | None:
        """Returns the name of a call that has ended, and its end; None if there is none within some seconds.

        Raises RuntimeError if a worker cannot start.
        """
        while found := self._received(seconds):
            name, ended = found
            self._tries[name] += 1
            if not (ended.lost or (ended.crashed and self._again)):
                break
            if self._tries[name] == MAX_TRIES:
                found = name, ended._replace(failure=f"{ended.failure}, {MAX_TRIES} times in turn")
                break
            self._send(name, self._begun[name])
        if found:
            del self._begun[found[0]], self._tries[found[0]]
        return found

    @abc.abstractmethod
    def _send(self, name: Hashable, arguments: tuple[Any, ...]) -> None:
        """Sends a call to a worker."""

    @abc.abstractmethod
    def _received(self, seconds: float | None) -> tuple[Any, Ended] | None:
        """Like `first`, for calls that were sent."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends all workers."""


class Terms(NamedTuple):
    """How workers work.

    Attributes:
        trains: whether processes of this machine keep to a core and one thread each, and their output is captured.
        again: whether a call whose process ended is made again.
        timeout: seconds after which the process of a call is ended.
    """

    trains: bool = True
    again: bool = True
    timeout: float | None = None


class Executor(abc.ABC):
    """A place for work: this machine, or a cluster."""

    @abc.abstractmethod
    def machine(self) -> dict[str, Any]:
        """Returns the properties of the machines on which numbers depend, as `provenance.machine`."""

    @abc.abstractmethod
    def workers(self, function: Callable, value: Any, num_calls: int, terms: Terms = Terms()) -> Workers:
        """Returns workers that call `function(value, *arguments)`. They start when they are needed.

        Args:
            function: a named one of a module.
            value: sent to each worker once.
            num_calls: no more workers than these are needed.

        Raises ValueError if the value cannot be sent to another process.
        """

    def map(
        self,
        function: Callable,
        value: Any,
        calls: Iterable[tuple[Hashable, tuple[Any, ...]]],
        num_calls: int,
        look: Callable[[], None] = lambda: None,
    ) -> Generator[tuple[Any, Ended], None, None]:
        """Yields the names of calls `function(value, *arguments)` and their ends, as they come. Closing it ends all.

        Args:
            calls: names and arguments, taken when a worker is free.
            num_calls: how many there are at most.
            look: called at least every half second.
        """
        left = iter(calls)
        with contextlib.closing(self.workers(function, value, num_calls)) as workers:
            while True:
                for name, arguments in itertools.islice(left, workers.capacity - workers.num_begun):
                    workers.begin(name, *arguments)
                if not workers.num_begun:
                    return
                found = workers.first(POLL_SECONDS)
                look()
                if found:
                    yield found

    def close(self) -> None:  # noqa: B027, most hold nothing
        """Gives back everything that the executor holds."""


def called(function: Callable, *arguments: Any) -> Ended:
    """Returns the end of a call in this process. No exception leaves it, SystemExit included."""
    try:
        return Ended(function(*arguments))
    except BaseException as error:
        return Ended(failure=failure_of(error), log=traceback.format_exc())
