"""`jaxnas import`: tables in folders, and wrong usage in one line."""

import json

import pytest

from experiments.robustness import made_files
from jaxnas.cli.main import main
from jaxnas.tables.table import Table


def test_a_file_becomes_a_table(tmp_path, capsys):
    path = made_files.macro(tmp_path / "nas-bench-macro_cifar10.json")
    assert main(["import", "nb-macro", str(path), "--out", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "nb-macro-cifar10"
    assert str(folder) in capsys.readouterr().out
    assert Table.read(folder).num_architectures == 6_561
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["nb-macro-cifar10"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nb-macr", "."], "Did you mean nb-macro"),
        (["nb-macro", "no-such-file.json"], "which is not there"),
        (["nb-macro", "file.json"], "to be NAS-Bench-Macro's JSON"),
        (["nb101", "file.json"], "to be a TFRecord file"),
        (["hw-nas-bench", "file.json"], "to be HW-NAS-Bench's pickle"),
    ],
)
def test_wrong_usage_is_one_line(arguments, problem, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.json").write_text("[]")
    assert main(["import", *arguments, "--out", str(tmp_path / "out")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("jaxnas import:")]
    assert len(lines) == 1
    assert problem in lines[0]


def test_a_comparison_on_a_table_without_validation_warns(tmp_path, capsys):
    path = made_files.macro(tmp_path / "nas-bench-macro_cifar10.json")
    assert main(["import", "nb-macro", str(path), "--out", str(tmp_path / "out")]) == 0
    options = ["--strategies", "random_search,exhaustive_search", "--runs", "5", "--trials", "5"]
    table, report = str(tmp_path / "out" / "nb-macro-cifar10"), tmp_path / "report"
    assert main(["compare", "--benchmark", table, *options, "--out", str(report)]) == 0
    assert "No validation split" in capsys.readouterr().out
    assert "No validation split" in json.loads((report / "summary.json").read_text())["warning"]
    assert "No validation split" in next(report.glob("*.html")).read_text()
