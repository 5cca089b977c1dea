"""Figures and tables for papers: sizes, fonts, styles, equal files, and the numbers of the summary in them."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from helpers.samples import MIXED

import jaxnas as jn
from experiments.paper.figures import landscape_latex, landscape_rows
from jaxnas.analysis.landscape import landscape
from jaxnas.report import tables
from jaxnas.report.figures import curves, gallery, style

NAMES = ("random_search", "local_search", "a_100%_new&odd{one}")


def random_curves(random, num_trials: int) -> dict:
    mean = np.sort(random.uniform(0.01, 0.1, num_trials))[::-1]
    return {"mean": mean.tolist(), "ci_low": (0.9 * mean).tolist(), "ci_high": (1.1 * mean).tolist()}


def make_result() -> dict:
    """Returns a result with every part that figures and tables show."""
    random = np.random.RandomState(0)
    strategies, fronts = {}, {}
    for name in NAMES:
        regret, volume = random_curves(random, 60), random_curves(random, 9)
        strategies[name] = {
            **{f"regret_{part}": values for part, values in regret.items()},
            "regret_mean_by_cost": [None, *regret["mean"][1:]],
            "mean_rank_over_trials": random.uniform(1, 3, 60).tolist(),
            **dict.fromkeys(("final_test_mean", "final_validation_mean"), random.uniform(0.8, 0.9)),
            "final_test_std": 0.01,
            "mean_rank": random.uniform(1, 3),
            "num_runs": 50,
        }
        fronts[name] = {
            **{f"hypervolume_{part}": (1 - np.asarray(values)).tolist() for part, values in volume.items()},
            "distance_mean": volume["mean"],
            "front": [[1000, 0.7], [3000, 0.8]],
        }
    scores = random.uniform(0.5, 0.9, (2, MIXED.num_architectures, 2, 3))
    bench = jn.TableBenchmark(jn.Table.from_arrays(MIXED, "noise", *scores, [1, 2, 4]), space=MIXED)
    return {
        "benchmark": "mixed-noise",
        "content_hash": "0" * 64,
        "objective": "accuracy",
        "num_runs": 50,
        "num_trials": 60,
        "seed": 0,
        "budget": np.arange(1, 61).tolist(),
        "strategies": strategies,
        "fronts": {
            "size": "flops",
            "points": np.unique(np.geomspace(1, 60, 9).round()).astype(int).tolist(),
            "true": [[800, 0.75], [2500, 0.85]],
            "strategies": fronts,
        },
        "landscape": landscape(bench),
    }


RESULT = make_result()
SHOWN = gallery.figures_of(RESULT)


def test_a_result_has_the_figures_of_what_is_in_it():
    assert len(SHOWN) == 10
    single = {key: value for key, value in RESULT.items() if key not in ("fronts", "landscape")}
    assert list(gallery.figures_of(single)) == ["regret_by_trials", "regret_by_cost", "ranks_by_trials"]
    for strategies, num_tables, shown in ((["a", "b"], 3, True), (["a"], 5, False), (["a", "b"], 2, False)):
        overall = {"strategies": strategies, "benchmarks": list(range(num_tables))}
        assert ("critical_difference" in gallery.figures_of(single | {"overall": overall})) == shown
    without = RESULT["landscape"] | {}
    del without["effects"]
    assert "decision_effects" not in gallery.figures_of(RESULT | {"landscape": without})


@pytest.mark.parametrize("name", SHOWN)
def test_figures_fit_a_column_or_a_page_in_readable_type_without_a_title(name):
    from matplotlib.text import Text

    figure = SHOWN[name].draw(RESULT)
    assert figure.get_size_inches()[0] in (style.COLUMN, style.PAGE)
    figure.draw_without_rendering()
    assert figure.get_suptitle() == ""
    assert all(axes.get_title() == "" for axes in figure.axes)
    assert all(axes.get_xlabel() or axes.get_ylabel() or name == "decision_effects" for axes in figure.axes)
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 5
    assert max(sizes) == 8
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert -0.02 < box.x0 < box.x1 < width + 0.02
    assert -0.02 < box.y0 < box.y1 < height + 0.02


def test_equal_results_give_equal_files_with_embedded_fonts_whatever_the_users_settings(tmp_path):
    shown = {name: SHOWN[name] for name in ("fronts", "decision_effects")}
    gallery.write_figures(tmp_path, RESULT, shown, pdf=True)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(first) == 4
    with matplotlib.rc_context({"font.size": 20, "pdf.fonttype": 3, "lines.linewidth": 9, "axes.facecolor": "red"}):
        gallery.write_figures(tmp_path, RESULT, shown, pdf=True)
    for name, content in first.items():
        assert (tmp_path / name).read_bytes() == content, name
        if name.endswith(".pdf"):
            assert b"/FontFile2" in content  # a TrueType font
            assert b"/Type3" not in content
            assert b"/CreationDate" not in content
        else:
            assert ElementTree.fromstring(content).tag.endswith("svg")
            assert b"dc:date" not in content


def test_strategies_are_told_apart_by_more_than_color():
    styles = style.strategy_styles([str(number) for number in range(60)]).values()
    looks = [(style["color"], style["linestyle"], style["marker"]) for style in styles]
    assert len(set(looks)) == 60
    assert len({look[1:] for look in looks[:20]}) == 20


def test_curves_are_those_of_the_summary():
    (axes,) = curves.regret_by_trials(RESULT).axes
    drawn = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(drawn) == list(NAMES)
    for name in NAMES:
        assert drawn[name] == pytest.approx(100 * np.asarray(RESULT["strategies"][name]["regret_mean"]))
    (axes,) = curves.hypervolume_by_trials(RESULT).axes
    last = [line.get_ydata()[-1] for line in axes.get_lines()]
    volumes = [each["hypervolume_mean"][-1] for each in RESULT["fronts"]["strategies"].values()]
    assert last == pytest.approx([100 * (1 - volume) for volume in volumes])


def cells_of(latex: str) -> list[list[str]]:
    return [line.removesuffix(r" \\").split(" & ") for line in latex.splitlines() if line.endswith(r" \\")]


def test_the_latex_table_is_whole_and_names_are_escaped():
    latex = tables.headline_latex(RESULT, [30, 60])
    assert latex.count(r"\begin{tabular}{lrrrrr}") == latex.count(r"\end{tabular}") == 1
    rows = cells_of(latex)
    assert len(rows) == 4
    assert {len(row) for row in rows} == {6}
    ranked = sorted(NAMES, key=lambda name: RESULT["strategies"][name]["mean_rank"])
    assert [row[0] for row in rows[1:]] == [tables.latex_escaped(name) for name in ranked]
    assert tables.latex_escaped(NAMES[2]) == r"a\_100\%\_new\&odd\{one\}"
    assert tables.latex_escaped("~\\^#$") == r"\textasciitilde{}\textbackslash{}\textasciicircum{}\#\$"
    body = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[{}]", "", body)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)%", body)
    for row, name in zip(rows[1:], ranked, strict=True):
        numbers = RESULT["strategies"][name]
        low, mean, high = (f"{100 * numbers[f'regret_{key}'][59]:.3f}" for key in ("ci_low", "mean", "ci_high"))
        assert row[2] in (
            f"{mean} {{\\scriptsize [{low}, {high}]}}",
            f"\\textbf{{{mean}}} {{\\scriptsize [{low}, {high}]}}",
        )


def test_bold_is_the_lowest_regret_and_an_asterisk_what_tests_separate_from_the_best():
    def marked(result, has_mark):
        rows = cells_of(tables.headline_latex(result, [60]))[1:]
        return {row[0] for row in rows if has_mark(row[1])}

    lowest = min(NAMES, key=lambda name: RESULT["strategies"][name]["regret_mean"][59])
    best, second, third = sorted(NAMES, key=lambda name: RESULT["strategies"][name]["mean_rank"])
    pairs = [{"first": best, "second": second, "p_holm": 0.04}, {"first": third, "second": best, "p_holm": 0.06}]
    pairs.append({"first": second, "second": third, "p_holm": 0.9})
    pairs = [pair | {"effect_size": 0.5} for pair in pairs]
    for result, separated in ((RESULT, []), (RESULT | {"pairwise": pairs}, [second])):
        assert marked(result, lambda cell: r"\textbf" in cell) == {tables.latex_escaped(lowest)}
        assert marked(result, lambda cell: cell.endswith("$^{*}$")) == set(map(tables.latex_escaped, separated))


def test_csv_holds_the_numbers_in_the_unit_that_its_headings_name(tmp_path):
    tables.write_tables(tmp_path, RESULT, [60])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fronts.csv", "fronts.tex", "table.csv", "table.tex"]
    for row in csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())):
        numbers = RESULT["strategies"][row["strategy"]]
        high = float(row["regret_after_60_high (percentage points)"])
        assert high == pytest.approx(100 * numbers["regret_ci_high"][59])
        assert float(row["test (%)"]) == pytest.approx(100 * numbers["final_test_mean"])
        assert float(row["test_std (percentage points)"]) == 1
        assert row["runs"] == "50"
    rows = list(csv.DictReader(io.StringIO((tmp_path / "fronts.csv").read_text())))
    volumes = [float(row["hypervolume (%)"]) for row in rows]
    assert volumes == sorted(volumes, reverse=True)
    assert max(volumes) > 1
    assert {row["strategy"] for row in rows} == set(NAMES)


def test_hostile_names_are_no_formulas_no_commands_no_mathematics_and_no_control_characters(tmp_path):
    names = ("=HYPERLINK(1)", " -1+2", "_hidden", "$\\frac{$", "nul\x00esc\x1b\u009b", "a\n\\input{/etc/passwd}")
    strategies = dict(zip(names, list(RESULT["strategies"].values()) * 2, strict=True))
    result = {**RESULT, "strategies": strategies, "benchmark": "id\n\\input{/etc/passwd}"}
    shown = {name: SHOWN[name] for name in ("regret_by_trials", "ranks_by_trials")}
    gallery.write_figures(tmp_path, {key: result[key] for key in result if key != "fronts"}, shown)
    for name in shown:
        texts = [element.text for element in ElementTree.parse(tmp_path / f"{name}.svg").iter() if element.text]
        assert {"=HYPERLINK(1)", "_hidden", "$\\frac{$", "nul\ufffdesc\ufffd\ufffd"} <= set(texts), name
    rows = list(csv.DictReader(io.StringIO(tables.headline_csv(result, [60]))))
    assert {row["strategy"] for row in rows} >= {"'=HYPERLINK(1)", "' -1+2", "_hidden"}
    for line in tables.headline_latex(result, [60]).splitlines():
        assert line.startswith("%") or "\\input" not in line
    assert "\x00" not in tables.headline_latex(result, [60])


def test_landscapes_stand_side_by_side():
    constant = jn.Table.from_arrays(MIXED, "constant", *np.full((2, MIXED.num_architectures, 1, 1), 0.5), [1])
    results = [RESULT, {"benchmark": "mixed_constant", "landscape": landscape(constant)}]
    first, second = landscape_rows(results)
    assert first["local_optima"] == RESULT["landscape"]["optima"]["num_local"]
    assert first["intraclass_correlation"] == RESULT["landscape"]["noise"]["intraclass_correlation"]
    assert second["distance_correlation"] is second["intraclass_correlation"] is None
    rows = cells_of(landscape_latex(results))
    assert {len(row) for row in rows} == {len(first)}
    assert rows[1][:3] == ["mixed-noise", "12", "12"]
    assert rows[1][5] == f"{first['distance_correlation']:.2f}"
    assert rows[2][0] == r"mixed\_constant"
    assert rows[2][5] == "--"
    assert len(tables.csv_text([first, second]).splitlines()) == 3
