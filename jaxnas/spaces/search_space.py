"""A search space of decisions and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import jax

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision, check_decisions
from jaxnas.spaces.validity import check_traceable, everything


@final
@dataclass(frozen=True)
class SearchSpace(Space):
    """A search space of decisions without further structure, for user-defined functions.

    Attributes:
        name: the space's name in tables and reports.
        decisions: one for each place of an architecture.
        valid: a function from a vector of choices, int32[D], to whether it is an architecture, bool[]. It is traced:
            `lambda arch: arch[0] + arch[1] < 4`. Architectures have rows if there are at most two million vectors. By
            default all vectors are architectures.
    """

    name: str
    decisions: tuple[Decision, ...]
    valid: Callable[[jax.Array], jax.Array] = everything

    def __post_init__(self) -> None:
        if isinstance(self.decisions, Decision):
            raise ValueError(f"Expected decisions in a list, got one, {self.decisions.name!r}, without.")
        object.__setattr__(self, "decisions", tuple(self.decisions))
        check_decisions(self.decisions)
        if self.constrained:
            check_traceable(self.valid, len(self.decisions))

    @property
    def constrained(self) -> bool:
        return self.valid is not everything
