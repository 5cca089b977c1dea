"""Filling in the templates of pages, which are in the folders of this room with their styles and scripts."""

import functools
import html
import json
import re
from importlib import resources
from typing import Any

import numpy as np

from jaxnas.report import sentences, units
from jaxnas.tasks.metrics import Metric


def render(name: str, metric: Metric, **values: Any) -> str:
    """Returns the template of a name such as "page/page.html" with its values filled in.

    In a template `file(name)` is the text of another file, and `units`, `words` and `metric` format scores.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxnas.report", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= {"file": _text, "units": units, "sentences": sentences, "metric": metric}
    environment.filters |= _filters(metric)
    return environment.get_template(name).render(**values)


def _filters(metric: Metric) -> dict[str, Any]:
    return {
        "percent": units.percent_text,
        "score": functools.partial(units.score_text, metric=metric),
        "gap": functools.partial(units.gap_text, metric=metric),
        "change": functools.partial(units.change_text, metric=metric),
        "fixed": lambda value, digits=2: "" if value is None else f"{value:.{digits}f}",
        "p": sentences.p_text,
        "p_number": sentences.p_number,
        "runs": lambda value: "over 100,000" if value is None else f"{value:,}",
        "heat": _heat,
        "positions": lambda values: np.argsort(values).tolist(),
    }


def embedded(data: dict[str, Any]) -> str:
    """Returns data as JSON that a script element can hold."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def labeled(svg: str, title: str, prefix: str) -> str:
    """Returns an image with a name for screen readers, and with identifiers that no other image of the page has."""
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r' role="img"| aria-label="[^"]*"', "", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1)


def _heat(value: float) -> str:
    """Returns the background of a table's cell: blue above a half, orange below, the stronger the further away."""
    color = "0 114 178" if value > 0.5 else "230 159 0"
    return f"rgb({color} / {min(0.45, abs(value - 0.5) * 0.9):.2f})"


def _text(name: str) -> str:
    return resources.files("jaxnas.report").joinpath(name).read_text(encoding="utf-8")
