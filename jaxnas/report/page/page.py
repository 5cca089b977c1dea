"""The pages of a comparison, one for each table and one over several: single files that need nothing else."""

from typing import Any

import numpy as np

from jaxnas.analysis.statistics import LEVEL
from jaxnas.report import sentences, tables, units
from jaxnas.report.bibliography import bibtex
from jaxnas.report.drawings import drawing_of, explained
from jaxnas.report.figures.curves import first_shown
from jaxnas.report.templates import embedded, labeled, render

MAX_POINTS = 300
"""Points of a curve that a page holds, the last one among them."""

SMALL_POINTS = 60
"""Points of a curve in the small chart of a table."""

MAX_FIGURES = 700_000
"""Characters of figures that a page holds for readers without JavaScript; they are files in its folder, too."""

_CURVES = ("regret_mean", "regret_ci_low", "regret_ci_high", "mean_rank_over_trials")


def page_text(
    result: dict[str, Any],
    figures: dict[str, dict[str, str]],
    index: str | None = None,
    explorer: str | None = None,
) -> str:
    """Returns the page of a `summary.json` dictionary as HTML.

    Readers without JavaScript see `figures`: by name, dictionaries with `caption` and `svg`. `index` and `explorer` are
    links from this page to the one over all tables, and to the explorer of the table.
    """
    cells = _cells(result)
    return render(
        "page/page.html",
        units.metric_of(result),
        result=result,
        ranked=sentences.ranked(result),
        points=sentences.shown_points(result),
        verdicts=sentences.verdicts(result),
        finding=sentences.finding(result),
        paid=units.paid(cost_unit(result)),
        matrix=_matrix(result),
        fronts=sentences.ranked_by_front(result),
        overall=result.get("overall"),
        compared=sentences.compared_by(result),
        optimum_text=sentences.optimum_text(result),
        option_texts=sentences.option_texts(result),
        explanation=result.get("explanation"),
        explained=explained(result.get("explanation"), result.get("space")),
        landscape=result.get("landscape"),
        effects=_effects(result.get("landscape") or {}),
        cells=cells,
        dashed=any("stroke-dasharray" in cell["drawing"] for cell in cells),
        figures=_fitting(figures),
        index=index,
        explorer=explorer,
        spread=all("regret_quantiles" in numbers for numbers in result["strategies"].values()),
        attainment=any("attainment" in each for _, each in sentences.ranked_by_front(result)),
        start=first_shown(result["num_trials"]),
        ranks_latex=tables.rank_latex(result["overall"]) if "overall" in result else "",
        latex=tables.headline_latex(result, sentences.shown_points(result)),
        data=embedded(_for_script(result)),
        bibtex=bibtex([result]),
    )


def index_text(results: dict[str, dict[str, Any]]) -> str:
    """Returns the page over several tables as HTML, of `summary.json` dictionaries by their folders."""
    each = list(results.values())
    first, overall = each[0], each[0]["overall"]
    return render(
        "page/index.html",
        units.metric_of(first),
        result=first,
        results=results,
        overall=overall,
        findings={folder: sentences.finding(result) for folder, result in results.items()},
        finding=sentences.overall_finding(each),
        headings=tables.table_headings(each),
        rows=tables.table_cells(each),
        measures=sentences.measures_text(each),
        by_table_latex=tables.by_table_latex(each),
        ranks_latex=tables.rank_latex(overall),
        data=embedded(
            {
                "overall": overall,
                "names": list(first["strategies"]),
                "strategies": {},
                "units": _units(first),
                "tables": [_small(result) for result in each],
                "csv": {"by_table": tables.by_table_csv(each), "ranks": tables.csv_text(tables.rank_rows(overall))},
            }
        ),
        bibtex=bibtex(each),
    )


def _for_script(result: dict[str, Any]) -> dict[str, Any]:
    """Returns the data for the script of the page: the result with thinned curves, units, tables to download."""
    csv = {"table": tables.headline_csv(result, sentences.shown_points(result))}
    csv |= {"fronts": tables.front_csv(result)} if "fronts" in result else {}
    csv |= {"ranks": tables.csv_text(tables.rank_rows(result["overall"]))} if "overall" in result else {}
    start = first_shown(result["num_trials"])
    start_cost = result["budget"][min(start, len(result["budget"])) - 1]
    shown = {"start": start, "start_cost": start_cost, "csv": csv, "units": _units(result)}
    if "fronts" in result:
        shown["size_label"] = units.size_label(result["fronts"])
    return {**_thinned(result), "cells": None, **shown}


