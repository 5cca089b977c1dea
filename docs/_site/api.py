"""The pages of the Python interface, from the stubs of public names and their docstrings."""

import importlib
import inspect
from itertools import groupby
from pathlib import Path

import jaxnas
from _site.text import directive, save, table, toctree
from jaxnas import catalog

ROOMS = {
    "benchmarks": "Benchmarks and tables",
    "strategies": "Strategies: search algorithms",
    "simulation": "Runs of strategies",
    "analysis": "Results of runs",
    "report": "Comparisons and pages",
    "search": "From data to a network",
    "sessions": "Searchers from outside",
    "spaces": "Search spaces",
    "tasks": "Tasks",
    "training": "How networks are trained",
    "tables": "Tables on disk",
    "predictors": "Predictors and proxies",
    "evidence": "Numbers that run again",
}
"""The rooms of public names in the order of their use."""


def write(folder: Path) -> None:
    """Writes a page for each room with public names, and their list."""
    names = sorted(_public(), key=lambda each: (list(ROOMS).index(each[0]), each[1].lower()))
    rooms = {room: list(members) for room, members in groupby(names, lambda each: each[0])}
    folder = folder / "reference" / "api"
    for room, members in rooms.items():
        sections = [f"## `{_shown(name)}`\n{_documented(name)}" for _, name in members]
        save(folder / f"{room}.md", f"# {ROOMS[room]}\n" + "\n".join(sections))
    rows = [(f"[{ROOMS[room]}]({room}.md)", ", ".join(f"`{_shown(name)}`" for _, name in members))
            for room, members in rooms.items()]  # fmt: skip
    text = (
        "# Python interface\n`import jaxnas as jn`. Strategies have [pages of their own](../strategies/index.md).\n\n"
    )
    save(folder / "index.md", text + table(["", "names"], rows) + toctree(rooms, ":hidden:\n"))


def _public() -> list[tuple[str, str]]:
    """Returns the room and the full name of every public name; strategies have other pages."""
    modules = ["jaxnas", *(f"jaxnas.{name}" for name in jaxnas._MODULES)]
    found = []
    for module in modules:
        for name in _names(module):
            if not (module == "jaxnas" and (name in catalog.STRATEGIES or name in jaxnas._MODULES)):
                found.append((_room(module, name), f"{module}.{name}"))
    return found


def _names(module: str) -> list[str]:
    """Returns the public names of a module: those of its stub, or the functions that it defines."""
    home = importlib.import_module(jaxnas.__name__ if module == "jaxnas" else _home(module))
    stub = Path(str(home.__file__)).with_suffix(".pyi")
    if stub.exists():
        return list(catalog.names_of_stub(stub))
    own = inspect.getmembers(home, lambda each: inspect.isfunction(each) or inspect.isclass(each))
    return [name for name, value in own if value.__module__ == home.__name__ and not name.startswith("_")]


def _home(module: str) -> str:
    return f"jaxnas.{jaxnas._MODULES[module.partition('.')[2]]}"


def _room(module: str, name: str) -> str:
    """Returns the room of the module that a public name is defined in."""
    value = getattr(importlib.import_module(module if module == "jaxnas" else _home(module)), name)
    home = getattr(value, "__module__", None) or "jaxnas.spaces"
    home = home if home.startswith("jaxnas.") else _home(module) if module != "jaxnas" else "jaxnas.spaces"
    return home.split(".")[1]


def _shown(name: str) -> str:
    return name.replace("jaxnas.", "jn.", 1)


def _documented(name: str) -> str:
    """Returns the directive of a public name."""
    module, _, attribute = name.rpartition(".")
    value = getattr(importlib.import_module(module), attribute)
    if inspect.isclass(value):
        return directive(f".. autoclass:: {name}\n   :members:")
    if inspect.isfunction(value):
        return directive(f".. autofunction:: {name}")
    return directive(f".. autodata:: {name}\n   :no-value:")
