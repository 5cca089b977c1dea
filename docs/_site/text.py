"""Markdown of generated pages, and their files."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxnas.report.bibliography import entries


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"


def toctree(names: Iterable[str], options: str = ":maxdepth: 1\n") -> str:
    """Returns a list of pages for the sidebar."""
    return "```{toctree}\n" + options + "\n" + "\n".join(names) + "\n```\n"


def directive(text: str) -> str:
    """Returns a directive of reStructuredText, such as those that read docstrings."""
    return f"```{{eval-rst}}\n{text}\n```\n"


def function(name: str) -> str:
    """Returns the documentation of a function, with a link to its code."""
    return directive(f".. autofunction:: {name}")


def papers(keys: Iterable[str]) -> str:
    """Returns a list of the papers behind keys of `references.bib`."""
    known = entries()
    return "".join(f"- {_paper(known[key])}\n" for key in dict.fromkeys(keys))


def _paper(entry: str) -> str:
    fields = dict(re.findall(r"^\s*(\w+) = \{(.*)\},?$", entry, re.MULTILINE))
    plain = {name: re.sub(r"[{}]", "", value).replace("--", "-").replace("\\", "") for name, value in fields.items()}
    place = next((plain[name] for name in ("booktitle", "journal", "publisher", "howpublished") if name in plain), "")
    authors = plain["author"].split(" and ")
    short = authors[0].partition(",")[0] + (" et al." if len(authors) > 2 else "")
    short += f" and {authors[1].partition(',')[0]}" if len(authors) == 2 else ""
    return f"{short}, {plain['year']}. *{plain['title']}*{'. ' + place if place else ''}."


def save(path: Path, text: str | bytes) -> None:
    """Writes a page if it has changed; a second build then reads only the new ones."""
    content = text.encode() if isinstance(text, str) else text
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
