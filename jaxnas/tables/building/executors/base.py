"""What an executor is: where the chunks of a build are trained, and where other work may be done."""

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jaxnas.tables.building.plan import BuildPlan, Chunk
from jaxnas.training.trainer import Trainer


class Work(NamedTuple):
    """What is trained: a plan, the file that holds it, next to whose folder `shards` lies, and the trainer of it.

    `part` counts the parts of the build that may train on this machine, too, before this one.
    """

    plan: BuildPlan
    plan_path: Path
    trainer: Trainer
    part: int = 0


class Ended(NamedTuple):
    """How a call on another machine ended: what it returned, or in one line why it did not.

    Of those that returned nothing, `lost` are those that were lost with their machine and can be called again, and
    `crashed` those whose process ended.
    """

    value: Any = None
    failure: str = ""
    lost: bool = False
    crashed: bool = False


class Calls(Protocol):
    """Functions called on other machines, each with a value that is sent to them once.

    Functions are named ones of modules that are there as well. The value is what `copied` made a copy of.
    """

    def shared(self, copy: bytes) -> Any:
        """Returns the handle of a value, after sending its copy."""
        ...

    def begin(self, function: Callable, shared: Any, *arguments: Any) -> Any:
        """Returns the handle of a call `function(value, *arguments)` that has begun, and is not tried again."""
        ...

    def ended(self, call: Any) -> Ended:
        """Returns how a call ended, once it has."""
        ...

    def cancel(self, call: Any) -> None:
        """Ends a call, whatever it does."""
        ...

    def results(
        self, function: Callable, copy: bytes, calls: Iterable[tuple[Any, tuple]], look: Callable[[], None]
    ) -> Generator[tuple[Any, Ended], None, None]:
        """Yields the names of calls `function(value, *arguments)` and how they ended, as they do; those that are lost
        are tried again. Closing it ends the others.

        Args:
            calls: names and arguments.
            look: called about twice a second.
        """
        ...


class Executor(Protocol):
    """Where chunks are trained; made of the number of processes, None for all, and an address, None for none.

    It raises ValueError where it cannot be used, and RuntimeError where it cannot be reached.

    Attributes:
        calls: of functions on its machines; None for processes of this one, which each kind of work starts itself.
    """

    calls: Calls | None

    def machine(self) -> dict[str, Any]:
        """Returns what of the machines that train numbers depend on; `provenance.machine` has its keys."""
        ...

    def train(self, work: Work, missing: Sequence[Chunk], look: Callable[[], None]) -> str:
        """Returns why chunks may be missing still, after all that could be trained have been.

        Args:
            missing: the chunks without a shard.
            look: called about twice a second; it reads the shards.
        """
        ...

    def close(self) -> None:
        """Gives back what the executor holds."""
        ...