def cost_unit(result: dict[str, Any]) -> str:
    """Returns the unit of the budgets of a result: epochs if it names none, as in results of version 0.1."""
    return result.get("cost_unit", "epochs")


def _units(result: dict[str, Any]) -> dict[str, Any]:
    return units.for_scripts(units.metric_of(result), cost_unit(result))


def _fitting(figures: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Returns the first figures, as many as a page holds."""
    kept, room = {}, MAX_FIGURES
    for name, figure in figures.items():
        if len(figure["svg"]) <= room:
            kept[name] = figure
            room -= len(figure["svg"])
    return kept


def _small(result: dict[str, Any]) -> dict[str, Any]:
    """Returns the curves and units of a small chart: each strategy's mean regret after some numbers of trials."""
    num_trials, start = result["num_trials"], first_shown(result["num_trials"])
    kept = np.unique(np.geomspace(start, num_trials, SMALL_POINTS).round().astype(int))
    found = {
        name: [numbers["regret_mean"][trial - 1] for trial in kept] for name, numbers in result["strategies"].items()
    }
    return {"strategies": found, "trials": kept.tolist(), "start": start, "units": _units(result)}


def _matrix(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the rows of the table of pairs, best strategy first: A12 of the row's strategy against each column's."""
    if not result.get("pairwise"):
        return []
    cells = {}
    for pair in result["pairwise"]:
        separated = pair["p_holm"] <= LEVEL
        for names, value in (
            ((pair["first"], pair["second"]), pair["effect_size"]),
            ((pair["second"], pair["first"]), 1 - pair["effect_size"]),
        ):
            cells[names] = {"value": value, "separated": separated}
    order = [name for name, _ in sentences.ranked(result)]
    return [{"name": row, "cells": [cells.get((row, column)) for column in order]} for row in order]


def _effects(landscape: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the effects of decisions for a table: whether all have the same values, and the largest effect."""
    found = landscape.get("effects")
    if not found:
        return None
    names = [[str(value["value"]) for value in decision["values"]] for decision in found["decisions"]]
    largest = max(abs(value["mean"]) for decision in found["decisions"] for value in decision["values"])
    return {
        **found,
        "shared": names[0] if all(each == names[0] for each in names) else None,
        "num_values": max(map(len, names)),
        "largest": largest or 1,
        "most": max(decision["share"] for decision in found["decisions"]),
    }


def _cells(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the best cells with their drawings made fit for one page, and who ended on them, most often first."""
    found = []
    for number, cell in enumerate(result.get("cells") or ()):
        ended = sorted(((share, name) for name, share in cell["found_by"].items() if share), reverse=True)
        svg = drawing_of(cell, result.get("space"))
        drawing = labeled(svg, f"Architecture {cell['architecture']}", f"cell-{number}")
        found.append({**cell, "drawing": drawing, "ended": [(name, share) for share, name in ended[:3]]})
    return found


def _thinned(result: dict[str, Any]) -> dict[str, Any]:
    """Returns the result with curves of at most `MAX_POINTS` points and `trials`, the numbers of trials they are at."""
    num_trials = result["num_trials"]
    spaced = np.concatenate(
        [
            np.geomspace(1, num_trials, MAX_POINTS // 2),
            np.linspace(1, num_trials, MAX_POINTS // 2),
            [*sentences.shown_points(result), first_shown(num_trials)],
        ]
    )
    kept = np.unique(spaced.round().astype(int)) if num_trials > MAX_POINTS else np.arange(1, num_trials + 1)
    at_budgets = np.unique(np.linspace(0, len(result["budget"]) - 1, MAX_POINTS).round().astype(int))
    strategies = {}
    for name, numbers in result["strategies"].items():
        curves = {curve: [numbers[curve][trial - 1] for trial in kept] for curve in _CURVES if curve in numbers}
        curves["regret_mean_by_cost"] = [numbers["regret_mean_by_cost"][n] for n in at_budgets]
        strategies[name] = {**numbers, **curves}
    budget = [result["budget"][n] for n in at_budgets]
    return {**result, "strategies": strategies, "budget": budget, "trials": kept.tolist()}
