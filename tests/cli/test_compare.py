"""`jaxnas compare` from the command line: what it prints, and what it refuses in one line."""

import json
import sys

import numpy as np
import pytest
from helpers.samples import MIXED

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.tables.table import column_pack, write


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Returns a folder with a table, a copy of it, and a pack of columns for it."""
    folder = tmp_path_factory.mktemp("tables")
    scores = np.random.RandomState(0).uniform(size=(2, MIXED.num_architectures, 2, 1))
    table = jn.Table.from_arrays(MIXED, "noise", *scores, [1])
    latencies = {"latency_raspi4": (np.arange(1, 13, dtype=np.float32), "milliseconds")}
    for name, each in (("one", table), ("two", table), ("pack", column_pack(MIXED, "mixed-latencies", latencies))):
        write(each, folder / name, "a card")
    return folder


def command(tables, tmp_path, *options: str) -> list[str]:
    return ["compare", "--benchmark", str(tables / "one"), "--strategies", "random_search,local_search", "--runs", "5",
            "--out", str(tmp_path / "out"), *options]  # fmt: skip


def test_json_prints_the_summary_and_nothing_else(tables, tmp_path, capsys):
    options = [
        "--strategies",
        "random_search,local_search",
        "--columns",
        str(tables / "pack"),
        "--objective",
        "accuracy,latency_raspi4",
        "--trials",
        "6",
    ]
    assert main(command(tables, tmp_path, "--json", "--quiet", *options)) == 0
    printed = capsys.readouterr()
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    found = json.loads(printed.out)
    assert found == {key: value for key, value in written.items() if key != "checksum"}
    assert printed.err == ""
    assert found["fronts"]["size"] == "latency_raspi4"
    assert found["compared_by"]["measure"] == "missing_hypervolume"


def test_a_comparison_does_without_scipy_stats(tables, tmp_path, monkeypatch):
    """Importing it takes longer than all tests of a comparison."""
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    assert main([*command(tables, tmp_path, "--trials", "6"), "--runs", "10"]) == 0


def test_budgets_and_confirmations_are_told(tables, tmp_path, capsys):
    assert main(command(tables, tmp_path, "--budget", "9", "--confirm", "2,1")) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "5 runs for 9 epochs" in text
    assert "Runs end when 9 epochs are spent; the trial that crosses the budget does not count." in text
    assert "the best of its 2 best architectures by the mean of 1 further runs each, which cost 2 to 2 epochs" in text
    assert "estimated by cross-fitting" in text
    assert "with a standard error of" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--benchmark", ","], "Expected benchmarks, got ','."),
        (["--benchmark", ""], "Expected benchmarks, got ''."),
        (["--strategies", ","], "Expected strategies, got none."),
        (["--columns", ","], "Expected column packs, got ','."),
        (["--trials", "1000000000"], "Expected at most"),
        (["--trials", "5", "--budget", "3"], "Expected a number of trials or a budget, got 5 and 3."),
        (["--until-decided", "--budget", "3"], "Expected a budget or runs until pairs are decided, got both."),
        (["--confirm", "2,5"], "Expected k of at most 1 further runs"),
    ],
)
def test_wrong_options_are_refused_in_one_line(tables, tmp_path, capsys, options, message):
    assert main(command(tables, tmp_path, "--objective", "accuracy", *options)) == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed.startswith(f"jaxnas compare: {message}")


@pytest.mark.parametrize("options", [["--budget", "-1"], ["--budget", "nan"], ["--confirm", "3"], ["--confirm", "0,1"]])
def test_wrong_numbers_are_refused_in_one_line(tables, tmp_path, capsys, options):
    with pytest.raises(SystemExit, match="2"):
        main(command(tables, tmp_path, *options))
    assert "xpected" in capsys.readouterr().err


def test_two_tables_of_one_identifier_are_refused(tables, tmp_path, capsys):
    both = f"{tables / 'one'},{tables / 'two'}"
    assert main(command(tables, tmp_path, "--benchmark", both)) == 2
    assert "Expected benchmarks of different identifiers, got mixed-noise twice." in capsys.readouterr().err
