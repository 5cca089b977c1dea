"""The package and a user's script pass a type checker, whose settings are in pyproject.toml."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests/repository/typing/user_script.py"
WRONG = "import jaxnas as jn\n\njn.laod('nb201-mnist5k-v1')\njn.load(3)\n"


@pytest.mark.nightly
def test_the_package_and_a_script_have_the_types_they_say_and_a_wrong_use_is_an_error(tmp_path):
    """Takes half a minute where mypy has no cache yet: one process checks all three. `.ci/run` always runs it."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "jaxnas", str(SCRIPT.parent), str(wrong)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    errors = [line for line in found.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, found.stdout + found.stderr
    assert all("wrong.py" in line for line in errors), found.stdout
    assert 'Module has no attribute "laod"' in errors[0]
    assert 'Argument 1 to "load" has incompatible type "int"' in errors[1]


def test_the_script_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(SCRIPT))
