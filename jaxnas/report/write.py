"""Writing a comparison into a folder, and the page again from what lies there."""

import json
import os
import re
from importlib import resources
from pathlib import Path

import numpy as np

from jaxnas.report import figures
from jaxnas.report.critical import critical_difference

CHECKPOINTS = (30, 100)
SUMMARY_FILE, TRIALS_FILE, PAGE_FILE = "summary.json", "trials.npz", "report.html"

_FIGURES = {
    "regret_by_trials": (
        "Regret over trials",
        "Mean test regret after each trial; bands are 95 % bootstrap intervals over runs.",
        figures.regret_by_trials,
    ),
    "regret_by_cost": (
        "Regret over cost",
        "Mean test regret over the epochs of training paid for; repeated evaluations are free.",
        figures.regret_by_cost,
    ),
}

_FRONT_FIGURES = {
    "hypervolume": (
        "Hypervolume over trials",
        "Mean area dominated by what a run had found (chosen by validation, valued by test), relative to the true "
        "front's; bands are 95 % bootstrap intervals over runs.",
        figures.hypervolume_by_trials,
    ),
    "fronts": (
        "Fronts",
        "Test accuracy and size of what the run with the median hypervolume found on its front by validation, beside "
        "the benchmark's true front.",
        figures.fronts,
    ),
}

_OVERALL_FIGURES = {
    "critical_difference": (
        "Ranks over tables",
        "Average rank over tables, 1 is best; a thick line joins strategies that are not separated.",
        critical_difference,
    ),
}


def write_comparison(folder: str | os.PathLike, result: dict, trials: dict) -> None:
    """Writes summary.json, trials.npz, the figures as SVG and PDF, and report.html.

    Args:
        result: the dictionary of `summary.json`.
        trials: the `Trials` of each strategy.
    """
    write_trials(folder, trials)
    write_result(folder, result)


def write_trials(folder: str | os.PathLike, trials: dict) -> None:
    """Writes trials.npz, the `Trials` of each strategy."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for name, each in trials.items():
        for part, values in {**each.query._asdict(), **each.observation._asdict()}.items():
            arrays[f"{name}/{part}"] = values
    np.savez_compressed(folder / TRIALS_FILE, **arrays)


def write_result(folder: str | os.PathLike, result: dict) -> None:
    """Writes summary.json, the figures and report.html."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_FILE).write_text(json.dumps(result, indent=1) + "\n")
    write_page(folder)


def write_page(folder: str | os.PathLike) -> Path:
    """Writes the figures and report.html from the summary.json of a folder, and returns the page's path.

    Raises ValueError where there is no summary.json or it is not one of ours.
    """
    folder = Path(folder)
    result = read_summary(folder)
    shown = []
    drawn = (
        _FIGURES | (_FRONT_FIGURES if "fronts" in result else {}) | (_OVERALL_FIGURES if "overall" in result else {})
    )
    for name, (title, caption, draw) in drawn.items():
        figure = draw(result)
        for suffix in (".svg", ".pdf"):
            figures.save(figure, folder / f"{name}{suffix}")
        svg = re.sub(r"^.*?(?=<svg)", "", (folder / f"{name}.svg").read_text(), flags=re.DOTALL)
        shown.append({"title": title, "caption": caption, "svg": _labelled(svg, title, prefix=name)})
    page = folder / PAGE_FILE
    page.write_text(
        _template().render(result=result, figures=shown, ranked=ranked(result), points=shown_points(result))
    )
    return page


def _labelled(svg: str, title: str, prefix: str) -> str:
    """Returns the image with a name for screen readers, and with identifiers that no other image of the page has."""
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


def _template():
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(resources.files("jaxnas.report").joinpath("page.html").read_text())


def read_summary(folder: str | os.PathLike) -> dict:
    """Returns the dictionary of the summary.json in a folder.

    Raises ValueError where there is none or it is not one of ours.
    """
    path = Path(folder) / SUMMARY_FILE
    try:
        result = json.loads(path.read_text())
        missing = {"benchmark", "num_runs", "num_trials", "strategies", "budget"} - set(result)
        if missing:
            raise ValueError(f"no {min(missing)}")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"Expected {path} as `jaxnas compare` writes it, got: {error}.") from None
    return result


def ranked(result: dict) -> list[tuple[str, dict]]:
    """Returns the strategies of a result with their numbers, best mean rank first."""
    return sorted(result["strategies"].items(), key=lambda item: item[1]["mean_rank"])


def shown_points(result: dict) -> list[int]:
    """Returns the numbers of trials that tables show the regret after."""
    return sorted({point for point in CHECKPOINTS if point < result["num_trials"]} | {result["num_trials"]})
