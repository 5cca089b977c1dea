"""Each script of `experiments/` states its claim and its command, and `experiments/README.md` lists all of them."""

import ast
import re
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments"
README = FOLDER / "README.md"
FIELDS = ("Claim", "Command", "Run time", "Output", "Page")
COLUMNS = ("Claim", "Command", "Run time", "Page")
HEADING = """# Experiments
One script for each measurement, run from the root of the repository. Its docstring also describes the output. `Page` is
the page of the documentation that shows the figures.

Written by `python tests/repository/test_experiments.py` from the docstrings.
"""


def scripts() -> list[Path]:
    """Returns the files that are commands, and not modules that commands share."""
    return [path for path in sorted(FOLDER.rglob("*.py")) if "__main__" in path.read_text(encoding="utf-8")]


def fields_of(script: Path) -> dict[str, str]:
    """Returns the text of each field in the docstring of a script: from its name to an empty line or another field."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    names = "|".join(FIELDS)
    found = re.findall(rf"^({names}): (.*?)(?=\n\n|\n(?:{names}): |\Z)", text, re.DOTALL | re.MULTILINE)
    return {name: " ".join(value.split()) for name, value in found}


def name_of(script: Path) -> str:
    return f"{script.parent.name}/{script.name}"


def row(script: Path) -> str:
    """Returns the row of a script in the table of its folder."""
    fields = fields_of(script)
    cells = [f"[{script.name}]({name_of(script)})", *(fields[column] for column in COLUMNS)]
    return " | ".join(cell.replace("|", r"\|") for cell in cells)


def readme_text() -> str:
    """Returns the text of the README: a table for each folder."""
    parts = [HEADING]
    for folder, members in groupby(scripts(), lambda script: script.parent.name):
        rows = ["Script | Claim | Command | Run time | Page", "--- | --- | --- | --- | ---", *map(row, members)]
        parts.append("\n".join([f"## {folder}", *rows, ""]))
    return "\n".join(parts)


@pytest.mark.parametrize("script", scripts(), ids=name_of)
def test_the_docstring_of_a_script_has_every_field(script):
    fields = fields_of(script)
    assert [name for name in FIELDS if not fields.get(name)] == []
    assert f"python experiments/{name_of(script)}" in fields["Command"]


@pytest.mark.parametrize("script", scripts(), ids=name_of)
def test_the_pages_of_a_script_exist_and_are_those_that_name_it(script):
    from helpers.pages import handwritten  # not where this file writes experiments/README.md

    stated = set(fields_of(script)["Page"].split(", ")) - {"none"}
    assert [page for page in stated if not (ROOT / page).is_file()] == []
    pages = [ROOT / "README.md", *handwritten(ROOT / "docs")]
    naming = {str(page.relative_to(ROOT)) for page in pages if name_of(script) in page.read_text(encoding="utf-8")}
    assert naming <= stated


def test_the_readme_is_written_from_the_docstrings():
    expected = readme_text()
    assert README.read_text(encoding="utf-8") == expected, "Run `python tests/repository/test_experiments.py`."


if __name__ == "__main__":
    README.write_text(readme_text(), encoding="utf-8")
