"""What README and docs say is true: examples run as printed, commands parse, nothing of the catalog is missing."""

import ast
import builtins
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.pages import fenced, handwritten, without_code

from jaxnas import catalog
from jaxnas.cli.parser import make_parser
from jaxnas.spaces.named import space_named
from jaxnas.tables.shipped import shipped_ids

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
OVERVIEW = ROOT / "docs/reference/what_there_is.md"
PAGES = [README, *handwritten(ROOT / "docs")]
TEXT = "\n".join(page.read_text() for page in PAGES)


def blocks(language: str) -> list[str]:
    """Returns the code blocks of a language, of all pages."""
    return [text for page in PAGES for name, text in fenced(page.read_text()) if name == language]


def block_with(word: str) -> str:
    (block,) = [block for block in blocks("python") if word in block]
    return block


def output_of(code: str, folder: Path) -> str:
    """Returns what code prints in a process of its own, by programs as users have them."""
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
    return done.stdout


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys) -> Callable[[str], str]:
    """Returns a function that gives what code prints in this process."""
    monkeypatch.chdir(tmp_path)

    def run(code: str) -> str:
        exec(compile(code, "example", "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out

    return run


TESTED = (
    "hill_climber",
    "swish",
    "FunctionBenchmark",
    "ListedSpace",
    "Table.from_arrays",
    "MLPSpace(",
    "nnx.Optimizer",
    "Networks)",
    "search.sh",
    "BASE_URL",
    "mcp.client",
)
"""In the blocks that a test of their own runs, here, in `tests/spaces/test_third_kind.py`, or in
`tests/sessions/test_recipes.py`.
"""
LONG = (
    ".train()",
    "jn.build",
    "jn.NAS(space, task",
    "proxy_scores",
    "gp_wl",
    "compared_with",
    "num_workers",
)
"""In the blocks that train, or compile for long."""


def examples() -> list:
    """Returns a parameter for each Python block of a page: its text."""
    found = []
    for page in PAGES:
        texts = [text for name, text in fenced(page.read_text()) if name == "python"]
        found += [pytest.param(text, id=f"{page.stem}-{number}") for number, text in enumerate(texts)]
    return found


def undefined(code: str) -> set[str]:
    """Returns the names that code reads and nowhere defines."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    defined = {node.id for node in names if isinstance(node.ctx, ast.Store)} | {*dir(builtins), "__file__"}
    defined |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    imported = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    return {node.id for node in names} - defined - {(each.asname or each.name).partition(".")[0] for each in imported}


@pytest.mark.parametrize("code", examples())
def test_an_example_defines_the_names_that_it_uses(code):
    assert undefined(code) == set()


def runnable() -> list:
    """Returns the examples that no other test runs, those that take long marked."""
    rest = [each for each in examples() if not any(word in each.values[0] for word in TESTED)]
    return [
        pytest.param(*each.values, id=each.id, marks=pytest.mark.nightly)
        if any(word in each.values[0] for word in LONG)
        else each
        for each in rest
    ]


@pytest.mark.parametrize("code", runnable())
def test_an_example_runs(code, tmp_path, monkeypatch):
    """Searches are shorter than on the page."""
    monkeypatch.chdir(tmp_path)
    code = re.sub(r"search\(\d+\)", "search(2)", code)
    code = code.replace("num_steps=1600, num_seeds=10", "num_steps=20, num_seeds=2").replace("limit=20", "limit=2")
    exec(compile(code, "example", "exec"), {"__name__": "__main__"})


def test_the_first_example_compares_two_strategies(tmp_path):
    code = block_with("hill_climber")
    assert code in README.read_text()
    assert len(code.strip().splitlines()) <= 24
    output = output_of(code, tmp_path)
    assert "evolution" in output
    assert "hill_climber" in output


def test_a_custom_cell_space_is_a_space(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(block_with("swish"))
    space = space_named(f"{path}:SPACE")
    assert space.num_architectures == 4**6
    assert "swish" in space.to_str(space.arch_at(-1 + 4**6))


def test_the_example_of_a_function_prints_what_it_found(printed):
    output = printed(block_with("FunctionBenchmark"))
    assert "best of 20 trials" in output
    assert float(output.splitlines()[-1]) == pytest.approx(0.989)  # as the search found that calls Python
    assert "0.989" in output.splitlines()[0]


def test_the_example_of_constraints_counts_what_is_left(printed):
    assert printed(block_with("ListedSpace")).split() == ["106", "3125"]


def test_the_example_of_a_table_is_compared_on(printed):
    lines = printed(block_with("Table.from_arrays")).splitlines()
    assert lines[0].startswith("seconds ('latency',) 0.")
    assert {line.split()[0] for line in lines[2:]} == {"random_search", "local_search"}


def assert_found(output: str, num_trials: int, least: float) -> None:
    assert f"best of {num_trials} trials" in output
    assert min(map(float, re.search(r"train ([0-9.]+), test ([0-9.]+)", output).groups())) > least


@pytest.mark.nightly
@pytest.mark.processes
def test_the_example_of_a_search_prints_what_it_found(tmp_path):
    """The page has 100 trials, half a minute of two cores."""
    assert_found(output_of(block_with("MLPSpace("), tmp_path), 100, 0.93)


def test_a_short_search_prints_what_it_found(printed):
    code = block_with("MLPSpace(")
    for long, short in {"num_trials=100": "num_trials=3", "num_epochs=20": "num_epochs=2", "=50": "=15"}.items():
        assert long in code
        code = code.replace(long, short)
    assert_found(printed(code), 3, 0.85)


def test_the_example_of_an_own_loop_learns(printed):
    losses = [float(line) for line in printed(block_with("nnx.Optimizer")).split()]
    assert len(losses) == 10
    assert losses[-1] < losses[0] - 0.3


def test_every_command_is_one():
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("jaxnas ")]
    lines += [" ".join(line.split()) for line in re.findall(r"`(jaxnas [a-z]+ [^`]*)`", TEXT)]
    assert len(lines) > 4
    for line in lines:
        make_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("kind", ["SPACES", "TASKS", "STRATEGIES", "PREDICTORS", "ONE_SHOT", "IMPORTERS"])
def test_everything_in_the_catalog_has_a_row(kind):
    assert [name for name in getattr(catalog, kind) if f"| `{name}` |" not in TEXT] == []


@pytest.mark.parametrize("kind", ["SPACES", "TASKS", "STRATEGIES"])
def test_the_overview_names_everything_in_the_catalog(kind):
    assert [name for name in getattr(catalog, kind) if f"`{name}`" not in OVERVIEW.read_text()] == []


def test_every_shipped_table_is_in_the_overview():
    assert [name for name in shipped_ids() if f"| `{name}` |" not in OVERVIEW.read_text()] == []


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", without_code(page.read_text()))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_picture_is_small():
    assert 10_000 < (ROOT / "docs/images/report.png").stat().st_size < 200_000
