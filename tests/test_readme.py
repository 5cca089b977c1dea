"""The README's examples run as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def block_with(word: str) -> str:
    (block,) = [block for block in blocks("python") if word in block]
    return block


def test_the_first_example_compares_two_strategies(tmp_path):
    code = block_with("hill_climber")
    assert len(code.strip().splitlines()) <= 24
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert "evolution" in output
    assert "hill_climber" in output


def test_the_space_of_one_s_own_is_a_space(tmp_path):
    from jaxnas import catalog

    path = tmp_path / "mine.py"
    path.write_text(block_with("swish"))
    space = catalog.space(f"{path}:SPACE")
    assert space.num_architectures == 4**6
    assert "swish" in space.to_str(space.arch_at(-1 + 4**6))


@pytest.mark.slow
def test_the_example_of_a_search_prints_what_it_found(tmp_path):
    output = subprocess.run(
        [sys.executable, "-c", block_with("MLPSpace")], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert "best of 100 trials" in output
    accuracies = re.search(r"train ([0-9.]+), test ([0-9.]+)", output)
    assert float(accuracies[1]) > 0.95
    assert float(accuracies[2]) > 0.93


def test_every_command_of_the_readme_is_one():
    from jaxnas.cli.parser import make_parser

    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("jaxnas ")]
    lines += re.findall(r"`(jaxnas [a-z]+ [^`]*)`", README.read_text())
    assert len(lines) > 4
    import shlex

    for line in lines:
        make_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("kind", ["SPACES", "TASKS", "STRATEGIES"])
def test_everything_in_the_catalog_is_in_the_readme(kind):
    from jaxnas import catalog

    text = README.read_text()
    assert [name for name in getattr(catalog, kind) if f"| `{name}` |" not in text] == []


def test_every_shipped_table_is_in_the_readme():
    from jaxnas.tables.shipped import shipped_ids

    assert [name for name in shipped_ids() if f"| `{name}` |" not in README.read_text()] == []
