"""What an executor is: where the chunks of a build are trained."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jaxnas.tables.build.plan import BuildPlan, Chunk
from jaxnas.training.trainer import Trainer


class Work(NamedTuple):
    """What is trained: a plan, the file that holds it, next to whose folder `shards` lies, and the trainer of it.

    `part` counts the parts of the build that may train on this machine, too, before this one.
    """

    plan: BuildPlan
    plan_path: Path
    trainer: Trainer
    part: int = 0


class Executor(Protocol):
    """Where chunks are trained; made of the number of processes, None for all, and an address, None for none.

    It raises ValueError where it cannot be used, and RuntimeError where it cannot be reached.
    """

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
