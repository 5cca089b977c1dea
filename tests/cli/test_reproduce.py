"""Published results computed again: verdicts, the command, its page, and what is missing."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import jaxnas as jn
from jaxnas import catalog
from jaxnas.cli.main import main
from jaxnas.evidence.figures import AGREES, COMPUTED, DIFFERS, MISSING, REMEMBERED, TOLERATED, Figure
from jaxnas.report.bibliography import entries
from jaxnas.spaces.named import space_named
from jaxnas.tables.shipped import shipped_ids
from jaxnas.tables.table import Table


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("exact", 13, 13, digits=0), AGREES),
        (Figure("exact", 13, 14, digits=0), DIFFERS),
        (Figure("rounded", 91.61, 91.6067), AGREES),
        (Figure("rounded", 91.61, 91.6167), DIFFERS),
        (Figure("three errors", 1.0, 1.7, 0.2, 0.1), DIFFERS),
        (Figure("three errors", 1.0, 1.6, 0.2, 0.1), AGREES),
        (Figure("tolerance", 1.0, 1.7, 0.2, 0.1, 0.8), TOLERATED),
        (Figure("both", 1.0, 1.6, 0.2, 0.1, 0.8), AGREES),
        (Figure("neither", 1.0, 1.9, 0.2, 0.1, 0.8), DIFFERS),
        (Figure("none", 1.0, None, 0.2), MISSING),
    ],
)
def test_a_figure_agrees_within_its_errors_or_its_tolerance(figure, verdict):
    assert figure.verdict == verdict
    found = figure.as_dict()
    assert found["verdict"] == verdict
    assert (found["difference"] is None) == (verdict == MISSING)


def test_texts_of_a_figure_are_rounded_with_their_errors():
    found = Figure("", 93.86, 93.869, 0.0103, 0.012, source="a paper, table 2").texts()
    assert found == ("93.86 ± 0.01", "", "93.87 ± 0.01", "+0.01", "+0.6", "")
    assert Figure("", 13, None, tolerance=1, digits=0, source="a file").texts() == ("13", "", "", "", "", "1")
    assert Figure("", 0.75, 0.7499, 0.1).texts()[3:] == ("0.00", "0.0", "")


@pytest.mark.parametrize("source", [COMPUTED, REMEMBERED])
def test_a_figure_without_a_named_source_is_not_in_the_column_of_published_ones(source):
    figure = Figure("", 13, 14, digits=0, source=source)
    assert figure.texts()[:2] == ("", "13")
    assert not figure.as_dict()["is_published"]


@pytest.mark.parametrize("name", catalog.PUBLISHED)
def test_a_script_says_what_it_reproduces_and_needs(name):
    result = catalog.find(name, catalog.PUBLISHED)
    assert set(result.cites) <= set(entries())
    assert result.title
    assert result.where
    assert result.protocol
    assert all(need in shipped_ids() or need == "nb101-cifar10" for need in result.needs)
    text = importlib.import_module(catalog.PUBLISHED[name].partition(":")[0]).__doc__
    assert f"jaxnas reproduce {name}" in text


def test_list_says_what_each_needs(capsys):
    assert main(["reproduce"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(catalog.PUBLISHED)
    assert lines[2 * list(catalog.PUBLISHED).index("nasbench101_search") + 1].endswith("import nb101-cifar10")


def test_a_published_result_is_computed_again(tmp_path, capsys):
    assert main(["reproduce", "nb201_tables", "--json", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert AGREES in said
    assert "from memory of the paper" in said
    figures = json.loads((tmp_path / "reproduction.json").read_text())["nb201_tables"]
    assert {figure["verdict"] for figure in figures} == {AGREES, TOLERATED}
    assert not any(figure["is_published"] for figure in figures)
    page = (tmp_path / "reproduction.html").read_text()
    num_tolerated = [figure["verdict"] for figure in figures].count(TOLERATED)
    assert f"{len(figures) - num_tolerated} {AGREES}, {num_tolerated} {TOLERATED}" in page
    assert "from memory of the paper" in page
    assert "@inproceedings{mellor2021neural," in page


@pytest.mark.nightly
def test_searches_of_nasbench101_are_computed_of_a_table_of_its_size(monkeypatch):
    """Of random scores, in few and short runs: their errors are others than the published ones, and it is said why."""
    space, random = space_named("nb101"), np.random.default_rng(0)
    validation, test = (random.uniform(0.8, 0.9, (space.num_architectures, 3, 1)) for _ in range(2))
    table = Table.from_arrays(space, "cifar10", validation, test, [108])
    monkeypatch.setattr(jn, "load", lambda folder: jn.TableBenchmark(table))
    figures = catalog.find("nasbench101_search", catalog.PUBLISHED).figures
    strategies = {name: figures.__globals__["STRATEGIES"][name] for name in ("random search", "regularized evolution")}
    for name, value in {"NUM_RUNS": 4, "NUM_TRIALS": 40, "STRATEGIES": strategies}.items():
        monkeypatch.setitem(figures.__globals__, name, value)
    found = figures({"nb101-cifar10": Path()})
    assert [figure.what for figure in found] == [f"{name}, test error" for name in strategies]
    for figure in found:
        assert 10 < figure.ours < 20
        assert 0 < figure.our_error < 3
        assert (figure.verdict, figure.note[:29]) == (DIFFERS, "The table was not made of an ")


def test_what_cannot_be_computed_is_answered_in_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, message in [
        (["nats_serch"], "Did you mean nats_search"),
        (["nasbench101_search"], "Expected nb101-cifar10 for nasbench101_search, got no such table"),
        (["all", "--table", "nowhere"], "Expected nowhere"),
    ]:
        assert main(["reproduce", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_figure_that_differs_fails_the_command(tmp_path, capsys, monkeypatch):
    script = (
        "from jaxnas.evidence.figures import Figure, Result\n"
        "RESULT = Result('t', (), 'w', 'p', (), lambda tables: [Figure('f', 1.0, 2.0, note='why')])\n"
    )
    (tmp_path / "wrong.py").write_text(script)
    monkeypatch.setattr(catalog, "PUBLISHED", {"wrong": "wrong:RESULT"})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["reproduce", "all", "--out", str(tmp_path / "out")]) == 1
    assert "differs" in capsys.readouterr().out
    page = (tmp_path / "out" / "reproduction.html").read_text()
    assert "<td>f&nbsp;<sup>1</sup></td>" in page
    assert "<li>why</li>" in page
