"""What `jaxnas report` makes of a damaged summary.json: a page or one line, never a traceback."""

import json
import random

import pytest
from test_figures import RESULT

from experiments.robustness.results import changed
from jaxnas.cli.main import main
from jaxnas.report.comparison_files import checksum, read_summary, write_again
from jaxnas.report.figures import gallery

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


def test_every_odd_value_is_refused_in_one_line_or_shown(result, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "figures_of", lambda result: {})  # which take seconds
    draw = random.Random(0)
    every = [(where, odd) for where in places(result) for odd in (*ODD, "gone")]
    said = []
    for where, odd in draw.sample(every, 60):
        damaged = changed(result, where, odd)
        (tmp_path / "summary.json").write_text(json.dumps(damaged | {"checksum": checksum(damaged)}))
        try:
            write_again(tmp_path)
        except ValueError as error:
            said.append(str(error))
    assert 20 < len(said) < 60
    assert all(len(each) < 600 and "\n" not in each for each in said)


@pytest.mark.parametrize(
    ("where", "odd"),
    [(("landscape", "scores"), {}), (("landscape", "effects", "decisions"), [None]), (("landscape", "sizes"), ["x"])],
    ids=str,
)
def test_a_part_that_nothing_can_be_drawn_of_is_refused_in_one_line(where, odd, result, tmp_path, capsys):
    damaged = changed(result, where, odd)
    (tmp_path / "summary.json").write_text(json.dumps(damaged | {"checksum": checksum(damaged)}))
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("jaxnas report: Expected ")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Expecting value"),
        ("[1, 2]", "a dictionary"),
        ("[" * 100_000, "too deep to read"),
        ('{"num_trials": NaN}', "numbers, got NaN"),
        ('{"num_trials": 1, "anything": 1e999}', "Out of range"),
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
