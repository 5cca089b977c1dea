"""What `jaxnas search` uses unless told otherwise, and what the command says of strategies that do not fit."""

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.cli.parser import make_parser


def test_a_search_needs_no_strategy():
    options = make_parser().parse_args(["search", "--space", "mlp", "--task", "digits", "--trials", "3"])
    assert options.strategy == jn.catalog.DEFAULT_STRATEGY


def test_a_plan_that_does_not_fit_is_one_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import jaxnas as jn\n\n\ndef mine(space):\n    return jn.regularized_evolution(space, population_size=30)\n"
    )
    arguments = ["compare", "--benchmark", "mlp-small-shifted-digits-v1", "--strategies", f"{tmp_path}/mine.py:mine"]
    assert main([*arguments, "--runs", "2", "--trials", "20", "--out", str(tmp_path / "out")]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "fewer" in line]
    assert lines[0].endswith(": regularized_evolution: 20 trials are fewer than 31, so that all are uniform draws.")


def test_a_wrong_strategy_is_one_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import jaxnas as jn\n\n\ndef mine(space):\n    good = jn.random_search(space)\n"
        "    return good._replace(name='mine', ask=lambda state, t, key: space.sample(key))\n"
    )
    arguments = ["compare", "--benchmark", "mlp-small-shifted-digits-v1", "--strategies", f"{tmp_path}/mine.py:mine"]
    assert main([*arguments, "--runs", "2", "--trials", "20", "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]  # after the bar
    assert line.startswith("jaxnas compare: Expected ask of mine to return a Query, such as jn.Query(arch), got")


def test_more_trials_than_memory_are_one_line(tmp_path, capsys):
    arguments = ["compare", "--benchmark", "mlp-small-shifted-digits-v1", "--strategies", "random_search"]
    assert main([*arguments, "--trials", "1000000000", "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("jaxnas compare: Expected ")
    assert "1,000,000,000" in line
