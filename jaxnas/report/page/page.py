"""The pages of a comparison, one for each table and one over several: single files that need nothing else."""

import json
import re
from importlib import resources

import numpy as np

from jaxnas.analysis.pairs import not_separated_from
from jaxnas.analysis.statistics import LEVEL
from jaxnas.report.bibliography import bibtex

CHECKPOINTS = (30, 100)
MAX_POINTS = 300
"""Points of a curve that a page holds, the last one among them."""

MAX_FIGURES = 700_000
"""Characters of figures that a page holds for readers without JavaScript; they are files beside it, too."""

_CURVES = ("regret_mean", "regret_ci_low", "regret_ci_high", "mean_rank_over_trials")


def page_text(result: dict, figures: dict[str, dict], index: str | None = None) -> str:
    """Returns the page of a `summary.json` dictionary as HTML.

    Args:
        result: the dictionary.
        figures: what readers without JavaScript see, by name: dictionaries with `caption` and `svg`.
        index: where the page over all tables lies, from this page.
    """
    return render(
        "page.html",
        result=result,
        ranked=ranked(result),
        points=shown_points(result),
        verdicts=verdicts(result),
        finding=finding(result),
        matrix=_matrix(result),
        fronts=_ranked_fronts(result),
        overall=result.get("overall"),
        landscape=result.get("landscape"),
        effects=_effects(result.get("landscape") or {}),
        cells=_cells(result),
        figures=_fitting(figures),
        index=index,
        data=embedded({**_thinned(result), "cells": None}),
        bibtex=bibtex([result]),
    )


def index_text(results: dict[str, dict]) -> str:
    """Returns the page over several tables as HTML, of `summary.json` dictionaries by the folder they lie in."""
    first = next(iter(results.values()))
    overall = first.get("overall")
    return render(
        "index.html",
        result=first,
        results=results,
        overall=overall,
        findings={folder: finding(result) for folder, result in results.items()},
        data=embedded({"overall": overall, "strategies": {}}),
        bibtex=bibtex(list(results.values())),
    )


def ranked(result: dict) -> list[tuple[str, dict]]:
    """Returns the strategies of a result with their numbers, best mean rank first."""
    return sorted(result["strategies"].items(), key=lambda item: item[1]["mean_rank"])


def shown_points(result: dict) -> list[int]:
    """Returns the numbers of trials that tables show the regret after."""
    return sorted({point for point in CHECKPOINTS if point < result["num_trials"]} | {result["num_trials"]})


def verdicts(result: dict) -> dict[str, dict]:
    """Returns for each strategy how it stands against the one of the best mean rank, by the tests of `pairwise`.

    A verdict is `text` ("best", "not separated", "worse" or "better"), `p` (a text) and `separated`. Without tests
    there is none.
    """
    if not result.get("pairwise"):
        return {}
    best = ranked(result)[0][0]
    found = {best: {"text": "best", "p": "", "separated": False}}
    for pair in result["pairwise"]:
        if best in (pair["first"], pair["second"]):
            other = pair["second"] if pair["first"] == best else pair["first"]
            separated = pair["p_holm"] <= LEVEL
            chance = pair["effect_size"] if pair["first"] == best else 1 - pair["effect_size"]
            text = ("worse" if chance > 0.5 else "better") if separated else "not separated"
            found[other] = {"text": text, "p": p_text(pair["p_holm"]), "separated": separated}
    return found


def finding(result: dict) -> str:
    """Returns what a comparison found, in a sentence or two."""
    best, numbers = ranked(result)[0]
    mean, low, high = (100 * numbers[f"regret_{end}"][-1] for end in ("mean", "ci_low", "ci_high"))
    text = (
        f"After {result['num_trials']} trials {best} has the best mean rank, with a test regret of {mean:.3f} "
        f"percentage points (95 % interval {low:.3f} to {high:.3f})."
    )
    near = not_separated_from(best, result.get("pairwise") or [])
    if near:
        text += f" Not separated from it at {100 * LEVEL:g} % (Holm): {', '.join(near)}."
    elif result.get("pairwise"):
        text += f" It is separated from every other strategy at {100 * LEVEL:g} % (Holm)."
    return text


def p_text(value: float) -> str:
    """Returns a p-value as a text."""
    return f"p {_p_number(value)}" if value < 0.001 else f"p = {_p_number(value)}"


def _p_number(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _fitting(figures: dict[str, dict]) -> dict[str, dict]:
    """Returns the first figures, as many as a page holds."""
    kept, room = {}, MAX_FIGURES
    for name, figure in figures.items():
        if len(figure["svg"]) <= room:
            kept[name] = figure
            room -= len(figure["svg"])
    return kept


def _ranked_fronts(result: dict) -> list[tuple[str, dict]]:
    """Returns the strategies of a comparison by two objectives with their numbers, most hypervolume first."""
    found = result.get("fronts", {}).get("strategies", {})
    return sorted(found.items(), key=lambda item: -item[1]["hypervolume_mean"][-1])


def _matrix(result: dict) -> list[dict]:
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
    names = [name for name, _ in ranked(result)]
    return [{"name": row, "cells": [cells.get((row, column)) for column in names]} for row in names]


def _effects(landscape: dict) -> dict | None:
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


def _cells(result: dict) -> list[dict]:
    """Returns the best cells with their drawings made fit for one page, and who ended on them, most often first."""
    found = []
    for number, cell in enumerate(result.get("cells") or ()):
        ended = sorted(((share, name) for name, share in cell["found_by"].items() if share), reverse=True)
        drawing = labelled(cell["drawing"], f"Cell {cell['architecture']}", f"cell-{number}")
        found.append({**cell, "drawing": drawing, "ended": [(name, share) for share, name in ended[:3]]})
    return found


def labelled(svg: str, title: str, prefix: str) -> str:
    """Returns an image with a name for screen readers, and with identifiers that no other image of the page has."""
    from html import escape

    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r' role="img"| aria-label="[^"]*"', "", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def _thinned(result: dict) -> dict:
    """Returns the result with curves of at most `MAX_POINTS` points and `trials`, the numbers of trials they are at."""
    num_trials = result["num_trials"]
    spaced = np.concatenate(
        [
            np.geomspace(1, num_trials, MAX_POINTS // 2),
            np.linspace(1, num_trials, MAX_POINTS // 2),
            shown_points(result),
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


def embedded(data: dict) -> str:
    """Returns data as JSON that can stand in a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def render(name: str, **values) -> str:
    """Returns a template of this package with its values filled in; `file(name)` in it is another file's text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxnas.report.page", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["file"] = _text
    environment.filters["percent"] = lambda value, digits=2: "" if value is None else f"{100 * value:.{digits}f}"
    environment.filters["fixed"] = lambda value, digits=2: "" if value is None else f"{value:.{digits}f}"
    environment.filters["p"] = p_text
    environment.filters["p_number"] = _p_number
    environment.filters["heat"] = _heat
    environment.filters["breakable"] = _breakable
    environment.filters["positions"] = lambda values: np.argsort(values).tolist()
    return environment.get_template(name).render(**values)


def _heat(value: float) -> str:
    """Returns the background of a table's cell: blue above a half, orange below, the stronger the further away."""
    color = "0 114 178" if value > 0.5 else "230 159 0"
    return f"rgb({color} / {min(0.45, abs(value - 0.5) * 0.9):.2f})"


def _breakable(name: str):
    """Returns a name that a narrow column may break after an underscore."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(name).split("_"))


def _text(name: str) -> str:
    return resources.files("jaxnas.report").joinpath(name).read_text(encoding="utf-8")
