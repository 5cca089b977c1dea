"""The commands: what they print and write, and one line with exit code 2 on wrong input."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from jaxnas import catalog
from jaxnas.cli.build import make_time_left
from jaxnas.cli.main import main
from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE
from jaxnas.spaces.named import space_named
from jaxnas.tables.shipped import find, shipped_ids
from jaxnas.tables.table import Table

MINE = Path(__file__).parents[1] / "helpers" / "mine.py"
ARCH = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
TABLE = shipped_ids()[0]


def run(arguments: list) -> int:
    """Returns the exit code of a command that runs in this process."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


@pytest.fixture
def copy(tmp_path) -> Path:
    """Returns the folder of a copy of a shipped table."""
    return Path(shutil.copytree(find(TABLE), tmp_path / "copy"))


def test_list_names_all_there_is(capsys):
    assert run(["list"]) == 0
    text = capsys.readouterr().out
    assert run(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["spaces"]) == list(catalog.SPACES)
    assert list(found["tasks"]) == list(catalog.TASKS)
    assert list(found["strategies"]) == list(catalog.STRATEGIES)
    assert list(found["predictors"]) == list(catalog.PREDICTORS)
    assert list(found["importers"]) == list(catalog.IMPORTERS)
    assert list(found["tables"]) == shipped_ids()
    assert all(name in text for kind in found.values() for name in kind)


def test_show_describes_and_draws(capsys, tmp_path):
    assert run(["show", ARCH, "--space", "nb201", "--out", tmp_path / "cell.svg"]) == 0
    text = capsys.readouterr().out
    space = space_named("nb201")
    row = int(space.index(space.from_str(ARCH)))
    assert f"{row:,} of 15,625" in text
    assert "0-1         nor_conv_3x3" in text
    ElementTree.parse(tmp_path / "cell.svg")
    assert run(["show", row, "--space", "nb201"]) == 0
    assert capsys.readouterr().out == text


def test_compare_takes_a_strategy_of_the_users(capsys, tmp_path):
    strategies = f"random_search,{MINE}:first_only"
    assert run(["compare", "--strategies", strategies, "--runs", 20, "--trials", 30, "--out", tmp_path]) == 0
    result = json.loads((tmp_path / "summary.json").read_text())
    assert set(result["strategies"]) == {"random_search", "first_only"}
    # always the same architecture: regret never changes, and one training is paid for
    curve = result["strategies"]["first_only"]["regret_mean"]
    assert len(set(curve)) == 1
    text = capsys.readouterr().out
    assert "first_only" in text
    assert "report.html" in text


def test_compare_again_gives_the_same_numbers(tmp_path):
    for name in ("a", "b"):
        arguments = ["--strategies", "local_search", "--runs", 9, "--trials", 20, "--seed", 3, "--out", tmp_path / name]
        assert run(["compare", *arguments]) == 0
    first, second = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("a", "b"))
    assert first["strategies"] == second["strategies"]
    trials = [np.load(tmp_path / name / "trials.npz") for name in ("a", "b")]
    assert all(np.array_equal(trials[0][key], trials[1][key]) for key in trials[0].files)


