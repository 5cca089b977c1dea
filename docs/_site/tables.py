"""A page for each shipped table, with a figure, and the gallery."""

import functools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

import jaxnas as jn
from _site import results
from _site.text import save, table, toctree
from jaxnas.report.figures.style import COLORS, new_figure, styled
from jaxnas.report.figures.style import save as save_figure
from jaxnas.report.units import score_text
from jaxnas.tables.reliability import reliability_of_means
from jaxnas.tables.shipped import shipped_folder, shipped_ids


class Shipped(NamedTuple):
    """The contents of a table's page: its benchmark, and test scores and parameters of its classes, [G]."""

    bench: jn.TableBenchmark
    scores: np.ndarray
    parameters: np.ndarray

    @property
    def best(self) -> int:
        """Returns the row of the class with the largest mean test score."""
        return int(self.bench.table.representatives[np.nanargmax(self.scores)])


@functools.cache
def shipped(name: str) -> Shipped:
    """Returns the contents of a table's page."""
    bench = jn.load(name)
    archs = bench.space.arch_at(bench.table.representatives)
    return Shipped(bench, np.asarray(bench.held_out.scores(archs)), np.asarray(bench.sizes("parameters", archs)))


def write(folder: Path) -> None:
    """Writes the pages of tables, their figures, and the gallery."""
    for name in shipped_ids():
        _write_pictures(name, folder / "images" / "tables")
        save(folder / "reference" / "tables" / f"{name}.md", _page(name))
    rows = [(f"[`{name}`]({name}.md)", f"{len(shipped(name).scores):,}", _best(name)) for name in shipped_ids()]
    text = "# Tables\n[What tables can show](../../../tables.md) describes how informative each of them is.\n\n"
    text += table(["table", "classes", "best mean test score"], rows) + toctree(shipped_ids(), ":hidden:\n")
    save(folder / "reference" / "tables" / "index.md", text)
    save(folder / "gallery.md", _gallery())


def _best(name: str) -> str:
    found = shipped(name)
    return score_text(float(np.nanmax(found.scores)), found.bench.metric)


def _write_pictures(name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"{name}.png").exists():
        save_figure(_landscape(name), folder / f"{name}.png")
        bench = shipped(name).bench
        save(folder / f"{name}.svg", bench.space.drawing(bench.space.arch_at(shipped(name).best)))


@styled
def _landscape(name: str):
    """Returns the figure of all classes: test score over parameters, or its distribution where all are as large."""
    found = shipped(name)
    label = f"test {found.bench.metric.name}"
    if len(np.unique(found.parameters)) > 1:
        figure, axes = new_figure("parameters", label, ("linear", "linear"))
        axes.scatter(found.parameters, found.scores, s=2, alpha=0.4, color=COLORS[0])
        return figure
    figure, axes = new_figure(label, "classes", ("linear", "linear"))
    axes.hist(found.scores[np.isfinite(found.scores)], bins=40, color=COLORS[0])
    return figure


def _page(name: str) -> str:
    """Returns the page of a table: pictures, figures of strategies, and its card."""
    card = (shipped_folder() / name / "README.md").read_text(encoding="utf-8")
    card = re.sub(r"\A---\n.*?^---\n", "", card, flags=re.DOTALL | re.MULTILINE)
    card = re.sub(r"^# .*\n", "", card.lstrip(), count=1)
    heading = f"""# `{name}`
![Test scores of all classes of {name}](../../images/tables/{name}.png)

The class with the best mean test score, {_best(name)}:

![Its architecture](../../images/tables/{name}.svg)

"""
    return heading + _reliability(name) + results.of_table(name) + f"## Card\n{_lowered(card)}"


def _reliability(name: str) -> str:
    found = reliability_of_means(shipped(name).bench.table)
    if found is None:
        return ""
    return f"Reliability of class means: {found[0]:.2f} among all classes, {found[1]:.2f} among the best 5 %.\n\n"


def _lowered(text: str) -> str:
    """Returns Markdown with its headings a level lower; code stays."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(re.sub(r"^(#+) ", r"\1# ", part, flags=re.MULTILINE) if n % 2 == 0 else part
                   for n, part in enumerate(parts))  # fmt: skip


def _gallery() -> str:
    """Returns the gallery: a picture and a number of each table, and the figures of a comparison."""
    cards = [
        f":::{{grid-item-card}} {name}\n:img-top: images/tables/{name}.png\n:img-alt: test scores of {name}\n"
        f":link: reference/tables/{name}\n:link-type: doc\n\n"
        f"{len(shipped(name).scores):,} classes, best {_best(name)}\n:::"
        for name in shipped_ids()
    ]
    grid = "::::{grid} 1 2 3 3\n:gutter: 3\n\n" + "\n".join(cards) + "\n::::\n"
    return f"# Gallery\n## Tables\n{grid}\n## Figures\n{results.gallery()}"
