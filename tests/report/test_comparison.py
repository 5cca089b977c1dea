"""What `jaxnas compare` runs, and comparisons by two objectives and by a weighted one, to the page."""

import functools
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.samples import MIXED

import jaxnas as jn
from jaxnas import catalog
from jaxnas.benchmarks.penalized import Objective
from jaxnas.cli.compare import DEFAULT_BENCHMARK
from jaxnas.cli.main import main
from jaxnas.report import comparison, sentences
from jaxnas.report.comparison_files import read_summary
from jaxnas.report.tables import summary
from jaxnas.strategies.base import asks_for

SIZES = ("parameters", "flops")
MINE = Path(__file__).parents[1] / "helpers" / "mine.py"


def test_default_strategies_are_in_the_catalog_and_fit_the_objective():
    one, two = Objective("accuracy"), Objective("accuracy,flops", "flops")
    assert list(comparison.entries_of(None, one)) == list(comparison.SINGLE_OBJECTIVE)
    assert list(comparison.entries_of(None, two)) == list(comparison.TWO_OBJECTIVES)
    assert list(comparison.entries_of("all", two)) == list(catalog.STRATEGIES)
    assert not any(asks_for(factory, "size") for factory in comparison.entries_of("all", one).values())
    with pytest.raises(ValueError, match=r"^Expected strategies of different names"):
        comparison.entries_of("nsga2,nsga2", two)


def test_groups_of_strategies_stand_beside_others():
    objective = Objective("accuracy")
    mine = jn.random_search(MIXED)._replace(name="mine")
    assert list(comparison.entries_of(["default", mine], objective)) == [*comparison.SINGLE_OBJECTIVE, "mine"]
    found = list(comparison.entries_of("bananas,default,random_search", objective))
    assert found[0] == "bananas"
    assert sorted(found) == sorted({"bananas", *comparison.SINGLE_OBJECTIVE})


def test_strategies_are_names_factories_or_strategies():
    bench = jn.load(DEFAULT_BENCHMARK)
    made = jn.random_search(bench.space)
    entries = [f"{MINE}:first_only", jn.local_search, made]
    found = jn.compare(entries, bench, num_trials=3, num_runs=2)
    assert list(found.trials) == ["first_only", "local_search", "random_search"]
    named = jn.compare({"a": "local_search", "b": jn.local_search, "c": made}, bench, num_trials=3, num_runs=2)
    for name, same in (("a", "local_search"), ("b", "local_search"), ("c", "random_search")):
        np.testing.assert_array_equal(named.trials[name].query.arch, found.trials[same].query.arch)
    for wrong, text in (
        ([], "strategies, got none"),
        ([made, jn.random_search], "different names"),
        ("nsga3", "nsga2"),
    ):
        with pytest.raises(ValueError, match=text):
            jn.compare(wrong, bench, num_trials=3, num_runs=2)
    with pytest.raises(ValueError, match=r"^Expected a dictionary with a name for each strategy"):
        jn.compare([functools.partial(jn.local_search)], bench)


def test_a_comparison_gives_frames_of_its_trials():
    bench = jn.load(DEFAULT_BENCHMARK)
    found = jn.compare("random_search,local_search", bench, num_trials=4, num_runs=3, seed=5)
    assert found.summary().equals(summary(found.trials, bench))
    assert "<td>" in found._repr_html_()
    frame = found.to_frame()
    assert list(frame.columns)[:3] == ["strategy", "run", "trial"]
    assert len(frame) == 2 * 3 * 4
    one = jn.analysis.to_frame(found.trials["local_search"], bench)
    assert frame[frame.strategy == "local_search"].drop(columns="strategy").reset_index(drop=True).equals(one)
    expected = jn.run(jn.local_search(bench.space), bench, num_trials=4, num_runs=3, seed=5)
    np.testing.assert_array_equal(found.trials["local_search"].query.arch, expected.query.arch)


@pytest.mark.parametrize("objective", ["accuracy", "accuracy,flops"])
def test_python_and_the_command_write_the_same(objective, tmp_path):
    bench = "mlp-small-shifted-digits-v1"
    command = ["compare", "--benchmark", bench, "--strategies", "random_search,hyperband", "--objective", objective]
    command += ["--runs", "12", "--trials", "9", "--seed", "2", "--out", str(tmp_path / "command")]
    assert main(command) == 0
    line = f"jaxnas {' '.join(command)}"
    settings = {"objective": objective, "num_runs": 12, "num_trials": 9, "seed": 2, "command": line}
    found = jn.compare(["random_search", "hyperband"], jn.load(bench), **settings)
    assert found.write(tmp_path / "python") == tmp_path / "python" / "report.html"
    names = {path.name for path in (tmp_path / "command").iterdir()}
    assert names == {path.name for path in (tmp_path / "python").iterdir()}
    for name in names - {"trials.npz"}:
        assert (tmp_path / "command" / name).read_bytes() == (tmp_path / "python" / name).read_bytes(), name
    assert read_summary(tmp_path / "python") == found.result()


