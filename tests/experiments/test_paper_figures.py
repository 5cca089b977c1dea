"""The script of figures for papers: whole on a small comparison, and its index names the files that there are."""

import csv
import importlib.util
import re
from pathlib import Path

import pytest

from jaxnas.report import comparison

pytestmark = [pytest.mark.simulation, pytest.mark.nightly]

SCRIPT = Path(__file__).parents[2] / "experiments" / "paper" / "figures.py"


def test_every_file_is_in_the_index_and_every_entry_is_a_file(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("paper_figures", SCRIPT)
    paper_figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(paper_figures)
    for group in ("SINGLE_OBJECTIVE", "TWO_OBJECTIVES"):
        monkeypatch.setattr(comparison, group, ("random_search",))
    name = "nb201-shifted-digits-v1"
    paper_figures.main(paper_figures.Config(benchmarks=(name, name), num_runs=3, num_trials=101, out=tmp_path))
    assert "index.md" in capsys.readouterr().out
    listed, folder = {"index.md"}, ""
    for line in (tmp_path / "index.md").read_text().splitlines():
        if line.startswith("## "):
            folder = line[3:] + "/"
        for stem, first, second in re.findall(r"^\| (\w+)(\.\w+)(?:, (\.\w+))? \|", line):
            where = "" if folder == "all tables/" else folder
            listed |= {f"{where}{stem}{suffix}" for suffix in (first, second) if suffix}
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert listed == files
    assert f"{name}/two-objectives/fronts.tex" in files
    with open(tmp_path / "table_correlations.csv") as file:
        (row,) = csv.DictReader(file)
    assert (row["first"], row["second"]) == (name, name)
    assert [float(row[split]) for split in ("validation", "test")] == pytest.approx([1, 1])
