"""Signs, percent and digits: accuracy in percent, other metrics in their unit, smaller-is-better ones negated."""

import numpy as np
import pytest
from test_figures import RESULT, SHOWN

from jaxnas.report import sentences, tables, units
from jaxnas.report.page.page import page_text
from jaxnas.tasks.goals import ACCURACY, Metric

LOSS = Metric("loss", "nats", better=-1)
PERPLEXITY = Metric("perplexity", "", better=-1)


def test_proportions_are_shown_in_percent_and_their_differences_in_points():
    assert units.with_unit(0.9351, ACCURACY) == "93.51 %"
    assert units.gap_with_unit(0.0035, ACCURACY) == "0.35 percentage points"
    assert units.gap_text(0.0035, ACCURACY) == "0.350"
    assert units.change_text(-0.0035, ACCURACY) == "-0.35"
    assert units.labeled("test accuracy", units.unit(ACCURACY)) == "test accuracy (%)"
    np.testing.assert_array_equal(units.shown(np.asarray([0.5, np.nan]), ACCURACY), [50, np.nan])


def test_stored_percentages_are_not_multiplied():
    stored = Metric("mIoU", "percent")
    assert units.with_unit(61.25, stored) == "61.25 %"
    assert units.gap_with_unit(1.5, stored) == "1.50 percentage points"


def test_where_smaller_is_better_scores_are_negated_and_regrets_are_not():
    assert units.with_unit(-1.25, LOSS) == "1.25 nats"
    assert units.gap_with_unit(0.125, LOSS) == "0.125 nats"
    assert units.change_text(-0.5, LOSS) == "+0.5"  # worse: a larger loss
    assert units.with_unit(-82.5, PERPLEXITY) == "82.5"
    assert units.labeled("test perplexity", units.unit(PERPLEXITY)) == "test perplexity"


def test_the_quantiles_of_a_loss_are_those_of_the_negated_scores():
    found = {"0.05": -3.0, "0.5": -2.0, "0.95": -1.5}
    assert units.quantiles(found, ACCURACY) == [(0.05, -3), (0.5, -2), (0.95, -1.5)]
    assert units.quantiles(found, LOSS) == [(0.05, -1.5), (0.5, -2), (0.95, -3)]


def test_frames_keep_the_digits_of_small_values_of_other_units_than_percent():
    assert units.rounded(15.21749, ACCURACY) == 15.217
    assert units.rounded(0.00123456, LOSS) == 0.0012346


def test_sizes_bear_their_unit_and_a_negated_proxy_is_named_so():
    assert units.size_label({"size": "flops", "unit": "", "true": [[1, 0.5]]}).startswith("FLOPs (")
    assert units.size_label({"size": "latency", "unit": "seconds", "true": [[0.02, 0.5]]}) == "latency (seconds)"
    assert units.size_label({"size": "nwot", "unit": "", "true": [[-3, 0.5], [-2, 0.6]]}) == "nwot, negated"


def test_no_number_is_no_text():
    assert units.score_text(None, ACCURACY) == units.gap_text(None, LOSS) == units.percent_text(None) == ""


@pytest.fixture(scope="module")
def of_loss() -> dict:
    """Returns a result of losses, whose cost is in seconds."""
    return RESULT | {"metric": LOSS._asdict(), "objective": "loss", "cost_unit": "seconds", "protocol": ""}


def test_figures_name_the_metric_and_the_unit_of_cost(of_loss):
    labels = {}
    for name, each in SHOWN.items():
        figure = each.draw(of_loss)
        labels[name] = [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]
    assert labels["regret_by_trials"] == ["trials", "test regret (nats)"]
    assert labels["regret_by_cost"] == ["seconds of training paid for", "test regret (nats)"]
    assert labels["fronts"][1] == "test loss (nats)"
    assert labels["score_distribution"][0] == "loss (nats)"
    assert "mean score, less that of all (nats)" in labels["decision_effects"]
    (axes,) = SHOWN["fitness_distance"].draw(of_loss).axes
    means = RESULT["landscape"]["fitness_distance"]["means"]
    assert axes.get_lines()[0].get_ydata() == pytest.approx(-np.asarray(means))


def test_pages_and_tables_name_the_metric(of_loss):
    page, latex = page_text(of_loss, {}), tables.headline_latex(of_loss, [60])
    name, numbers = sentences.ranked(of_loss)[0]
    assert f"test regret of {units.gap_text(numbers['regret_mean'][-1], LOSS)} nats" in page
    assert f"<td>{-numbers['final_test_mean']:.4g}<small>± 0.01</small></td>" in page
    assert '<th scope="col">test (nats)</th>' in page
    assert "by test loss and flops" in page
    assert "percentage points" not in page + latex
    assert "accuracy" not in page + latex
    assert r"& test (nats) & validation (nats) &" in latex
    assert sentences.final_text(of_loss, name) == f"{-numbers['final_test_mean']:.4g} ± 0.01"
