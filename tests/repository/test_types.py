"""The package and a user's script pass a type checker, whose settings are in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests/repository/typing/user_script.py"


def test_the_package_and_a_script_that_uses_it_have_the_types_they_say():
    """Takes 15 seconds where mypy has no cache yet."""
    command = [sys.executable, "-m", "mypy"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_script_runs(tmp_path):
    subprocess.run([sys.executable, str(SCRIPT)], check=True, cwd=tmp_path)


def test_a_wrong_use_is_an_error(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import jaxnas as jn\n\njn.laod('nb201-mnist5k-v1')\njn.load(3)\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(wrong)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert 'Module has no attribute "laod"' in found.stdout
    assert 'Argument 1 to "load" has incompatible type "int"' in found.stdout