def test_slow_strategies_get_fewer_runs(monkeypatch, tmp_path, capsys):
    limited_to(monkeypatch, "local_search", 7)
    names = "local_search,random_search"
    assert main(["compare", "--strategies", names, "--runs", "9", "--trials", "5", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "summary.json").read_text())["strategies"]
    assert {name: each["num_runs"] for name, each in result.items()} == {"local_search": 7, "random_search": 9}
    assert "local_search 7" in capsys.readouterr().out
    bench = jn.load(DEFAULT_BENCHMARK)
    for entries, most_runs, number in (
        ("local_search", {"local_search": 8}, 8),
        ([jn.local_search], None, 7),
        ([jn.local_search(bench.space)], None, 9),
    ):
        found = jn.compare(entries, bench, num_runs=9, num_trials=2, most_runs=most_runs)
        assert len(found.trials["local_search"].observation.score) == number


def limited_to(monkeypatch, name: str, num_runs: int) -> None:
    """Makes a strategy of the catalog one that is too slow for more runs."""
    module = importlib.import_module(catalog.STRATEGIES[name].partition(":")[0])
    monkeypatch.setattr(module, "MOST_RUNS", num_runs, raising=False)


def test_progress_counts_all_runs():
    seen = []
    jn.compare(
        "random_search,local_search",
        DEFAULT_BENCHMARK,
        num_runs=3,
        num_trials=2,
        progress=lambda *each: seen.append(each),
    )
    # Two strategies run at a time, so that the order of their ends is open.
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert sorted(name for name, _, _ in seen) == ["local_search"] * 2 + ["random_search"] * 2
    assert seen[-1][1:] == (6, 6)


