"""The public names: stubs list them, for `jaxnas` and its documented modules and for editors and type checkers."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import jaxnas
from jaxnas import catalog

ROOT = Path(__file__).parents[2]
PLAIN = {"optuna": ("optuna_strategy", "to_optuna_study")}
"""The documented modules without a stub, with their names."""
MODULES = {f"jaxnas.{module}": name for name, module in jaxnas._MODULES.items() if name not in PLAIN}
"""The modules with lazy names, each with what `jaxnas` calls it."""
STUBBED = ["jaxnas", *MODULES]
HEADING = '''"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""
'''


def stub_of(module: str) -> Path:
    return Path(importlib.import_module(module).__file__).with_suffix(".pyi")


def names_in_stub(module: str) -> dict[str, tuple[str, str]]:
    """Returns each name of the stub with the module and the attribute it is imported from."""
    return catalog.names_of_stub(stub_of(module))


def stub_text(module: str) -> str:
    """Returns the stub, sorted, with `__all__`; that of `jaxnas` with all strategies and documented modules."""
    names = names_in_stub(module)
    if module == "jaxnas":
        names |= {name: tuple(target.split(":")) for name, target in catalog.STRATEGIES.items()}
        names |= {name: tuple(f"jaxnas.{home}".rsplit(".", 1)) for name, home in jaxnas._MODULES.items()}
    imports = sorted((*source, name) for name, source in names.items())
    renamed = [attribute if attribute == name else f"{attribute} as {name}" for _, attribute, name in imports]
    lines = [f"from {home} import {text}" for (home, _, _), text in zip(imports, renamed, strict=True)]
    version = ["__version__: str"] if module == "jaxnas" else []
    exported = [f'    "{name}",' for name in sorted(names)]
    return "\n".join([HEADING, *lines, "", *version, "__all__ = [", *exported, "]", ""])


def public_names() -> list[tuple[str, str]]:
    """Returns every public name with the module that offers it, the modules of `jaxnas` left out."""
    found = [(module, name) for module in STUBBED for name in names_in_stub(module) if name not in jaxnas._MODULES]
    return found + [(f"jaxnas.{jaxnas._MODULES[module]}", name) for module, names in PLAIN.items() for name in names]


@pytest.mark.parametrize("module", STUBBED)
def test_a_stub_is_sorted_and_names_every_strategy(module):
    assert stub_of(module).read_text() == stub_text(module), "Run `python tests/repository/test_public_names.py`."
    assert set(names_in_stub(module)) <= set(dir(importlib.import_module(module)))


@pytest.mark.parametrize(("module", "name"), [each for each in public_names() if each[0] in STUBBED])
def test_a_name_of_a_stub_is_the_object_of_its_module(module, name):
    home, attribute = names_in_stub(module)[name]
    found = getattr(importlib.import_module(module), name)
    assert found is getattr(importlib.import_module(home), attribute)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert found.__module__ == home


@pytest.mark.parametrize("module", STUBBED)
def test_no_submodule_hides_a_public_name(module):
    """Importing a submodule sets an attribute of its package."""
    folder = Path(importlib.import_module(module).__file__).parent
    submodules = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    offered = {name for name, source in names_in_stub(module).items() if source != (module, name)}
    assert module == "jaxnas.training.kinds" or not submodules & offered


def test_there_are_few_public_names():
    assert len([name for name in dir(jaxnas) if not name.startswith("_")]) <= 65


def test_every_public_name_has_a_docstring_and_an_example():
    from helpers.pages import handwritten  # not where this file writes stubs

    pages = [ROOT / "README.md", *handwritten(ROOT / "docs"), *(ROOT / "tests").rglob("*.py")]
    text = "\n".join(page.read_text() for page in pages)
    without = []
    offered = {f"jaxnas.{module}": name for name, module in jaxnas._MODULES.items()}
    for module, name in public_names():
        shown = f"jn.{name}" if module == "jaxnas" else f"jn.{offered[module]}.{name}"
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
    for each in STUBBED:
        stub_of(each).write_text(stub_text(each))
