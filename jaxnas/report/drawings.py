"""Drawings of architectures on pages. A drawing in a file is never put on a page unchanged."""

import re
import xml.etree.ElementTree as ElementTree
from html import escape
from typing import Any

from jaxnas import catalog
from jaxnas.report.templates import labeled

_MOST_CHARACTERS = 500_000
_SHAPES = ("svg", "g", "defs", "marker", "path", "circle", "ellipse", "rect", "line", "polyline", "polygon", "text")
_ATTRIBUTE = re.compile(
    "id|viewBox|width|height|transform|x|y|x1|y1|x2|y2|cx|cy|r|rx|d|points|refX|refY|markerWidth|markerHeight|orient|"
    "marker-start|marker-end|fill|fill-opacity|stroke|stroke-width|stroke-opacity|stroke-dasharray|opacity|"
    "text-anchor|font-family|font-size|font-weight"
)
_VALUE = re.compile(r"[\w\s.,#()%+-]*")
"""The values of attributes: numbers, names, colors, paths, and `url(#name)`; none has a colon or a quotation mark."""


def drawing_of(cell: dict[str, Any], space_name: str | None) -> str:
    """Returns the drawing of one of the `cells` of `summary.json` as SVG, empty if there is none.

    It is made from the architecture, if the space is one of the catalog. Otherwise the shapes of the drawing in the
    file are drawn again, and nothing else that it holds.
    """
    space = catalog.in_file(space_name, catalog.SPACES)
    if space is not None:
        try:
            arch = space.from_str(cell["architecture"])
            if space.to_str(arch) == cell["architecture"]:
                return space.drawing(arch)
        except (ValueError, IndexError, KeyError):
            pass  # another space of that name
    return rebuilt(cell.get("drawing", ""))


def explained(explanation: dict[str, Any] | None, space_name: str | None) -> list[dict[str, str]]:
    """Returns the architectures that an explanation speaks of: their names, their text and their drawing."""
    found = explanation or {}
    parts = {"this one": "architecture", "reference": "reference", "runner-up": "runner_up", "smaller one": "half"}
    if not found.get("half"):
        parts["smaller one"] = "within_half"
    cells = {name: found[key] for name, key in parts.items() if found.get(key)}
    return [
        {"name": name, "text": cell["architecture"], "drawing": labeled(svg, f"The {name}", name.replace(" ", "-"))}
        for name, cell in cells.items()
        for svg in [drawing_of({"architecture": cell["architecture"]}, space_name)]
    ]


def rebuilt(svg: str) -> str:
    """Returns the shapes and strings of an SVG image as a new image, empty if it cannot be read."""
    if len(svg) > _MOST_CHARACTERS or "<!" in svg:  # entities can expand to any size
        return ""
    try:
        root = ElementTree.fromstring(svg)
        return _rebuilt(root) if _name(root) == "svg" else ""
    except (ElementTree.ParseError, ValueError, RecursionError):
        return ""


def _rebuilt(element: ElementTree.Element) -> str:
    name = _name(element)
    if name not in _SHAPES:
        return ""
    known = {
        key: value for key, value in element.attrib.items() if _ATTRIBUTE.fullmatch(key) and _VALUE.fullmatch(value)
    }
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in known.items())
    text = escape(element.text or "") if name == "text" else ""
    return f"<{name}{attributes}>{text}{''.join(map(_rebuilt, element))}</{name}>"


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
