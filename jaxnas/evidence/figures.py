"""A published result: its figures next to those computed here, and whether they agree.

Needs the standard library only.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REMEMBERED, COMPUTED = "from memory of the paper", "computed before, from the same files by other programs"
"""Sources of figures that are not published ones: nobody looked them up, or no paper has them."""
NUM_ERRORS = 3.0
AGREES, TOLERATED, DIFFERS = "within 3 standard errors", "within the stated tolerance", "differs"
MISSING = "not reproduced"


class Figure(NamedTuple):
    """A published or another known figure, and the one computed here.

    Attributes:
        what: the quantity: strategy, data set, score.
        known: the published figure, or the other one that ours is compared with.
        ours: the one computed here; None if it cannot be.
        known_error, our_error: standard errors; 0 for an exact figure.
        tolerance: how far the two may differ if they differ by more than three standard errors of both.
        digits: decimals that are shown.
        source: the paper and table, or the file, of a published figure; `REMEMBERED` or `COMPUTED` of another.
        note: why it differs, or why it is missing.
    """

    what: str
    known: float
    ours: float | None
    known_error: float = 0.0
    our_error: float = 0.0
    tolerance: float = 0.0
    digits: int = 2
    source: str = REMEMBERED
    note: str = ""

    @property
    def is_published(self) -> bool:
        """Returns whether the known figure has a source that can be looked up."""
        return self.source not in (REMEMBERED, COMPUTED)

    @property
    def error(self) -> float:
        """Returns the standard error of the difference."""
        return math.hypot(self.known_error, self.our_error)

    @property
    def difference(self) -> float | None:
        """Returns ours less the known one, None if there is none."""
        return None if self.ours is None else self.ours - self.known

    @property
    def verdict(self) -> str:
        """Returns whether the two agree, within errors or tolerance, or that there is nothing to compare."""
        if self.difference is None:
            return MISSING
        beyond = abs(self.difference) - 0.5 * 10.0**-self.digits  # a known figure is rounded
        if beyond <= NUM_ERRORS * self.error:
            return AGREES
        return TOLERATED if beyond <= self.tolerance else DIFFERS

    def texts(self) -> tuple[str, ...]:
        """Returns for tables: published figure, unpublished one, ours, difference, difference in errors, tolerance."""

        def number(value: float, error: float) -> str:
            return f"{value:.{self.digits}f}" + (f" ± {error:.{self.digits}f}" if error else "")

        known = number(self.known, self.known_error)
        both = (known, "") if self.is_published else ("", known)
        tolerance = f"{self.tolerance:.{self.digits}f}" if self.tolerance else ""
        if self.ours is None or self.difference is None:
            return (*both, "", "", "", tolerance)
        errors = _signed(self.difference / self.error, 1) if self.error else ""
        return (*both, number(self.ours, self.our_error), _signed(self.difference, self.digits), errors, tolerance)

    def as_dict(self) -> dict[str, Any]:
        """Returns the figure and the values derived from it as JSON values."""
        errors = None if self.difference is None or not self.error else self.difference / self.error
        found = {"difference": self.difference, "difference_in_errors": errors, "is_published": self.is_published}
        return {**self._asdict(), **found, "verdict": self.verdict}


def _signed(value: float, digits: int) -> str:
    """Returns a number with its sign, without one if it rounds to 0."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


class Result(NamedTuple):
    """A published result, as a script states it.

    Attributes:
        title: its title.
        cites: keys of `references.bib`.
        where: the table or the section of the paper.
        protocol: how the figures come about, in a sentence or two.
        needs: identifiers of tables, without their version if any will do.
        figures: a function of the folders of those tables, by identifier, that computes the figures.
    """

    title: str
    cites: tuple[str, ...]
    where: str
    protocol: str
    needs: tuple[str, ...]
    figures: Callable[[Mapping[str, Path]], Sequence[Figure]]
