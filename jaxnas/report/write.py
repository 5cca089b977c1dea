"""Writing a comparison into a folder, and the page again from what lies there."""

import json
import os
import re
from pathlib import Path

import numpy as np

from jaxnas.report import figures, page

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
    for name, (title, caption, draw) in (_FIGURES | (_FRONT_FIGURES if "fronts" in result else {})).items():
        figure = draw(result)
        for suffix in (".svg", ".pdf"):
            figures.save(figure, folder / f"{name}{suffix}")
        svg = re.sub(r"^.*?(?=<svg)", "", (folder / f"{name}.svg").read_text(), flags=re.DOTALL)
        shown.append({"title": title, "caption": caption, "svg": page.labelled(svg, title, prefix=name)})
    file = folder / PAGE_FILE
    file.write_text(page.page_text(result, shown))
    return file


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
