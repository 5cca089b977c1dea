"""What `jaxnas report` makes of a damaged summary.json: a page or one line, never a traceback."""

import copy
import json
import random

import pytest
from test_figures import RESULT

from experiments.robustness.results import changed
from jaxnas.cli.main import main
from jaxnas.report import schema
from jaxnas.report.comparison_files import checksum, read_summary
from jaxnas.report.page.page import page_text
from jaxnas.report.sentences import shown_points
from jaxnas.report.tables import headline_csv, headline_latex

ODD = (None, -1, 10**9, 10**400, 1e300, 0.5, "", "x", [], {}, True, [None], {"a": 1}, float("nan"), "\ud800")


def places(value: object, where: tuple = ()) -> list[tuple]:
    """Returns the places of all values within one, at most three of a list."""
    found = [where] if where else []
    if isinstance(value, dict):
        return found + [place for key in value for place in places(value[key], (*where, key))]
    if isinstance(value, list):
        return found + [
            place for number in range(min(3, len(value))) for place in places(value[number], (*where, number))
        ]
    return found


def is_refused(result: dict) -> bool:
    try:
        schema.checked(result)
    except ValueError as error:
        return len(str(error)) < 400 and "\n" not in str(error)
    return False


@pytest.fixture(scope="module")
def result() -> dict:
    """Returns a result with every part that a page shows."""
    pair = {"first": "random_search", "second": "local_search", "test": "wilcoxon", "p_value": 0.1, "p_holm": 0.2}
    pair |= {"effect_size": 0.5, "difference_mean": 0, "difference_ci_low": -1, "difference_ci_high": 1}
    pairs = [pair | {"num_runs_for_power_80": 50}]
    found = dict.fromkeys(RESULT["strategies"], 0.5)
    cell = {"architecture": "0-1-1", "row": 3, "validation": 0.9, "test": 0.8, "found_by": found, "drawing": "<svg/>"}
    names = list(RESULT["strategies"])
    ranks = [float(number) for number in range(1, len(names) + 1)]
    overall = {"benchmarks": ["a", "b", "c"], "strategies": names, "mean_ranks": [ranks] * 3, "average_rank": ranks}
    overall |= {"level": 0.05, "friedman_statistic": 2.0, "friedman_p_value": 0.5, "critical_difference": 1.5}
    overall |= {"groups": [names[:2]]}
    metric = {"name": "accuracy", "unit": "proportion", "better": 1}
    more = {"pairwise": pairs, "cells": [cell], "overall": overall, "equal_cost": 7, "metric": metric}
    strategies = {name: each | {"hyperparameters": {}} for name, each in RESULT["strategies"].items()}
    for each in strategies.values():
        each |= {f"regret_{end}_by_cost": each["regret_mean_by_cost"] for end in ("ci_low", "ci_high")}
    return json.loads(json.dumps({**RESULT, **more, "strategies": strategies, "versions": {"jaxnas": "0.1.0"}}))


def test_every_odd_value_is_refused_in_one_line_or_shown(result):
    schema.checked(result)
    draw = random.Random(0)
    every = [(where, odd) for where in places(result) for odd in (*ODD, "gone")]
    refused = 0
    for where, odd in draw.sample(every, 300):
        damaged = changed(result, where, odd)
        if is_refused(damaged):
            refused += 1
            continue
        page_text(damaged, {})
        headline_latex(damaged, shown_points(damaged))
        headline_csv(damaged, shown_points(damaged))
    assert 150 < refused < 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Expecting value"),
        ("[1, 2]", "a dictionary"),
        ("[" * 100_000, "RecursionError|recursion"),
        ('{"num_trials": NaN}', "numbers, got NaN"),
        ('{"num_trials": 1, "versions": {"jaxnas": "99.1.0"}}', "newer than this jaxnas"),
        ('{"num_trials": 1, "checksum": "0"}', "does not fit its checksum"),
        ('{"num_trials": 1000000000}', "benchmark"),
        ('{"benchmark": "\\ud800", "num_trials": 2}', "text"),
    ],
)
def test_what_is_no_summary_is_refused_in_one_line(text, expected, tmp_path, capsys):
    (tmp_path / "summary.json").write_text(text)
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("jaxnas report: Expected ")
    assert said.count("\n") == 1
    with pytest.raises(ValueError, match=expected):
        read_summary(tmp_path)


def test_a_changed_number_does_not_fit_the_checksum(result, tmp_path, capsys):
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(result | {"checksum": checksum(result)}))
    assert read_summary(tmp_path) == result
    path.write_text(path.read_text().replace('"mean_rank": ', '"mean_rank": 1', 1))
    assert main(["report", str(tmp_path)]) == 2
    assert "does not fit its checksum" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("versions",), {}),
        (("regret_definition",), "gone"),
        (("compared_by", "text"), ""),
        (("metric", "name"), ""),
        (("pairwise", 0, "num_runs_for_power_80_ci_high"), "gone"),
        (("landscape", "optima", "best"), "gone"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_parts_that_a_page_needs_together_are_refused_one_without_the_other(where, value, result):
    damaged = copy.deepcopy(result)
    damaged |= {
        "optimum": {"value": 0.9, "standard_error": None, "method": "maximum"},
        "regret_definition": "Regret is",
    }
    damaged["compared_by"] = {"measure": "regret", "at": "trials", "text": "regret after 3 trials"}
    damaged["pairwise"][0] |= {"num_runs_for_power_80_ci_low": 30, "num_runs_for_power_80_ci_high": 90}
    schema.checked(copy.deepcopy(damaged))
    with pytest.raises(ValueError, match=r"should be|nothing for|without"):
        schema.checked(changed(damaged, where, value))
