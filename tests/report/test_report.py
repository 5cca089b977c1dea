"""The report: one page that needs nothing else, with the numbers of summary.json."""

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.samples import MIXED
from scipy.stats import rankdata

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.report import comparison_files
from jaxnas.report.comparison_files import checksum, read_summary, write_again, write_results
from jaxnas.report.figures.critical import critical_difference
from jaxnas.report.result_folder import fresh_folder

VOID = {"meta", "br", "link", "img", "input", "hr", "wbr"}


class Checker(HTMLParser):
    """Collects the tags, and notices those that are not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns the folder of a comparison on a table of random scores."""
    random = np.random.RandomState(0)
    scores = random.uniform(0.2, 0.9, (2, MIXED.num_architectures, 3, 2))
    root = tmp_path_factory.mktemp("report")
    jn_table = jn.Table.from_arrays(MIXED, "noise", *scores, [2, 4])
    from jaxnas.tables.table import write

    write(jn_table, root / "table", "a card")
    out = root / "out"
    code = main(["compare", "--benchmark", str(root / "table"), "--runs", "30", "--trials", "40", "--out", str(out)])
    assert code == 0
    return out


def test_summary_json_is_what_the_contract_says(folder):
    result = json.loads((folder / "summary.json").read_text(), parse_constant=lambda text: pytest.fail(text))
    keys = {"benchmark", "num_runs", "num_trials", "seed", "prng", "versions", "command", "budget", "strategies"}
    assert keys <= set(result)
    assert set(result["strategies"]) == set(jn.__dict__["__all__"]) & set(result["strategies"])
    for strategy in result["strategies"].values():
        assert {"hyperparameters", "mean_rank", "final_test_mean", "final_test_std", "final_validation_mean"} <= set(
            strategy
        )
        for curve in ("regret_mean", "regret_ci_low", "regret_ci_high"):
            assert len(strategy[curve]) == result["num_trials"]
        assert len(strategy["regret_mean_by_cost"]) == len(result["budget"])
    evolution = result["strategies"]["regularized_evolution"]
    assert set(evolution["hyperparameters"]) == {"population_size", "sample_size", "prefilter", "pool_size"}


