"""The page of published results that were computed again."""

from collections.abc import Mapping, Sequence

from jaxnas import __version__
from jaxnas.evidence.figures import AGREES, DIFFERS, MISSING, Figure, Result
from jaxnas.report.bibliography import entries
from jaxnas.report.templates import render
from jaxnas.tasks.metrics import ACCURACY


def page_of(
    results: Mapping[str, Result],
    figures: Mapping[str, Sequence[Figure]],
    missing: Mapping[str, Sequence[str]],
    command: str = "",
) -> str:
    """Returns the page as HTML, which works offline.

    Args:
        results: the published results that were computed again, by name.
        figures: of each.
        missing: the tables that others need and that are not there.
        command: the command line that made it.
    """
    every = [figure for each in figures.values() for figure in each]
    counts = {verdict: sum(figure.verdict == verdict for figure in every) for verdict in (AGREES, DIFFERS, MISSING)}
    known = entries()
    keys = dict.fromkeys(key for result in results.values() for key in result.cites)
    return render(
        "page/reproduction.html",
        ACCURACY,
        results=results,
        figures=figures,
        missing=missing,
        counts=counts,
        bibtex="\n\n".join(known[key] for key in keys),
        command=command,
        version=__version__,
    )
