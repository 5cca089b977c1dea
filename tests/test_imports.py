"""Names and modules: nothing heavy is loaded too early, and no module hides a public name."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxnas

HEAVY = ("jax", "flax", "optax", "sklearn", "pandas", "matplotlib", "pyarrow")


def submodules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(jaxnas.__path__, "jaxnas.")]
    return [name for name in found if not name.endswith("__main__")]


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("reverse", [False, True])
def test_public_names_are_the_documented_objects_whatever_was_imported_before(reverse):
    names = sorted(submodules(), reverse=reverse)
    code = f"""
import importlib, jaxnas
for name in {names}:
    importlib.import_module(name)
for name, module in jaxnas._PUBLIC.items():
    value = getattr(jaxnas, name)
    assert value is getattr(importlib.import_module("jaxnas." + module), name), name
    assert not type(value).__name__ == "module", name
    assert value.__doc__, name
"""
    run_python(code)


def test_no_module_bears_a_public_name():
    last_parts = {name.rpartition(".")[2] for name in submodules()}
    assert not last_parts & set(jaxnas.__all__)


@pytest.mark.parametrize(
    "code", ["import jaxnas", "import jaxnas; dir(jaxnas)", "import jaxnas.cli; jaxnas.cli._parser()"]
)
def test_importing_loads_nothing_heavy(code):
    loaded = run_python(f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = f"""
import sys
from jaxnas.cli import main
try:
    main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    assert run_python(code).strip().endswith("[]")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jaxnas.nothing  # noqa: B018


def test_imports_go_one_way():
    order = [
        "prng", "operations", "graph", "spaces", "network", "tasks", "strategies", "catalog", "recipe",
        "perceptrons", "train", "table", "build",
        "benchmark", "objective", "simulation", "asynchronous", "analysis", "report", "search", "comparison",
        "commands", "cli",
    ]  # fmt: skip
    rank = {name: number for number, name in enumerate(order)}
    wrong = []
    for name in submodules():
        module = importlib.import_module(name)
        own = name.split(".")[1]
        for line in Path(module.__file__).read_text().splitlines():
            if line.startswith("from jaxnas"):
                words = line.split()
                parts = words[1].split(".")
                targets = (
                    [parts[1]] if len(parts) > 1 else [word.strip(",") for word in words[3:] if word.strip(",") in rank]
                )
                wrong += [(name, target) for target in targets if rank[target] > rank[own]]
    assert wrong == []
