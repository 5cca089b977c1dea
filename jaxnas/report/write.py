"""Writing a comparison into a folder, and the page again from what lies there."""

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.report.figures import gallery
from jaxnas.report.page import page
from jaxnas.report.tables import write_tables
from jaxnas.report.templates import labelled
from jaxnas.report.words import shown_points
from jaxnas.simulation.trials import Trials

SUMMARY_FILE, TRIALS_FILE, PAGE_FILE = "summary.json", "trials.npz", "report.html"
INDEX_LINK = f"../{PAGE_FILE}"


def write_trials(folder: str | os.PathLike, trials: dict[str, Trials]) -> None:
    """Writes trials.npz, the `Trials` of each strategy."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for name, each in trials.items():
        for part, values in {**each.query._asdict(), **each.observation._asdict()}.items():
            arrays[f"{name}/{part}"] = values
    # np.savez_compressed compresses harder, which takes six times as long for a file that is a quarter smaller.
    with zipfile.ZipFile(folder / TRIALS_FILE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def write_result(folder: str | os.PathLike, result: dict[str, Any]) -> Path:
    """Returns the path of report.html, after writing it, summary.json, the figures and the tables."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_FILE).write_text(json.dumps(result, indent=1) + "\n")
    return write_page(folder)


def write_page(folder: str | os.PathLike) -> Path:
    """Returns the path of report.html, after writing it, the figures and the tables from the folder's summary.json.

    Raises ValueError where there is no summary.json or it is not one of ours.
    """
    folder = Path(folder)
    result = read_summary(folder)
    shown = gallery.figures_of(result)
    gallery.write_figures(folder, result, shown)
    write_tables(folder, result, shown_points(result))
    images = {name: _image(folder / f"{name}.svg", each.title) for name, each in shown.items()}
    drawn = {name: {"caption": each.caption, "svg": images[name]} for name, each in shown.items()}
    file = folder / PAGE_FILE
    file.write_text(page.page_text(result, drawn, INDEX_LINK if "overall" in result else None), encoding="utf-8")
    return file


def write_index(folder: str | os.PathLike) -> Path:
    """Returns the path of report.html over the last comparison on several tables in a folder, after writing it.

    Raises ValueError where there is no such comparison.
    """
    folder = Path(folder)
    results = {path.name: read_summary(path) for path in _compared_last(folder)}
    file = folder / PAGE_FILE
    file.write_text(page.index_text(results), encoding="utf-8")
    return file


def write_again(folder: str | os.PathLike) -> Path:
    """Returns the path of the page of a comparison, after writing it again; with those of its tables, if several.

    Raises ValueError where the folder holds no comparison.
    """
    folder = Path(folder)
    if (folder / SUMMARY_FILE).exists() or not list(folder.glob(f"*/{SUMMARY_FILE}")):
        return write_page(folder)
    for part in _compared_last(folder):
        write_page(part)
    return write_index(folder)


def _compared_last(folder: Path) -> list[Path]:
    """Returns the folders of the tables of the last comparison on several of them in a folder, in its order."""
    parts = sorted(folder.glob(f"*/{SUMMARY_FILE}"), key=lambda path: path.stat().st_mtime_ns)
    over_all = read_summary(parts[-1].parent).get("overall") if parts else None
    if over_all is None:
        raise ValueError(f"Expected {folder} as `jaxnas compare` on several tables writes it, got a folder without.")
    return [folder / name for name in over_all["benchmarks"]]


def _image(file: Path, title: str) -> str:
    svg = re.sub(r"^.*?(?=<svg)", "", file.read_text(), flags=re.DOTALL)
    return labelled(svg, title, prefix=file.stem)


def read_summary(folder: str | os.PathLike) -> dict[str, Any]:
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
