"""What a benchmark must offer so that copies of it, in other processes, can answer for it."""

from typing import Any, Protocol

import jax

from jaxnas.benchmarks.base import HostBenchmark
from jaxnas.strategies.base import Query


class Shareable(HostBenchmark, Protocol):
    """A benchmark whose copies in other processes can answer for it: it can be pickled, and knows what copies found."""

    def resolved(self, query: Query, key: jax.Array) -> Query:
        """Returns the query with the run that answers it, drawn by the key where it asks for any."""
        ...

    def knows(self, query: Query) -> bool:
        """Returns whether a resolved query is answered without work."""
        ...

    def learned(self, query: Query) -> Any:
        """Returns what this copy keeps of its answer to a resolved query."""
        ...

    def learn(self, query: Query, found: Any) -> None:
        """Keeps what another copy has learned."""
        ...
