"""The public names: what `jaxnas/__init__.pyi` tells editors and type checkers is what `jaxnas` has."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import jaxnas
from jaxnas import catalog

STUB = Path(jaxnas.__file__).with_suffix(".pyi")
HEADING = '''"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

'''


def stub_text() -> str:
    """Returns what the stub should hold: one import a public name, by module."""
    sources = {name: (f"jaxnas.{module}", name) for name, module in jaxnas._PUBLIC.items()}
    sources |= {name: tuple(target.split(":")) for name, target in catalog.STRATEGIES.items()}
    imports = sorted((module, attribute, name) for name, (module, attribute) in sources.items())
    lines = [f"from {module} import {attribute} as {name}" for module, attribute, name in imports]
    return "\n".join([HEADING + "\n".join(lines), "", "__version__: str", ""])


def names_in_stub() -> dict[str, tuple[str, str]]:
    """Returns each name of the stub with the module and the attribute it is imported from."""
    return {
        alias.asname: (node.module, alias.name)
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_stub_is_written_from_the_public_names():
    assert STUB.read_text() == stub_text(), "Run `python tests/repository/test_public_names.py`, which writes the stub."


def test_the_stub_names_everything_public_and_nothing_else():
    assert sorted(names_in_stub()) == sorted(jaxnas.__all__)


@pytest.mark.parametrize("name", jaxnas.__all__)
def test_a_name_of_the_stub_is_the_object_of_its_module(name):
    module, attribute = names_in_stub()[name]
    found = getattr(jaxnas, name)
    assert found is getattr(importlib.import_module(module), attribute)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert found.__module__ == module


def test_types_ship():
    assert STUB.with_name("py.typed").is_file()


def test_a_strategy_of_the_catalog_is_a_public_name(monkeypatch):
    monkeypatch.setitem(catalog.STRATEGIES, "another", catalog.STRATEGIES["random_search"])
    assert jaxnas.another is jaxnas.random_search


if __name__ == "__main__":
    STUB.write_text(stub_text())
