"""Texts for LaTeX and BibTeX."""

from jaxnas.checks import printable

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def latex_escaped(text: str) -> str:
    """Returns a string in one line with characters that are commands in LaTeX escaped."""
    return "".join(_ESCAPES.get(character, character) for character in one_line(text))


def one_line(text: str) -> str:
    """Returns a string in one line, as a comment must be, without characters that cannot be shown."""
    return " ".join(printable(text).split())
