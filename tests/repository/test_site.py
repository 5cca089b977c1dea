"""The documentation site has a heading for every room of public names, and a place for every page."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from helpers.pages import handwritten

import jaxnas

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def api(monkeypatch):
    """Returns the module that writes the pages of the Python interface."""
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    for name in jaxnas._MODULES:
        monkeypatch.setitem(sys.modules, f"jaxnas.{name}", getattr(jaxnas, name))  # as docs/conf.py does
    spec = importlib.util.spec_from_file_location("api_pages", DOCS / "_site" / "api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_is_in_the_reference(api, tmp_path):
    api.write(tmp_path)
    text = "\n".join(path.read_text() for path in (tmp_path / "reference" / "api").glob("*.md"))
    missing = [name for _, name in api._public() if name not in text]
    assert len(api._public()) > 100
    assert missing == []


def test_every_page_is_in_a_table_of_contents():
    pages = handwritten(DOCS)
    listed = {DOCS / "index.md"}
    for page in pages:
        for block in re.findall(r"```{toctree}\n(.*?)```", page.read_text(), re.S):
            for line in filter(None, block.splitlines()):
                name = re.sub(r".*<(.*)>", r"\1", line)
                listed.add((page.parent / f"{name}.md").resolve())
    assert {path.resolve() for path in pages} <= {path.resolve() for path in listed}
