"""Pages in Markdown: their fenced blocks, and their text without code."""

import re
from pathlib import Path

MADE = ("_build", "generated")
"""Folders of the documentation that its build makes."""


def handwritten(folder: Path) -> list[Path]:
    """Returns the pages of a folder that people wrote, sorted."""
    found = folder.rglob("*.md")
    return sorted(page for page in found if not set(page.relative_to(folder).parts) & set(MADE))


def fenced(text: str) -> list[tuple[str, str]]:
    """Returns the fenced blocks of a page: the words after the opening fence, and the lines between the fences."""
    return [block for block, _ in _parts(text) if block is not None]


def without_code(text: str) -> str:
    """Returns the lines of a page that are in no fenced block, and not the settings before them."""
    text = re.sub(r"\A---\n.*?^---\n", "", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(line for block, line in _parts(text) if block is None)


def _parts(text: str) -> list[tuple[tuple[str, str] | None, str]]:
    """Returns each line outside of fences, after None, and each fenced block, before an empty text."""
    parts: list[tuple[tuple[str, str] | None, str]] = []
    fence, info, body = "", "", ""
    for line in text.splitlines(keepends=True):
        opening = re.match(r"(`{3,})([^`]*)$", line)
        if not fence and opening:
            fence, info, body = opening[1], opening[2].strip(), ""
        elif fence and line.strip() == fence:
            parts.append(((info, body), ""))
            fence = ""
        elif fence:
            body += line
        else:
            parts.append((None, line))
    return parts