def test_a_strategy_is_one_file_and_one_line_of_the_catalog(monkeypatch, tmp_path, capsys):
    """A fake one is listed, run, limited and cited."""
    text = MINE.read_text().replace("def first_only", 'CITES = ("deb2002fast",)\nMOST_RUNS = 4\n\n\ndef only_first')
    (tmp_path / "only_first.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(catalog.STRATEGIES, "only_first", "only_first:only_first")
    assert main(["list", "--json"]) == 0
    assert "asks for the first" in json.loads(capsys.readouterr().out)["strategies"]["only_first"]
    out = tmp_path / "out"
    options = ["--runs", "5", "--trials", "3", "--out", str(out)]
    assert main(["compare", "--strategies", "only_first,random_search", *options]) == 0
    result = json.loads((out / "summary.json").read_text())
    assert result["strategies"]["only_first"]["num_runs"] == 4
    page = (out / "report.html").read_text()
    assert "@article{deb2002fast" in page
    assert "li2019random" in page


def test_runs_are_added_until_pairs_are_decided(monkeypatch, tmp_path, capsys):
    limited_to(monkeypatch, "local_search", 30)
    names = ["random_search", "exhaustive_search", f"{MINE}:first_only", "local_search"]
    options = ["--runs", "60", "--trials", "8", "--out", str(tmp_path)]
    assert main(["compare", "--until-decided", "--strategies", ",".join(names), *options]) == 0
    result = json.loads((tmp_path / "summary.json").read_text())
    assert result["sequential"] == {"level": 0.05, "looks": [25, 50, 60], "interval_level": 1 - 0.05 / 3}
    assert result["num_runs"] == max(each["num_runs"] for each in result["strategies"].values())
    pairs = {(pair["first"], pair["second"]): pair for pair in result["pairwise"]}
    assert pairs["random_search", "first_only"]["num_runs"] == 25
    assert pairs["random_search", "first_only"]["p_holm"] <= 0.05
    num_runs = {name: each["num_runs"] for name, each in result["strategies"].items()}
    assert num_runs["first_only"] == max(pair["num_runs"] for names, pair in pairs.items() if "first_only" in names)
    assert num_runs["local_search"] <= 30
    trials = np.load(tmp_path / "trials.npz")
    bench = jn.load(DEFAULT_BENCHMARK)
    for name, number in num_runs.items():
        assert trials[f"{name}/score"].shape == (number, 8)
    whole = jn.run(jn.random_search(bench.space), bench, num_trials=8, num_runs=num_runs["random_search"])
    np.testing.assert_array_equal(trials["random_search/arch"], whole.query.arch)
    text = " ".join(capsys.readouterr().out.split())
    for line in sentences.decision_texts(result):
        assert line in text


def test_lines_say_how_many_runs_pairs_needed():
    rows = [("a", "b", 50, 0.01), ("a", "c", 100, 0.2), ("a", "d", 25, 0.05), ("b", "c", 50, 0.02)]
    pairs = [dict(zip(("first", "second", "num_runs", "p_holm"), row, strict=True)) for row in rows]
    assert sentences.decision_texts({"pairwise": pairs, "sequential": {"level": 0.05}}) == [
        "Separated after 25 runs: a - d.",
        "Separated after 50 runs: a - b, b - c.",
        "Not separated after 100 runs: a - c.",
    ]


def test_the_result_says_by_which_split_it_is(by_two):
    protocol = json.loads((by_two / "summary.json").read_text())["protocol"]
    assert "validation" in protocol
    assert "test score" in protocol


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """Returns the folder of a comparison by accuracy and FLOPs."""
    out = tmp_path_factory.mktemp("two")
    options = ["--objective", "accuracy,flops", "--runs", "10", "--trials", "60", "--pdf"]
    assert main(["compare", *options, "--out", str(out)]) == 0
    return out


def test_two_objectives_are_compared_by_hypervolume_and_drawn(by_two):
    result = json.loads((by_two / "summary.json").read_text())
    fronts = result["fronts"]
    assert result["objective"] == "accuracy,flops"
    assert set(fronts["strategies"]) == set(comparison.TWO_OBJECTIVES)
    assert fronts["points"][-1] == 60
    assert "landscape" not in result
    bench = jn.load(DEFAULT_BENCHMARK)
    sizes, scores = np.asarray(fronts["true"]).T
    everything = np.arange(bench.space.num_architectures)[:, None]
    assert scores[-1] == pytest.approx(bench.held_out.optimum)
    assert sizes[0] == bench.sizes("flops", everything).min()
    assert (np.diff(sizes) > 0).all()
    assert (np.diff(scores) > 0).all()
    page = (by_two / "report.html").read_text()
    for each in fronts["strategies"].values():
        low, mean, high = (each[f"hypervolume_{key}"][-1] for key in ("ci_low", "mean", "ci_high"))
        assert 0 < low <= mean <= high <= 1
        assert f"<td>{100 * mean:.2f}<small>" in page
    for name in ("hypervolume", "fronts"):
        assert (by_two / f"{name}.svg").stat().st_size > 1000
        assert (by_two / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_a_weighted_objective_moves_the_optimum(tmp_path):
    arguments = ["--strategies", "random_search", "--runs", "5", "--trials", "20", "--out", str(tmp_path)]
    assert main(["compare", "--objective", "accuracy-1e-5*parameters", *arguments]) == 0
    result = json.loads((tmp_path / "summary.json").read_text())
    assert result["objective"] == "accuracy-1e-5*parameters"
    bench = jn.penalized(jn.load(DEFAULT_BENCHMARK), 1e-5, "parameters")
    numbers = result["strategies"]["random_search"]
    assert result["optimum"]["value"] == jn.analysis.optimum(bench).value
    assert numbers["regret_mean"][-1] == pytest.approx(
        jn.analysis.optimum(bench).value - numbers["final_test_mean"], abs=1e-6
    )
    assert "fronts" not in result
    best = result["landscape"]["optima"]["best"][0]
    everything = np.arange(bench.space.num_architectures)[:, None]
    assert best["validation"] == pytest.approx(bench.validation_scores(everything).max(), abs=1e-6)


def test_a_table_without_sizes_is_not_compared_by_them(tmp_path, capsys):
    from jaxnas.tables.table import write

    scores = np.random.RandomState(0).uniform(size=(2, MIXED.num_architectures, 1, 1))
    write(jn.Table.from_arrays(MIXED, "noise", *scores, [1]), tmp_path / "table", "a card")
    assert main(["compare", "--objective", "accuracy,flops", "--benchmark", str(tmp_path / "table")]) == 2
    assert "Expected the objective accuracy where sizes are not known" in capsys.readouterr().err
