"""Reports of every kind of benchmark: missing runs and seconds, listed and constrained spaces, losses, functions."""

import json

import numpy as np
import pytest
from helpers.partial_spaces import CONSTRAINED, LISTED
from helpers.samples import MIXED

import jaxnas as jn
from jaxnas.report import units
from jaxnas.report.explorer.explorer import arrays_of, write_explorer
from jaxnas.tables.columns import Column
from jaxnas.tasks.metrics import Metric

AXES = ("class", "run", "fidelity")
SCHEDULES = [{"name": "12", "training": "short", "epoch": 12}, {"name": "200", "training": "long", "epoch": 200}]
LOSS = Metric("loss", "nats", better=-1)


def make_table(space, metric: Metric | None = None) -> jn.Table:
    """Returns a table as published ones are.

    Searches are told one to three runs of a short schedule, at a price in seconds; two of a long one are reported.
    """
    random = np.random.RandomState(0)
    size, better = space.num_architectures, 1 if metric is None else metric.better
    told, reported = random.uniform(0.2, 0.9, (size, 3, 1)), random.uniform(0.2, 0.9, (size, 2, 1))
    told[np.arange(3) > random.randint(3, size=(size, 1))] = np.nan
    unit = "proportion" if metric is None else metric.unit
    return jn.Table.from_arrays(
        space,
        "published",
        Column(told.astype(np.float32), AXES, unit, better, runs="search", fidelities=("12",)),
        Column(reported.astype(np.float32), AXES, unit, better, runs="final", fidelities=("200",)),
        SCHEDULES,
        columns={"seconds": (random.uniform(1, 5, size).astype(np.float32), "seconds")},
        protocols={"published": {"price": "seconds"}},
        metric=metric,
        nan="missing",
    )


def make_bench(kind: str):
    """Returns a benchmark: of a function, of losses on a listed space, of missing runs on a constrained space."""
    if kind == "function":
        best = float(MIXED.num_architectures)
        return jn.benchmarks.FunctionBenchmark(
            MIXED, MIXED.index, test_function=lambda archs: archs.sum(-1), optimum=best, worst=0.0
        )
    space = LISTED if kind == "loss" else CONSTRAINED
    table = make_table(space, LOSS if kind == "loss" else None)
    return jn.TableBenchmark(table, space=space, protocol="published")


@pytest.mark.parametrize("kind", ["missing", "loss", "function"])
def test_every_kind_of_benchmark_has_a_report(kind, tmp_path):
    bench = make_bench(kind)
    found = jn.compare("random_search,local_search", bench, num_trials=6, num_runs=4)
    page = found.write(tmp_path).read_text()
    result = json.loads((tmp_path / "summary.json").read_text(), parse_constant=lambda text: pytest.fail(text))
    assert result["metric"] == bench.metric._asdict()
    assert result["objective"] == bench.metric.name
    assert result["cost_unit"] == bench.cost_unit
    assert ("landscape" in result) == ("cells" in result) == (bench.table is not None)
    regrets = found.summary()["regret"]
    scale = 100 if bench.metric.unit == "proportion" else 1
    for name, numbers in result["strategies"].items():
        assert regrets[name] == units.rounded(scale * numbers["regret_mean"][-1], bench.metric)
        # an estimated optimum may lie below what a few runs found
        assert numbers["regret_mean"][-1] >= 0 or result["optimum"]["method"] == "crossfit"
    if kind == "missing":
        price = float(np.asarray(bench.prices).mean(dtype=np.float64))
        assert result["budget"] == pytest.approx([price * number for number in range(1, 7)])
        assert "seconds of training paid for" in page
    if kind == "loss":
        assert "percentage points" not in page
        best = result["landscape"]["optima"]["best"][0]
        assert best["validation"] == pytest.approx(-np.nanmin(bench.table.means("validation")))
        assert f"<td>{-best['validation']:.4g}</td>" in page


@pytest.mark.parametrize("space", [MIXED, LISTED, CONSTRAINED], ids=lambda space: space.name)
def test_every_kind_of_table_has_an_explorer(space, tmp_path):
    table = make_table(space)
    arrays = arrays_of(table, space)
    assert np.isnan(arrays["validation"]).any()
    assert arrays["validation"].shape == (space.num_architectures, 3, 1)
    assert arrays["test"].shape == (space.num_architectures, 2, 1)
    np.testing.assert_array_equal(arrays["seconds"], table.sizes("seconds"))
    assert ("neighbors" in arrays) == (space is not MIXED)
    for row in (0, space.num_architectures - 1):
        np.testing.assert_array_equal(arrays["choices"][row], space.arch_at(row))
    assert "published" in write_explorer(table, space, tmp_path / "page.html").read_text()


@pytest.mark.browser
def test_a_loss_is_explored_with_the_smallest_first(visit, tmp_path):
    table = make_table(LISTED, LOSS)
    page = visit(write_explorer(table, LISTED, tmp_path / "page.html"))
    page.wait_for_selector("html[data-drawn]")
    means = table.means("validation")[:, 0]
    shown = page.locator("#list tbody td:nth-child(3)").all_inner_texts()
    assert shown == [f"{value:.5g} nats" for value in np.sort(means)[:25]]
    assert page.inner_text("#text") == LISTED.to_str(LISTED.arch_at(means.argmin()))
    assert "1 of 42" in page.inner_text("#numbers")
    page.fill("#wanted", "17")
    page.press("#wanted", "Enter")
    assert page.inner_text("#text") == LISTED.to_str(LISTED.arch_at(17))