def test_search_trains_and_goes_on_when_run_again(capsys, tmp_path):
    command = ["search", "--space", f"{MINE}:FEW", "--task", f"{MINE}:task", "--strategy", "random_search"]
    command += ["--trials", 3, "--epochs", 1, "--out", tmp_path]
    assert run(command) == 0
    first = capsys.readouterr().out
    assert all(word in first for word in ("architecture", "validation", "test", "parameters", "FLOPs"))
    assert first.endswith(f"model = jn.FittedModel.load('{tmp_path}/model', space=SPACE)\n  model.predict(X)\n")
    journal = (tmp_path / "journal.jsonl").read_text()
    assert sum('"trial"' in line for line in journal.splitlines()) == 3
    assert {"journal.jsonl", "report.html", "summary.json", "history.csv", "search.svg", "best.svg", "model"} <= {
        each.name for each in tmp_path.iterdir()
    }
    assert run(command) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "journal.jsonl").read_text() == journal
    ElementTree.parse(tmp_path / "best.svg")
    page = (tmp_path / "report.html").read_text()
    assert all(f'id="{part}"' in page for part in ("history", "finalists", "training", "tried", "cite"))
    assert "model = jn.FittedModel.load(&#39;model&#39;, space=SPACE)\nmodel.predict(X)</code></pre>" in page
    capsys.readouterr()
    assert run(["report", tmp_path]) == 0
    assert (tmp_path / "report.html").read_text() == page
    more = [*command[: command.index("--trials")], "--trials", 4, *command[command.index("--trials") + 2 :]]
    assert run([*more, "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert (tmp_path / "journal.jsonl").read_text().startswith(journal)
    assert len(json.loads((tmp_path / "summary.json").read_text())["trials"]) == 4
    assert run([*command, "--seed", 1, "--epochs", 2]) == 2
    assert capsys.readouterr().err.endswith("is the journal of a search with another config, seed.\n")


@pytest.mark.processes
def test_build_writes_a_partial_table(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(MINE.parents[1]))
    command = ["build", "--space", f"{MINE}:FEW", "--task", f"{MINE}:task", "--limit", 3, "--epochs", 1]
    assert run([*command, "--processes", 1, "--id", "few-v3", "--out", tmp_path]) == 0
    assert "3 of" in capsys.readouterr().out
    built = Table.read(tmp_path)
    assert built.id == "few-v3"
    assert built.trained.sum() == 3
    assert "--limit 3 --id few-v3`" in (tmp_path / CARD_FILE).read_text()
    assert run(["verify", tmp_path]) == 0
    assert run(["compare", "--benchmark", tmp_path]) == 2
    assert "Expected a complete table, got 3 of" in capsys.readouterr().err


def test_verify_passes_and_after_one_changed_bit_names_the_file(copy, capsys):
    assert run(["verify", TABLE, "--sample", 0]) == 0
    assert run(["verify", copy, "--sample", 0]) == 0
    for name in (TABLE_FILE, CARD_FILE, MANIFEST_FILE):
        path = copy / name
        data = path.read_bytes()
        path.write_bytes(data[:1000] + bytes([data[1000] ^ 4]) + data[1001:])
        capsys.readouterr()
        assert run(["verify", copy]) == 1
        assert str(path) in capsys.readouterr().err
        path.write_bytes(data)
    assert run(["verify", copy]) == 0


def wrong_usages() -> list[list]:
    """Returns commands with one thing wrong; FILE stands for a path below a file, where nothing can be written."""
    search = ["search", "--space", "nb201", "--task", "digits", "--strategy", "random_search", "--trials", 2]
    build = ["build", "--space", "nb201", "--task", "digits", "--limit", 1]

    def changed(command, option, value):
        position = command.index(option)
        return [*command[: position + 1], value, *command[position + 2 :]]

    return [
        ["nothing"],
        [],
        ["list", "--yaml"],
        ["compare", "--benchmark", "nb201-shifted"],
        ["compare", "--strategies", "random_serch"],
        ["compare", "--strategies", ","],
        ["compare", "--strategies", f"{MINE}:missing"],
        ["compare", "--strategies", f"{MINE}:ARRAY"],
        ["compare", "--strategies", "missing.py:mine"],
        ["compare", "--runs", 0],
        ["compare", "--trials", -1],
        ["compare", "--trials", "many"],
        ["compare", "--seed", 1.5],
        ["compare", "--objective", "flops"],
        ["compare", "--out", "FILE"],
        ["compare", "--until-decided", "--strategies", "random_search"],
        changed(search, "--space", "nb202"),
        changed(search, "--task", "digit"),
        changed(search, "--strategy", "evolution"),
        changed(search, "--trials", 0),
        [*search, "--epochs", 0],
        [*search, "--objective", "flops"],
        [*search, "--out", "FILE"],
        search[:-2],
        changed(build, "--space", f"{MINE}:ARRAY"),
        changed(build, "--task", f"{MINE}:SPACE"),
        changed(build, "--limit", 0),
        [*build, "--seeds", 0],
        [*build, "--processes", -2],
        [*build, "--shard", "5/3"],
        [*build, "--shard", "0/3"],
        [*build, "--shard", "half"],
        [*build, "--id", "a/b"],
        [*build, "--out", "FILE"],
        ["verify", "nothing-v1"],
        ["verify", TABLE, "--sample", -1],
        ["show", "|nor_conv_3x3~0|", "--space", "nb201"],
        ["show", ARCH.replace("skip_connect", "skip"), "--space", "nb201"],
        ["show", 15625, "--space", "nb201"],
        ["show", ARCH, "--space", "nb201", "--task", "nothing"],
        ["show", ARCH, "--space", "nb201", "--out", "FILE"],
        ["report", "FILE"],
        ["report", "."],
    ]


@pytest.mark.parametrize("arguments", wrong_usages(), ids=lambda arguments: " ".join(map(str, arguments))[-60:])
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, capsys, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    code = run([blocked / "below" / "x.svg" if argument == "FILE" else argument for argument in arguments])
    printed = capsys.readouterr()
    assert code == 2
    if arguments:
        assert len(printed.err.strip().splitlines()) == 1
        assert any(word in printed.err.lower() for word in ("expected", "required", "no file", "has no"))
        assert "Traceback" not in printed.err + printed.out


@pytest.mark.parametrize("damage", [lambda data: data[:500], lambda data: b"", lambda data: b"nothing" + data])
def test_an_unreadable_table_is_one_line_and_exit_code_2(damage, copy, capsys):
    for name in (TABLE_FILE, MANIFEST_FILE):
        path = copy / name
        data = path.read_bytes()
        path.write_bytes(damage(data))
        assert run(["compare", "--benchmark", copy]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert str(path) in lines[0]
        path.write_bytes(data)


def test_the_module_is_the_same_program():
    result = subprocess.run([sys.executable, "-m", "jaxnas", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("jaxnas ")
    wrong = subprocess.run([sys.executable, "-m", "jaxnas", "compare", "--runs", "0"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert len(wrong.stderr.strip().splitlines()) == 1


def test_time_left_is_known_after_the_first_chunk_of_this_run():
    times = {"now": 0.0}
    left = make_time_left(lambda: times["now"])
    assert left(100, 400) == ""  # 100 were there before
    times["now"] = 50
    assert left(100, 400) == ""
    times["now"] = 100
    assert left(110, 400) == "0:48:20 left"
    times["now"] = 160
    assert left(110, 400) == "0:47:20 left"
    times["now"] = 200
    assert left(130, 400) == "0:30:00 left"
    times["now"] = 9999
    assert left(400, 400) == "0:00:00 left"


def test_a_benchmark_in_a_file_is_compared(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(
        "import jaxnas as jn\n"
        "SPACE = jn.SearchSpace('grid', (jn.Decision('a', range(5)), jn.Decision('b', range(7))))\n"
        "BENCH = jn.benchmarks.FunctionBenchmark(\n"
        "    SPACE, lambda arch: -arch.sum(), test_function=lambda archs: -archs.sum(-1), optimum=0, worst=-10\n"
        ")\n"
    )
    options = ["--runs", "4", "--trials", "8", "--strategies", "random_search,local_search"]
    arguments = ["compare", "--benchmark", f"{file}:BENCH", *options, "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert (tmp_path / "out" / "report.html").exists()
    assert main(["compare", "--benchmark", f"{file}:SPACE"]) == 2
    assert capsys.readouterr().err.endswith("to be a benchmark, got SearchSpace without query.\n")