def test_the_page_is_well_formed_and_needs_nothing_else(folder):
    text = (folder / "report.html").read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert not [tag for tag, _ in checker.tags if tag in ("link", "iframe", "object", "embed", "img")]
    for _, attributes in checker.tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "url(http" not in text
    assert len(text) < 2_000_000
    identifiers = [attributes["id"] for _, attributes in checker.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    references = set(re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', text))
    assert {first or second for first, second in references} <= set(identifiers)


def test_the_page_shows_the_numbers_of_the_summary(folder):
    text = (folder / "report.html").read_text()
    result = json.loads((folder / "summary.json").read_text())
    for name, strategy in result["strategies"].items():
        row = re.search(rf'data-name="{name}".*?</tr>', text, re.DOTALL).group()
        for point in (30, 40):
            assert f"{100 * strategy['regret_mean'][point - 1]:.3f}" in row
            assert f"{100 * strategy['regret_ci_low'][point - 1]:.3f} to" in row
        assert f"<td>{strategy['mean_rank']:.2f}</td>" in row
        assert f"{100 * strategy['final_test_mean']:.2f}" in row
    assert result["content_hash"] in text


def test_the_page_shows_regret_at_equal_cost_where_there_is_one(folder, tmp_path):
    result = read_summary(folder)
    assert result["equal_cost"] is None
    (tmp_path / "summary.json").write_text(json.dumps(result | {"equal_cost": 7}))
    text = write_again(tmp_path).read_text()
    assert "at the cost of 7 full trainings" in text
    for strategy in result["strategies"].values():
        mean, low, high = (100 * strategy[f"regret_{name}_by_cost"][6] for name in ("mean", "ci_low", "ci_high"))
        assert f"<td>{mean:.3f}<small>{low:.3f} to {high:.3f}</small></td>" in text
    assert "at the cost of" not in (folder / "report.html").read_text()


def test_figures_are_files_too(folder):
    for name in ("regret_by_trials", "regret_by_cost", "regret_spread", "score_distribution", "decision_effects"):
        ElementTree.parse(folder / f"{name}.svg")
    assert not list(folder.glob("*.pdf"))


def test_tables_are_files_too(folder):
    assert r"\begin{tabular}{lrrrrr}" in (folder / "table.tex").read_text()
    assert len((folder / "table.csv").read_text().splitlines()) == 9


def test_trials_are_kept_and_replay(folder):
    with np.load(folder / "trials.npz") as file:
        scores, archs = file["random_search/score"], file["random_search/arch"]
    assert scores.shape == (30, 40)
    bench = jn.load(folder.parent / "table")
    stored = bench.table.scores("validation")[bench.rows(archs)][..., -1]
    assert (stored == scores[..., None]).any(-1).all()


def test_the_page_can_be_written_again(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "out")
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert main(["report", str(folder), "--pdf"]) == 0
    assert (folder / "report.html").read_bytes() == before
    figures = {path.stem for path in folder.glob("*.svg")}
    assert {path.stem for path in folder.glob("*.pdf")} == figures
    assert (folder / "regret_by_trials.pdf").read_bytes().startswith(b"%PDF")


@pytest.fixture(scope="module")
def several(folder, tmp_path_factory):
    """Returns the folder of a comparison on three equal tables."""
    from jaxnas.tables.table import Table, write

    root = tmp_path_factory.mktemp("several")
    table = Table.read(folder.parent / "table")
    for name in IDS:
        write(Table(**vars(table) | {"manifest": table.manifest | {"id": name}}), root / name, "a card")
    names = ",".join(str(root / name) for name in IDS)
    options = ["--strategies", "random_search,exhaustive_search", "--runs", "5", "--trials", "4"]
    assert main(["compare", "--benchmark", names, *options, "--out", str(root / "out")]) == 0
    return root / "out"


IDS = ["one-v0", "two-v0", "three-v0"]


def test_several_benchmarks_have_a_folder_each_and_ranks_over_all(several):
    strategies = ["random_search", "exhaustive_search"]
    for name in IDS:
        result = read_summary(several / name)
        assert result["benchmark"] == name
        regrets = [result["strategies"][strategy]["regret_mean"][-1] for strategy in strategies]
        overall = result["overall"]
        assert overall["benchmarks"] == IDS
        assert overall["strategies"] == strategies
        assert overall["mean_ranks"] == [rankdata(regrets).tolist()] * 3  # the tables are the same
        assert overall["friedman_statistic"] == 3
    index = several / "report.html"
    before = index.read_text()
    assert all(f'href="{name}/report.html"' in before for name in IDS)
    index.unlink()
    assert main(["report", str(several)]) == 0
    assert index.read_text() == before


def test_over_all_tables_there_are_summary_tables_and_diagram(several):
    found = json.loads((several / "summary.json").read_text())
    assert found["overall"] == read_summary(several / IDS[0])["overall"]
    assert found["num_trials"] == 4
    assert r"\begin{tabular}{lrrrr}" in (several / "ranks.tex").read_text()
    rows = list(csv.DictReader((several / "ranks.csv").open()))
    averages = dict(zip(found["overall"]["strategies"], found["overall"]["average_rank"], strict=True))
    assert {row["strategy"]: float(row["average rank"]) for row in rows} == averages


def test_over_all_tables_there_is_a_table_of_regrets(several):
    result = read_summary(several / IDS[0])
    rows = {row["strategy"]: row for row in csv.DictReader((several / "by_table.csv").open())}
    latex, page = ((several / name).read_text() for name in ("by_table.tex", "report.html"))
    lowest = min(numbers["regret_mean"][-1] for numbers in result["strategies"].values())
    for name, numbers in result["strategies"].items():
        mean, error = 100 * numbers["regret_mean"][-1], 100 * numbers["final_test_std"] / np.sqrt(4)  # of 5 runs
        for table in IDS:
            assert float(rows[name][f"{table} (percentage points)"]) == pytest.approx(mean, abs=6e-4)
            assert float(rows[name][f"standard error, {table} (percentage points)"]) == pytest.approx(error, abs=6e-4)
        bold = numbers["regret_mean"][-1] == lowest
        shown = rf"\textbf{{{mean:.3f}}}" if bold else f"{mean:.3f}"
        assert rf"{shown} {{\scriptsize $\pm$ {error:.3f}}}" in latex
        assert f'<span class="{"best" if bold else ""}">{mean:.3f}</span> <small>± {error:.3f}</small>' in page
    assert page.index('<p class="finding">Over 3 tables ') < page.index('id="by-table"') < page.index('id="tables"')
    assert latex.splitlines()[-1] == r"\end{tabular}"


def test_the_diagram_over_five_tables_is_a_file(several, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison_files, "_write_shown", lambda *_: None)  # figures of a table have other tests
    result = read_summary(several / IDS[0])
    names = [f"table-{number}" for number in range(5)]
    ranks = result["overall"] | {"benchmarks": names, "mean_ranks": [[1.0, 2.0]] * 5, "critical_difference": 0.5}
    with fresh_folder(tmp_path) as fresh:
        for name in names:
            (fresh / name).mkdir()
        light = {key: value for key, value in result.items() if key != "landscape"}
        results = {name: light | {"benchmark": name, "overall": ranks} for name in names}
        write_results(fresh, tmp_path, results, pdf=True)
    ElementTree.parse(tmp_path / "critical_difference.svg")
    assert (tmp_path / "critical_difference.pdf").read_bytes().startswith(b"%PDF")


def test_names_in_a_summary_are_never_paths(several, tmp_path, capsys):
    victim = tmp_path / "victim"
    shutil.copytree(several / IDS[0], victim)
    before = (victim / "report.html").stat().st_mtime_ns
    out = tmp_path / "out"
    shutil.copytree(several, out)
    for name in (str(victim), "../victim", "..", "."):
        summary = json.loads((out / "summary.json").read_text()) | {"tables": {name: "0" * 64}}
        summary |= {"checksum": checksum(summary)}
        (out / "summary.json").write_text(json.dumps(summary))
        assert main(["report", str(out)]) == 2
        assert "Expected" in capsys.readouterr().err
    assert (victim / "report.html").stat().st_mtime_ns == before


def texts_of(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_critical_difference_diagram_has_every_rank_and_group():
    names, ranks = ["a", "b", "c", "d", "e"], [3.0, 1.5, 1.75, 4.0, 4.75]
    groups = [["b", "c", "a"], ["a", "d", "e"]]
    overall = {"strategies": names, "average_rank": ranks, "critical_difference": 2.0, "groups": groups}
    figure = critical_difference({"overall": overall})
    texts = texts_of(figure)
    assert {"1", "5", "critical difference 2.00", "b (1.50)", "e (4.75)"} <= set(texts)
    assert [text for text in texts if "(" in text] == ["b (1.50)", "c (1.75)", "a (3.00)", "d (4.00)", "e (4.75)"]
    bars = [line.get_xdata() for line in figure.axes[0].lines if line.get_linewidth() == 3]
    np.testing.assert_allclose(bars, [[1.45, 3.05], [2.95, 4.8]])
    figure.draw_without_rendering()
    width = figure.bbox.width
    for text in figure.axes[0].texts:
        assert 0 <= text.get_window_extent().x0 < text.get_window_extent().x1 <= width
    without = critical_difference({"overall": overall | {"critical_difference": None, "groups": []}})
    assert not [text for text in texts_of(without) if "critical" in text]
