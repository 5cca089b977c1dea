"""The page of a one-shot search: a single file that needs nothing else, made from its `summary.json`."""

from typing import Any

from jaxnas.report import units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.drawings import drawing_of
from jaxnas.report.tables import csv_text
from jaxnas.report.templates import embedded, labeled, render

MAX_DRAWN = 12
"""Cells and decisions that a page draws; the others are in summary.json."""


def one_shot_text(summary: dict[str, Any]) -> str:
    """Returns the page of a one-shot search as HTML, of the dictionary of its `summary.json`."""
    metric = units.metric_of(summary)
    cells: dict[str, dict[str, Any]] = {}
    for run in summary["runs"]:
        known = cells.setdefault(run["architecture"], {**run, "seeds": []})
        known["seeds"].append(run["seed"])
    shown = list(cells.values())[:MAX_DRAWN]
    for number, cell in enumerate(shown):
        drawn = drawing_of(cell, summary["space"])
        cell["shown"] = labeled(drawn, f"Architecture {cell['architecture']}", f"cell{number}")
    cited = {"benchmark": "", "space": summary["space"], "strategies": [], "method": summary["method"]}
    return render(
        "page/one_shot.html",
        metric,
        result=summary,
        cells=shown,
        num_cells=len(cells),
        decisions=_decisions(summary),
        data=embedded(_for_script(summary)),
        bibtex=bibtex([cited | {"versions": summary["versions"]}]),
    )


def _decisions(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the decisions whose probabilities are drawn; none if a method has no probabilities."""
    return summary["decisions"][:MAX_DRAWN] if summary["runs"][0]["probabilities"] else []


def _for_script(summary: dict[str, Any]) -> dict[str, Any]:
    first = summary["runs"][0]
    charts = [
        {
            "name": decision["name"],
            "series": [
                {"name": value, "y": [each[number][choice] for each in first["probabilities"]]}
                for choice, value in enumerate(decision["values"])
            ],
        }
        for number, decision in enumerate(_decisions(summary))
    ]
    free = [run["parameter_free"] for run in summary["runs"]]
    rows = [{key: run[key] for key in ("seed", "architecture", "score", "regret")} for run in summary["runs"]]
    return {
        "steps": summary["steps"],
        "losses": [{"name": f"weights, seed {run['seed']}", "y": run["losses"]} for run in summary["runs"]],
        "alpha_losses": [
            {"name": f"alpha, seed {run['seed']}", "y": run["alpha_losses"]}
            for run in summary["runs"]
            if run["alpha_losses"]
        ],
        "decisions": charts,
        "parameter_free": None if free[0] is None else [sum(each) / len(free) for each in zip(*free, strict=True)],
        "csv": {"runs": csv_text(rows)},
    }
