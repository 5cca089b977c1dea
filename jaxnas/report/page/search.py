"""The page of a search: a single file that needs nothing else, made from its `summary.json`."""

from typing import Any

import numpy as np

from jaxnas import catalog
from jaxnas.analysis.statistics import finite
from jaxnas.report import units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.drawings import drawing_of, explained
from jaxnas.report.tables import csv_text
from jaxnas.report.templates import embedded, labeled, render
from jaxnas.tasks.metrics import Metric


def search_text(summary: dict[str, Any]) -> str:
    """Returns the page of a search as HTML, of the dictionary of its `summary.json`."""
    metric = units.metric_of(summary)
    best = summary["trials"][summary["best"]]
    cell = {"architecture": best["architecture"], "drawing": summary["drawing"]}
    drawing = labeled(drawing_of(cell, summary["space"]), f"Architecture {best['architecture']}", "best")
    cited = {"benchmark": "", "space": summary["space"], "strategies": [summary["strategy"]]}
    return render(
        "page/search.html",
        metric,
        result=summary,
        best=best,
        drawing=drawing,
        told=_told(summary, metric),
        explanation=summary.get("explanation"),
        explained=explained(summary.get("explanation"), summary["space"]),
        with_measured=any(each["measured"] != each["score"] for each in summary["trials"]),
        sizes=[name for name in ("parameters", "flops") if name in best],
        finalists=[each | {"mean": _mean(each["fresh"])} for each in summary["finalists"]],
        loading=loading_lines("model", summary["space"]),
        data=embedded(_for_script(summary, metric)),
        bibtex=bibtex([cited | {"versions": summary["versions"]}]),
    )


def loading_lines(folder: str, space: str) -> list[str]:
    """Returns the two lines of Python that load the model of a search, in a space of that name, and predict."""
    own = "" if space in catalog.SPACES else ", space=SPACE"
    return [f"model = jn.FittedModel.load({folder!r}{own})", "model.predict(X)"]


def _told(summary: dict[str, Any], metric: Metric) -> str:
    """Returns the label of the score that the search observed: its name with its unit."""
    if summary["objective"] != metric.name:
        return summary["objective"]
    return units.labeled(metric.name, units.unit(metric))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _for_script(summary: dict[str, Any], metric: Metric) -> dict[str, Any]:
    scores = [each["score"] for each in summary["trials"]]
    rows = [{"trial": number, **each} for number, each in enumerate(summary["trials"])]
    return {
        "units": units.for_scripts(metric, summary["cost_unit"]),
        "told": _told(summary, metric),
        "measured": units.labeled(metric.name, units.unit(metric)),
        "scores": scores,
        "best": [finite(best) for best in np.fmax.accumulate(np.asarray(scores, float))],  # None until one succeeds
        "training": summary["training"],
        "csv": {"trials": csv_text(rows)},
    }
