"""The pages in a real browser: they open from disk, follow switches and keys, and show the numbers of summary.json."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.samples import SMALL

import jaxnas as jn
from jaxnas.analysis.results import Settings, result_of
from jaxnas.analysis.several import overall
from jaxnas.report import sentences, tables
from jaxnas.report.comparison import aim_of
from jaxnas.report.page import page as pages
from jaxnas.report.page.search import search_text
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Observation, Query

pytestmark = pytest.mark.browser

NAMES = ("random_search", "local_search", "regularized_evolution", "exhaustive_search")
NUM_RUNS, NUM_TRIALS = 20, 40
DRAWN = {"regret_by_trials": {"caption": "Curves", "svg": '<svg id="drawn" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'}}


def make_bench(seed: int):
    """Returns a benchmark of cells whose scores grow with their size, with noise."""
    random = np.random.RandomState(seed)
    sizes = random.randint(100, 5000, SMALL.num_architectures)
    scores = 0.4 + 0.1 * np.log10(sizes)[:, None, None] + 0.02 * random.randn(2, len(sizes), 3, 2)
    table = jn.Table.from_arrays(SMALL, f"task{seed}", *scores, [2, 4])
    flops = (9 * sizes, "multiply-accumulates")
    table = table.with_columns({"num_parameters": (sizes, "parameters"), "num_flops": flops})
    table = replace(table, manifest=table.manifest | {"content_hash": f"{seed:064x}"})
    return jn.TableBenchmark(table, space=SMALL)


def make_trials(bench, lowest: int, seed: int, shape: tuple[int, int]) -> Trials:
    """Returns trials [runs, T] of random rows from `lowest` on, in ascending order of their scores; no true search."""
    random = np.random.RandomState(seed)
    rows = np.argsort(bench.validation_scores(np.arange(SMALL.num_architectures)[:, None]))
    archs = rows[random.randint(lowest, len(rows), (*shape, 1))].astype(np.int32)
    zeros = np.zeros(shape, np.int32)
    scores = bench.validation_scores(archs)
    return Trials(Query(archs, zeros + 1), Observation(scores, np.full_like(scores, 4), zeros))


def make_result(
    seed: int, objective: str = "accuracy", names: tuple = NAMES, shape: tuple[int, int] = (NUM_RUNS, NUM_TRIALS)
) -> dict:
    """Returns the dictionary of summary.json of a comparison of made-up trials."""
    bench = make_bench(seed)
    trials = {name: make_trials(bench, 15 * number, number, shape) for number, name in enumerate(names)}
    strategies = {name: SimpleNamespace(hyperparameters={"temperature": 0.5}, note="") for name in names}
    num_runs, num_trials = shape
    settings = Settings(
        num_trials, num_runs, seed, objective=aim_of(objective, bench), command="jaxnas compare", optimum_from="maximum"
    )
    result = result_of(trials, strategies, bench, settings)
    for numbers in result["strategies"].values():  # above zero, so that they have logarithms
        for curve in ("regret_mean", "regret_ci_low", "regret_ci_high", "regret_mean_by_cost"):
            numbers[curve] = [value + 0.2 for value in numbers[curve]]
    return json.loads(json.dumps(result), parse_constant=lambda text: pytest.fail(text))


@pytest.fixture(scope="module")
def results() -> dict[str, dict]:
    """Returns three results by name: of two tables, and of two objectives."""
    one, two = make_result(1), make_result(2)
    one["overall"] = two["overall"] = overall([one, two])
    return {"one": one, "two": two, "fronts": make_result(1, "accuracy,parameters")}


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    """Returns a folder with the page of each result, and the page over two tables."""
    out = tmp_path_factory.mktemp("pages")
    for name, result in results.items():
        (out / name).mkdir()
        (out / name / "report.html").write_text(pages.page_text(result, DRAWN, "../report.html"))
    (out / "report.html").write_text(pages.index_text({name: results[name] for name in ("one", "two")}))
    return out


def lines(page, chart: str) -> list[str]:
    """Returns the names of the curves that a chart shows."""
    return page.eval_on_selector_all(f"#{chart} g[data-name]", "all => all.map(one => one.dataset.name)")


def test_wide_tables_end_within_a_window_of_1400_pixels(visit, folder):
    page = visit(folder / "one" / "report.html", width=1400)
    for region in ("#result .scroll", "#pairs .scroll"):
        assert page.locator(region).first.evaluate("part => part.scrollWidth <= part.clientWidth")
    width = page.locator("#result .scroll").first.evaluate("part => part.clientWidth")
    assert width > page.locator("main").evaluate("part => part.clientWidth")  # there is room on both sides of the text
    assert page.evaluate("document.documentElement.scrollWidth <= 1400")


def title(page, chart: str) -> str:
    return page.locator(f"#{chart} .axis-title").last.text_content()


def test_the_page_shows_the_numbers_of_the_summary(visit, folder, results):
    page, result = visit(folder / "one" / "report.html"), results["one"]
    rows = {row.get_attribute("data-name"): row.inner_text() for row in page.locator("#result tbody tr").all()}
    assert set(rows) == set(NAMES)
    for name, numbers in result["strategies"].items():
        for point in (30, NUM_TRIALS):
            for end in ("mean", "ci_low", "ci_high"):
                assert f"{100 * numbers[f'regret_{end}'][point - 1]:.3f}" in rows[name]
        for value in (100 * numbers["final_test_mean"], 100 * numbers["final_validation_mean"], numbers["mean_rank"]):
            assert f"{value:.2f}" in rows[name]
        assert f"{100 * numbers['probability_best']:.1f} %" in rows[name]
        assert f"{100 * numbers['validation_regret_mean']:.3f}" in rows[name]
    assert "the floor for a perfect search" in page.locator("#result").inner_text()
    embedded = page.evaluate("JSON.parse(document.getElementById('data').textContent)")
    assert embedded["strategies"] == result["strategies"]
    assert embedded["pairwise"] == result["pairwise"]
    text = page.locator("body").inner_text()
    for shown in (result["content_hash"], result["protocol"], result["command"], "@inproceedings{white2021exploring"):
        assert shown in text
    assert f"{result['landscape']['optima']['num_local']}" in page.locator("#landscape dl").inner_text()
    assert page.locator("#cells svg").count() == len(result["cells"]) == 6
    for number, cell in enumerate(result["cells"]):
        assert f"validation {100 * cell['validation']:.2f} %" in page.locator("#cells li").nth(number).inner_text()


@pytest.mark.nightly
def test_switches_follow_the_mouse(visit, folder, results):
    page = visit(folder / "one" / "report.html")
    assert set(lines(page, "regret-chart")) == set(lines(page, "rank-chart")) == set(NAMES)
    page.locator(".chips label", has_text="local_search").click()
    assert set(lines(page, "regret-chart")) == set(lines(page, "rank-chart")) == set(NAMES) - {"local_search"}
    page.get_by_role("button", name="None", exact=True).click()
    assert lines(page, "regret-chart") == []
    page.get_by_role("button", name="All", exact=True).click()
    assert page.locator("#regret-chart .band").count() == 4
    page.get_by_text("95 % intervals").click()
    assert page.locator("#regret-chart .band").count() == 0
    assert title(page, "regret-chart") == "trials"
    page.get_by_role("radio", name="cost").click()
    assert title(page, "regret-chart") == "epochs of training paid for"
    page.locator("#rank-chart .plot").hover(position={"x": 50, "y": 200})
    readout = page.locator("#rank-chart .readout")
    assert readout.is_visible()
    first = results["one"]["strategies"]["random_search"]["mean_rank_over_trials"][9]
    assert "after trial 10" in readout.inner_text()
    assert f"{first:.2f}" in readout.inner_text()


def test_switches_and_curves_follow_the_keyboard(visit, folder, results):
    page = visit(folder / "one" / "report.html")
    box = page.get_by_role("checkbox", name="random_search")
    box.focus()
    page.keyboard.press("Space")
    assert "random_search" not in lines(page, "regret-chart")
    page.keyboard.press("Space")
    before = page.locator("#regret-chart .line").first.get_attribute("d")
    for group in ("across", "up"):
        page.locator(f'input[name="{group}"]:checked').focus()
        page.keyboard.press("ArrowRight")
        after = page.locator("#regret-chart .line").first.get_attribute("d")
        assert page.locator(f'input[name="{group}"]:checked').input_value() == "linear"
        assert after != before
        before = after
    plot = page.get_by_role("slider", name="Test regret: values")
    page.locator('input[name="bands"]').focus()
    page.keyboard.press("Tab")
    assert plot.evaluate("node => node === document.activeElement")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert plot.get_attribute("aria-valuenow") == "1"
    said = plot.get_attribute("aria-valuetext")
    assert said.startswith("after trial 11: ")
    for name, numbers in results["one"]["strategies"].items():
        assert f"{name} {100 * numbers['regret_mean'][10]:.3f} [" in said
    page.keyboard.press("Escape")
    assert page.locator("#regret-chart .readout").is_hidden()


def test_two_objectives_are_shown(visit, folder, results):
    page, fronts = visit(folder / "fronts" / "report.html"), results["fronts"]["fronts"]
    table = page.locator("#fronts table").inner_text()
    for numbers in fronts["strategies"].values():
        assert f"{100 * numbers['hypervolume_mean'][-1]:.2f}" in table
    assert set(lines(page, "front-chart")) == {"true front", *NAMES}
    assert set(lines(page, "hypervolume-chart")) == set(NAMES)
    page.locator(".chips label", has_text="local_search").click()
    assert "local_search" not in lines(page, "front-chart")
    assert page.locator("#landscape").count() == 0


def test_the_readout_of_the_spread_rests_where_strategies_differ_and_an_explanation_draws(visit, folder, results):
    page = visit(folder / "one" / "report.html", width=400)
    shares = page.locator("#spread-chart .readout .value").all_inner_texts()
    assert len(shares) > 1
    assert len(set(shares)) > 1
    cards = page.locator("#why .card")
    assert {name.inner_text() for name in cards.locator("b").all()} >= {"this one", "reference"}
    found = results["one"]["explanation"]
    assert found["reference"]["architecture"] in cards.nth(1).inner_text()
    assert found["reference"]["architecture"] not in " ".join(page.locator("#why .why").all_inner_texts())


def test_the_page_over_tables_leads_to_each(visit, folder, results):
    page = visit(folder / "report.html")
    average = results["one"]["overall"]["average_rank"]
    rows = page.locator("#overall tbody tr").all_inner_texts()
    assert all(f"{average[NAMES.index(row.split()[0])]:.2f}" in row for row in rows)
    assert len(rows) == len(NAMES)
    chart = page.locator("#overall-chart [role=img]").get_attribute("aria-label")
    assert all(f"{name} {rank:.2f}" in chart for name, rank in zip(NAMES, average, strict=True))
    links = page.eval_on_selector_all("#tables a", "all => all.map(one => one.getAttribute('href'))")
    assert [(folder / link).exists() for link in links] == [True, True]


def test_small_charts_of_tables_have_the_unit_of_their_own_metric(visit, folder, results):
    loss = results["two"] | {"metric": {"name": "loss", "unit": "nats", "better": -1}, "objective": "loss"}
    (folder / "units.html").write_text(pages.index_text({"one": results["one"], "two": loss}))
    page = visit(folder / "units.html")
    titles = [page.locator(f"#table-{n} .axis-title").first.text_content() for n in (0, 1)]
    assert titles == ["test regret (percentage points)", "test regret (nats)"]


@pytest.mark.parametrize("names", [NAMES[:1], NAMES[:2]])
def test_the_smallest_comparison_has_a_page(visit, tmp_path, names):
    result = make_result(3, names=names, shape=(1, 1))
    (tmp_path / "report.html").write_text(pages.page_text(result, {}))
    page = visit(tmp_path / "report.html")
    assert set(lines(page, "regret-chart")) == set(names)
    assert page.locator("#regret-chart .tick").count() > 2


def test_long_curves_are_thinned_and_end_exactly(results):
    result = results["one"]
    numbers = {"regret_mean": np.linspace(0.2, 0.01, 5000).tolist(), "regret_mean_by_cost": [0.1] * 4999 + [0.2]}
    long = {**result, "num_trials": 5000, "budget": list(range(5000)), "strategies": {"random_search": numbers}}
    thinned = pages._thinned(long)
    curve = thinned["strategies"]["random_search"]["regret_mean"]
    assert len(curve) == len(thinned["trials"]) <= pages.MAX_POINTS
    assert curve == [numbers["regret_mean"][trial - 1] for trial in thinned["trials"]]
    assert {1, 30, 100, 5000} <= set(thinned["trials"])
    assert thinned["strategies"]["random_search"]["regret_mean_by_cost"][-1] == 0.2


def test_pages_stay_small(results):
    figures = {name: {"caption": name, "svg": f"<svg>{'x' * 400_000}</svg>"} for name in ("regret_by_trials", "fronts")}
    text = pages.page_text(results["one"], figures)
    assert text.count("xxxx</svg>") == 1
    assert len(text) < 1_000_000


@pytest.mark.parametrize("name", ["one/report.html", "fronts/report.html", "report.html"])
def test_pages_are_accessible_and_fit_a_phone(visit, folder, axe_violations, name):
    page = visit(folder / name, width=360, height=640)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert axe_violations(page) == []


@pytest.mark.nightly
def test_print_shows_everything(visit, folder):
    page = visit(folder / "one" / "report.html")
    page.emulate_media(media="print")
    assert page.locator(".controls").is_hidden()
    for part in page.locator("details > *:not(summary)").all():
        assert part.bounding_box()["height"] > 20
    for chart in ("regret-chart", "rank-chart", "overall-chart", "scores-chart"):
        assert page.locator(f"#{chart} svg").first.is_visible()
    assert page.locator("#bibtex").evaluate("node => node.scrollHeight - node.clientHeight") <= 0


def test_the_page_speaks_without_javascript(visit, folder, results):
    page = visit(folder / "one" / "report.html", java_script_enabled=False)
    assert page.locator("#drawn").is_visible()
    assert page.locator(".controls").is_hidden()
    assert page.locator("#switches").is_hidden()
    assert page.locator("#result tbody tr").count() == len(NAMES)
    assert sentences.finding(results["one"]) in page.locator(".masthead").inner_text()


def test_tables_are_sorted_and_the_address_keeps_the_switches(visit, folder, results):
    page = visit(folder / "one" / "report.html")
    heading = page.locator("#result thead th", has_text="regret after 40")
    for order in ("ascending", "descending"):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == order
        names = page.eval_on_selector_all("#result tbody tr", "all => all.map(one => one.dataset.name)")
        regret = {name: numbers["regret_mean"][-1] for name, numbers in results["one"]["strategies"].items()}
        assert names == sorted(names, key=regret.get, reverse=order == "descending")
    page.locator(".chips label", has_text="local_search").click()
    page.get_by_role("radio", name="cost").check(force=True)
    page.locator('input[name="start"][value="first"]').check(force=True)
    address = page.evaluate("location.hash")
    page = page.context.new_page()
    page.goto((folder / "one" / "report.html").resolve().as_uri() + address)
    assert set(lines(page, "regret-chart")) == set(NAMES) - {"local_search"}
    assert title(page, "regret-chart") == "epochs of training paid for"
    assert page.locator('input[name="start"][value="first"]').is_checked()


def test_what_a_page_shows_can_be_saved(visit, folder, results):
    page = visit(folder / "one" / "report.html")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").first.click()
    assert Path(download.value.path()).read_text() == tables.headline_csv(results["one"], [30, 40])
    with page.expect_download() as download:
        page.get_by_role("button", name="save regret-chart as SVG").click()
    saved = Path(download.value.path()).read_text()
    assert {"random_search", "trials"} <= {element.text for element in ElementTree.fromstring(saved).iter()}
    assert "stroke:rgb" in saved.replace(" ", "")
    page.get_by_role("button", name="Copy LaTeX").first.click()
    assert page.locator("#latex").text_content() == tables.headline_latex(results["one"], [30, 40])


@pytest.mark.nightly
def test_curves_begin_at_trial_10_and_cope_with_outliers_and_with_regrets_below_zero(visit, tmp_path, results):
    result = json.loads(json.dumps(results["one"]))
    result["strategies"]["local_search"]["regret_mean"] = [5.0] * NUM_TRIALS
    (tmp_path / "far.html").write_text(pages.page_text(result, {}))
    page = visit(tmp_path / "far.html")
    note = page.locator("#regret-chart .cut")
    assert note.inner_text() == "Above the chart: local_search."
    assert page.locator("#regret-chart .tick").first.text_content() != "500"
    page.locator(".chips label", has_text="local_search").click()
    assert note.is_hidden()
    result["strategies"]["local_search"]["regret_mean"] = [-0.001] * NUM_TRIALS
    (tmp_path / "below.html").write_text(pages.page_text(result, {}))
    page = visit(tmp_path / "below.html")
    assert "no logarithm" in page.locator("#regret-chart .cut").inner_text()
    drawn = page.locator('#regret-chart g[data-name="local_search"] path').bounding_box()
    chart = page.locator("#regret-chart .plot > svg").bounding_box()
    assert chart["y"] < drawn["y"] < chart["y"] + chart["height"]


@pytest.mark.nightly
def test_pages_are_readable_in_the_dark_and_light_one_strategy_up(visit, folder):
    colors = {}
    for scheme in ("light", "dark"):
        page = visit(folder / "one" / "report.html", color_scheme=scheme)
        paper = page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor")
        for text in ("h1", "#result td", ".lead", "#regret-chart .tick", "#cells svg text"):
            color = page.locator(text).first.evaluate(
                "node => getComputedStyle(node)[node instanceof SVGElement ? 'fill' : 'color']"
            )
            assert contrast(color, paper) > 4.5, (scheme, text)
        for name in NAMES:
            line = page.locator(f'#regret-chart g[data-name="{name}"] path')
            colors[scheme, name] = line.evaluate("node => getComputedStyle(node).stroke")
            assert contrast(colors[scheme, name], paper) > 2, (scheme, name)
    assert colors["light", "local_search"] != colors["dark", "local_search"]
    page.locator(".chips label", has_text="local_search").hover()
    dim = page.eval_on_selector_all("#regret-chart g.dim[data-name]", "all => all.map(one => one.dataset.name)")
    assert set(dim) == set(NAMES) - {"local_search"}


@pytest.mark.nightly
def test_with_many_strategies_the_curve_at_the_pointer_is_lit(visit, tmp_path):
    names = (*NAMES, "genetic_algorithm", "simulated_annealing")
    path = tmp_path / "report.html"
    path.write_text(pages.page_text(make_result(1, names=names), DRAWN))
    page = visit(path)
    plot = page.locator("#rank-chart .plot")
    plot.scroll_into_view_if_needed()
    assert not gray_lines(page)
    for name in ("genetic_algorithm", "random_search"):
        end = page.locator(f'#rank-chart g[data-name="{name}"] path').evaluate(
            """path => {
              const end = path.getPointAtLength(path.getTotalLength()).matrixTransform(path.getScreenCTM());
              return [end.x, end.y];
            }"""
        )
        page.mouse.move(end[0] - 1, end[1])
        assert gray_lines(page) == set(names) - {name}
    page.mouse.move(0, 0)
    assert not gray_lines(page)


def gray_lines(page) -> set[str]:
    """Returns the names of the curves of mean ranks that are shown in gray."""
    return set(page.eval_on_selector_all("#rank-chart g.dim[data-name]", "all => all.map(one => one.dataset.name)"))


def contrast(first: str, second: str) -> float:
    """Returns the contrast of two colors as the Web Content Accessibility Guidelines define it."""
    lights = []
    for color in (first, second):
        shares = np.asarray([float(part) / 255 for part in re.findall(r"[\d.]+", color)[:3]])
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.nightly
def test_nothing_sticks_or_is_cut_off_after_a_resize(visit, folder):
    page = visit(folder / "one" / "report.html")
    place = page.locator("#rank-chart .plot").bounding_box()
    at = {"clientX": place["x"] + 300, "clientY": place["y"] + 100, "pointerType": "touch"}
    page.locator("#rank-chart .plot").dispatch_event("pointermove", at)
    assert page.locator("#rank-chart .readout").is_visible()
    page.set_viewport_size({"width": 900, "height": 900})
    page.wait_for_function("document.querySelector('#rank-chart .readout').hidden")
    for width in (400, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in page.locator("tbody th[scope=row]").all()[:8]:
            assert name.evaluate("node => getComputedStyle(node).whiteSpace") == "nowrap"
    scroll = page.locator("#result .scroll")
    page.set_viewport_size({"width": 400, "height": 900})
    assert scroll.evaluate("node => node.scrollWidth > node.clientWidth")
    assert "gradient" in scroll.evaluate("node => getComputedStyle(node).backgroundImage")


SEARCH = {
    "kind": "search",
    **{
        "space": "mine",
        "task": "<b>task</b>",
        "task_hash": "0" * 64,
        "strategy": "</script><b>",
        "objective": "accuracy",
    },
    "metric": {"name": "accuracy", "unit": "proportion", "better": 1},
    **{"cost_unit": "epochs", "num_epochs": 3, "seed": 0, "stopped": "", "command": "jaxnas search", "best": 1},
    "versions": {"jaxnas": "0.1.0"},
    "hyperparameters": {},
    "decisions": {"act": "relu"},
    "findings": ["best of 3 trials"],
    "drawing": '<svg xmlns="http://www.w3.org/2000/svg" onload="x()"><script>x()</script><text>cell</text></svg>',
    "trials": [
        {"architecture": f"0-{number}", "score": score, "measured": score, "cost": 3, "failure": "" if score else "NaN"}
        for number, score in enumerate((0.5, 0.75, None))
    ],
    "finalists": [{"trial": 1, "architecture": "0-1", "score": 0.75, "fresh": [0.7, 0.66, None]}],
    "optimism": 0.07,
    "training": {"train": [0.2, 0.4, 0.6], "test": [0.1, 0.3, 0.5], "scores": {"train": 0.6, "test": 0.5}},
}


def test_a_search_has_a_page_and_no_text_of_it_runs(visit, tmp_path):
    (tmp_path / "report.html").write_text(search_text(json.loads(json.dumps(SEARCH))))
    page = visit(tmp_path / "report.html")
    assert page.locator("b").count() == 0
    assert page.locator("#best svg script").count() == 0
    assert page.locator("#best svg").first.get_attribute("onload") is None
    assert page.locator("#best svg text").first.text_content() == "cell"
    assert set(lines(page, "history-chart")) == {"observed", "best so far"}
    assert set(lines(page, "training-chart")) == {"train", "test"}
    finalists = page.locator("#finalists tbody").inner_text()
    assert "75.00" in finalists
    assert "68.00" in finalists
    assert "failed" in finalists
    assert "7.00 percentage points" in page.locator("#best").inner_text()
    assert page.locator("#tried tbody tr").count() == 3
    assert page.locator('#tried tr[aria-current="true"] th').inner_text() == "1"


def test_best_cells_lead_to_the_explorer_where_there_is_one(results, tmp_path):
    result = results["one"]
    assert "explorer</a>" not in pages.page_text(result, {})
    text = pages.page_text(result, {}, explorer="../table.html")
    assert f'href="../table.html#{result["cells"][0]["row"]}"' in text
