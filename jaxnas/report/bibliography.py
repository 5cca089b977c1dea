"""BibTeX for a comparison: jaxnas, its tables, their search spaces, and the strategies."""

import re
from importlib import resources
from typing import Any

from jaxnas import catalog
from jaxnas.report.latex import latex_escaped

TITLE = "jaxnas: a research benchmark suite for neural architecture search in JAX"
AUTHOR = "The jaxnas authors"
OF_TRANSFER = ("feurer2015initializing", "feurer2022autosklearn", "hvarfner2022pibo", "feurer2018scalable")
"""What a comparison with source tables cites: warm starts, portfolios, priors and ensembles."""


def entries() -> dict[str, str]:
    """Returns the entries of `references.bib` by their keys."""
    text = resources.files("jaxnas.report").joinpath("references.bib").read_text(encoding="utf-8")
    return {entry[2]: entry[1] for entry in re.finditer(r"^(@\w+\{(\w+),\n.*?^\})", text, re.DOTALL | re.MULTILINE)}


def bibtex(results: list[dict[str, Any]]) -> str:
    """Returns the BibTeX entries to cite for comparisons, of their `summary.json` dictionaries.

    A published table is cited by its papers. Strategies and spaces that are not in the catalog have none;
    `jaxnas/report/references.bib` holds all entries.
    """
    keys: list[str] = []
    for result in results:
        keys += result.get("source", {}).get("references", ())
        keys += _cited(result.get("space"), catalog.SPACES)
        for name in result["strategies"]:
            keys += _cited(name, catalog.STRATEGIES)
        keys += _cited(result.get("method"), catalog.ONE_SHOT)
        keys += OF_TRANSFER if result.get("sources") else ()
    known = entries()
    version = results[0].get("versions", {}).get("jaxnas")
    found = [_misc("jaxnas", TITLE, latex_escaped(f"Version {version}") if version else None)]
    found += [_table_entry(result) for result in results if result.get("content_hash")]
    return "\n\n".join(found + [known[key] for key in dict.fromkeys(keys)])


def _cited(name: str | None, known: dict[str, str]) -> tuple[str, ...]:
    return catalog.cites(name, known) if name in known else ()


def _table_entry(result: dict[str, Any]) -> str:
    note = f"Table of jaxnas, content hash {result['content_hash']}"
    authors = result.get("source", {}).get("authors")
    title, author = f"{{{latex_escaped(result['benchmark'])}}}", latex_escaped(authors) if authors else f"{{{AUTHOR}}}"
    return _misc(result["benchmark"], title, latex_escaped(note), author)


def _misc(key: str, title: str, note: str | None, authors: str = f"{{{AUTHOR}}}") -> str:
    fields = {"title": title, "author": authors, "note": note}
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    key = re.sub(r"[^A-Za-z0-9_:./-]", "-", key)  # others end a key, or BibTeX has no use for them
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}"
