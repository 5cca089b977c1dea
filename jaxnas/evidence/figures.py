"""A published result: its figures beside those computed here, and whether they agree.

Needs the standard library only.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

READ, REMEMBERED, COMPUTED = "read in the source", "as remembered", "computed before"
"""How a published figure came here: from a text that was read, from memory, or from the same data by other programs."""
NUM_ERRORS = 3.0
AGREES, DIFFERS, MISSING = "agrees", "differs", "not reproduced"


class Figure(NamedTuple):
    """One published figure and that computed here.

    Attributes:
        what: what it is of: strategy, data set, score.
        published: the published figure.
        ours: that computed here; None where it cannot be.
        published_error, our_error: standard errors; 0 where a figure is exact.
        tolerance: how far the two may differ besides three standard errors of both.
        digits: decimals that are shown.
        source: `READ`, `REMEMBERED` or `COMPUTED`.
        note: why it differs, or why it is missing.
    """

    what: str
    published: float
    ours: float | None
    published_error: float = 0.0
    our_error: float = 0.0
    tolerance: float = 0.0
    digits: int = 2
    source: str = READ
    note: str = ""

    @property
    def error(self) -> float:
        """Returns the standard error of the difference."""
        return math.hypot(self.published_error, self.our_error)

    @property
    def difference(self) -> float | None:
        """Returns ours less the published one, None where there is none."""
        return None if self.ours is None else self.ours - self.published

    @property
    def allowed(self) -> float:
        """Returns how far the two may differ."""
        return max(self.tolerance, NUM_ERRORS * self.error)

    @property
    def verdict(self) -> str:
        """Returns whether the two agree, or that there is nothing to compare."""
        if self.difference is None:
            return MISSING
        rounding = 0.5 * 10.0**-self.digits  # a published figure is rounded
        return AGREES if abs(self.difference) <= self.allowed + rounding else DIFFERS

    def texts(self) -> tuple[str, str, str, str]:
        """Returns the published figure, ours, their difference, and that in standard errors, for tables."""

        def number(value: float, error: float) -> str:
            return f"{value:.{self.digits}f}" + (f" ± {error:.{self.digits}f}" if error else "")

        published = number(self.published, self.published_error)
        if self.ours is None or self.difference is None:
            return published, "", "", ""
        errors = _signed(self.difference / self.error, 1) if self.error else ""
        return published, number(self.ours, self.our_error), _signed(self.difference, self.digits), errors

    def as_dict(self) -> dict[str, Any]:
        """Returns the figure and what follows from it as JSON values."""
        errors = None if self.difference is None or not self.error else self.difference / self.error
        found = {"difference": self.difference, "difference_in_errors": errors, "allowed": self.allowed}
        return {**self._asdict(), **found, "verdict": self.verdict}


def _signed(value: float, digits: int) -> str:
    """Returns a number with its sign, without one where it rounds to 0."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


class Result(NamedTuple):
    """A published result, as a script states it.

    Attributes:
        title: what it is.
        cites: keys of `references.bib`.
        where: the table or the section of the paper.
        protocol: how the figures come about, in a sentence or two.
        needs: identifiers of tables, without their version where any will do.
        figures: a function of the folders of those tables, by identifier, that computes the figures.
    """

    title: str
    cites: tuple[str, ...]
    where: str
    protocol: str
    needs: tuple[str, ...]
    figures: Callable[[Mapping[str, Path]], Sequence[Figure]]
