"""The public names: the stubs, for editors and type checkers, name what `jaxnas` and its documented modules have."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import jaxnas
from jaxnas import catalog

ROOT = Path(__file__).parents[2]
MODULES = {f"jaxnas.{module}": name for name, module in jaxnas._MODULES.items() if name != "optuna"}
"""The modules with lazy names, each with what `jaxnas` calls it. `jaxnas.optuna` is a plain module."""
WRITTEN = ["jaxnas", *MODULES]
HEADING = '''"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""
'''


def sources_of(module: str) -> dict[str, tuple[str, str]]:
    """Returns the public names of a module, each with the module and the attribute to import."""
    if module != "jaxnas":
        homes = {name: home.partition(":") for name, home in importlib.import_module(module).NAMES.items()}
        return {name: (f"jaxnas.{home}", attribute or name) for name, (home, _, attribute) in homes.items()}
    found = {name: (f"jaxnas.{home}", name) for name, home in jaxnas._PUBLIC.items()}
    found |= {name: tuple(target.split(":")) for name, target in catalog.STRATEGIES.items()}
    return found | {name: tuple(f"jaxnas.{home}".rsplit(".", 1)) for name, home in jaxnas._MODULES.items()}


def stub_of(module: str) -> Path:
    return Path(importlib.import_module(module).__file__).with_suffix(".pyi")


def stub_text(module: str) -> str:
    """Returns what the stub should hold: one import a public name, by module."""
    imports = sorted((home, attribute, name) for name, (home, attribute) in sources_of(module).items())
    renamed = [attribute if attribute == name else f"{attribute} as {name}" for _, attribute, name in imports]
    lines = [f"from {home} import {text}" for (home, _, _), text in zip(imports, renamed, strict=True)]
    version = ["__version__: str"] if module == "jaxnas" else []
    exported = [f'    "{name}",' for name in sorted(sources_of(module))]
    return "\n".join([HEADING, *lines, "", *version, "__all__ = [", *exported, "]", ""])


def names_in_stub(module: str) -> dict[str, tuple[str, str]]:
    """Returns each name of the stub with the module and the attribute it is imported from."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.parse(stub_of(module).read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def public_names() -> list[tuple[str, str]]:
    """Returns every public name with the module that offers it, the modules of `jaxnas` left out."""
    found = [(module, name) for module in WRITTEN for name in sources_of(module) if name not in jaxnas._MODULES]
    return found + [("jaxnas.strategies.optuna", name) for name in ("optuna_strategy", "to_optuna_study")]


@pytest.mark.parametrize("module", WRITTEN)
def test_the_stubs_are_written_from_the_public_names(module):
    expected = stub_text(module)
    assert stub_of(module).read_text() == expected, "Run `python tests/repository/test_public_names.py`."
    assert set(names_in_stub(module)) <= set(dir(importlib.import_module(module)))


@pytest.mark.parametrize(("module", "name"), [each for each in public_names() if each[0] in WRITTEN])
def test_a_name_of_a_stub_is_the_object_of_its_module(module, name):
    home, attribute = names_in_stub(module)[name]
    found = getattr(importlib.import_module(module), name)
    assert found is getattr(importlib.import_module(home), attribute)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert found.__module__ == home


@pytest.mark.parametrize("module", WRITTEN)
def test_no_submodule_hides_a_public_name(module):
    """Importing a submodule sets an attribute of its package."""
    folder = Path(importlib.import_module(module).__file__).parent
    submodules = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    offered = {name for name, source in sources_of(module).items() if source != (module, name)}
    assert module == "jaxnas.training.kinds" or not submodules & offered


def test_there_are_few_public_names():
    assert len([name for name in dir(jaxnas) if not name.startswith("_")]) <= 65


def test_every_public_name_has_a_docstring_and_an_example():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "tests").rglob("*.py")]
    text = "\n".join(page.read_text() for page in pages)
    without = []
    for module, name in public_names():
        shown = f"jn.{name}" if module == "jaxnas" else f"jn.{MODULES.get(module, 'optuna')}.{name}"
        found = getattr(importlib.import_module(module), name)
        if not (found.__doc__ and re.search(rf"{re.escape(shown)}\b", text)):
            without.append(shown)
    assert without == []


def test_types_ship():
    assert stub_of("jaxnas").with_name("py.typed").is_file()


def test_a_strategy_of_the_catalog_is_a_public_name(monkeypatch):
    monkeypatch.setitem(catalog.STRATEGIES, "another", catalog.STRATEGIES["random_search"])
    assert jaxnas.another is jaxnas.random_search


if __name__ == "__main__":
    for each in WRITTEN:
        stub_of(each).write_text(stub_text(each))
