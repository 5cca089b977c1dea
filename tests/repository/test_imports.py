"""Names and modules: nothing heavy is loaded too early, and no module hides a public name."""

import ast
import graphlib
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxnas
from jaxnas.catalog import names_of_stub

PACKAGE = Path(jaxnas.__file__).parent
ROOMS = [
    "tasks",
    "training",
    "spaces",
    "execution",
    "tables",
    "predictors",
    "strategies",
    "benchmarks",
    "simulation",
    "analysis",
    "report",
    "search",
    "evidence",
    "sessions",
    "cli",
]
FREE = ("array_files", "catalog", "checks", "files", "notebook", "prng", "progress", "provenance", "ranks")
HEAVY = ("jax", "flax", "optax", "sklearn", "pandas", "matplotlib", "pyarrow")


def submodules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(jaxnas.__path__, "jaxnas.")]
    return [name for name in found if not name.endswith("__main__")]


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("reverse", [True, pytest.param(False, marks=pytest.mark.nightly)])
def test_public_names_are_the_documented_objects_whatever_was_imported_before(reverse):
    names = sorted(submodules(), reverse=reverse)
    code = f"""
import importlib, jaxnas
for name in {names}:
    importlib.import_module(name)
for name in jaxnas.__all__:
    value = getattr(jaxnas, name)
    assert (type(value).__name__ == "module") == (name in jaxnas._MODULES), name
    assert value.__doc__, name
for module in jaxnas._MODULES:
    module = getattr(jaxnas, module)
    for name in () if module is jaxnas.optuna else dir(module):
        assert not type(getattr(module, name)).__name__ == "module", name
"""
    run_python(code)


def test_no_top_level_module_bears_a_public_name():
    """A submodule sets an attribute on its parent, so that one directly in jaxnas would hide a name."""
    top_level = {module.name for module in pkgutil.iter_modules(jaxnas.__path__)}
    assert not top_level & {name for name in jaxnas.__all__ if jaxnas._MODULES.get(name) != name}


@pytest.mark.parametrize(
    "code",
    [
        "import jaxnas",
        "import jaxnas; dir(jaxnas)",
        "import jaxnas.tables",
        "import jaxnas; [dir(getattr(jaxnas, name)) for name in jaxnas._MODULES if name != 'optuna']",
        "import jaxnas.cli.parser; jaxnas.cli.parser.make_parser()",
    ],
)
def test_importing_loads_nothing_heavy(code):
    loaded = run_python(f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = f"""
import sys
from jaxnas.cli.main import main
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


def imported(node: ast.AST) -> list[str]:
    """Returns the modules of jaxnas that an import statement names, without the package's own name."""
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "jaxnas":
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("jaxnas."):
        return [node.module.removeprefix("jaxnas.")]
    if isinstance(node, ast.Import):
        return [alias.name.removeprefix("jaxnas.") for alias in node.names if alias.name.startswith("jaxnas.")]
    return []


def test_a_room_imports_only_from_its_left():
    """A module that is free to all imports no room, not even for types."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            for name in imported(node):
                target = name.split(".")[0]
                if (room in FREE and target in ROOMS) or (
                    room in ROOMS and target in ROOMS and ROOMS.index(target) > ROOMS.index(room)
                ):
                    wrong.append((str(path), name))
    assert wrong == []


def test_a_room_offers_names_only_from_its_left():
    for module in jaxnas._MODULES.values():
        room = module.split(".")[0]
        stub = Path(importlib.import_module(f"jaxnas.{module}").__file__).with_suffix(".pyi")
        homes = names_of_stub(stub).values() if stub.exists() else ()
        targets = {home.split(".")[1] for home, _ in homes} - set(FREE)
        assert all(ROOMS.index(target) <= ROOMS.index(room) for target in targets)


def test_modules_import_each_other_in_no_circle():
    graph = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {found for node in ast.walk(ast.parse(path.read_text())) for found in imported_modules(node)}
    graphlib.TopologicalSorter(graph).prepare()


def imported_modules(node: ast.AST) -> list[str]:
    """Returns the modules that an import statement loads, a module that is imported as a name among them."""
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("jaxnas"):
        return imported(node)
    package = node.module.removeprefix("jaxnas").removeprefix(".")
    found = []
    for alias in node.names:
        inner = f"{package}.{alias.name}".removeprefix(".")
        is_module = any((PACKAGE / inner.replace(".", "/")).with_suffix(suffix).exists() for suffix in (".py", ""))
        found.append(inner if is_module else package)
    return [name for name in found if name]


def test_contributing_names_the_rooms_in_their_order():
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    assert " -> ".join(ROOMS) in text
