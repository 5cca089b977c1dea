"""The report of sessions: means beside strategies, tests that hold over looks, and the memory test."""

import itertools
import json

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.sessions.summary import LOOKS, compared_with, p_over_looks

TABLE = "recurrent-3-digits-rows-v1"
RULES = jn.sessions.Rules(num_trials=5)


def played(folder, bench, number, blind=None):
    folder.mkdir(exist_ok=True)
    log = folder / f"session-{number}{'' if blind is None else f'-blind-{blind}'}.jsonl"
    session = jn.Session(bench, RULES, number=number, blind=blind, log=log)
    texts = session.answer({"request": "describe"})["examples"]
    scores = {text: session.answer({"request": "evaluate", "text": text, "tokens": 7})["score"] for text in texts}
    session.answer({"request": "evaluate", "text": "bad"})
    session.answer({"request": "finish", "text": max(scores, key=scores.get)})
    session.close()
    return session


@pytest.fixture(scope="module")
def bench():
    return jn.load(TABLE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bench):
    folder = tmp_path_factory.mktemp("sessions")
    for number in range(3):
        played(folder, bench, number)
        played(folder, bench, number, blind=number)
    jn.sessions.report_sessions(folder, bench=bench, strategies=["random_search"], num_runs=20)
    return folder


def test_the_summary_has_every_session_and_what_it_spent(folder, bench):
    summary = json.loads((folder / "summary.json").read_text())
    assert [each["blind"] for each in summary["sessions"]] == [None] * 3 + [0, 1, 2]
    first = summary["sessions"][0]
    assert (first["num_evaluations"], first["num_invalid"], first["num_tokens"]) == (3, 1, 21)
    assert first["test"] == played(folder / "again", bench, 0).end().test
    regrets = [each["regret"] for each in summary["sessions"]]
    assert summary["groups"]["plain"]["regret_mean"] == pytest.approx(np.mean(regrets[:3]))
    assert summary["groups"]["plain"]["invalid_share"] == 0.25
    assert summary["memory"]["difference"] == pytest.approx(np.mean(regrets[:3]) - np.mean(regrets[3:]))
    own = jn.regret(jn.run(jn.random_search, bench, num_trials=5, num_runs=20), bench)[:, -1]
    assert summary["strategies"]["random_search"]["regret_mean"] == pytest.approx(own.mean())


def test_the_page_has_the_findings_and_is_written_again(folder, bench):
    page = (folder / "report.html").read_text()
    assert "Plain sessions (3): test regret" in page
    assert "Memory test over 3 pairs" in page
    assert "sessions to decide" in page
    assert page.count("<tr>") >= 8


def test_sessions_of_different_rules_are_refused(tmp_path, bench, capsys):
    played(tmp_path, bench, 0)
    other = jn.Session(bench, number=1, log=tmp_path / "session-1.jsonl")
    other.answer({"request": "finish", "text": "0.tanh-1.relu-2.tanh"})
    other.close()
    assert main(["report", str(tmp_path)]) == 2
    assert "of one benchmark with the same rules" in capsys.readouterr().err


def test_p_values_hold_over_all_looks():
    draw = np.random.default_rng(0)
    theirs = draw.normal(size=200)
    assert sum(p_over_looks(draw.normal(size=40), theirs) <= 0.05 for _ in range(200)) <= 10
    far = compared_with(draw.normal(3, 1, size=10), {"a": theirs, "b": theirs + 3})
    assert far["a"]["p_holm"] < 0.001
    assert far["a"]["num_more_sessions"] == 0
    assert far["a"]["effect_size"] < 0.1
    assert far["b"]["p_holm"] > 0.05
    near = compared_with(draw.normal(1.5, 1, size=4), {"a": theirs})["a"]
    assert near["p_holm"] == 1
    assert near["num_more_sessions"] in [look - 4 for look in LOOKS]


def test_the_memory_test_permutes_sessions_and_has_the_interval_of_pairs():
    from scipy.stats import ttest_rel

    plain, blinded = np.array([0.1, 0.3, 0.2]), np.array([0.5, 0.9, 0.2])
    means = [np.mean(chosen) for chosen in itertools.combinations([*plain, *blinded], 3)]
    least = sum(mean <= plain.mean() + 1e-9 for mean in means) / len(means)
    found = jn.sessions.memory_test(plain, blinded)
    assert found.p_value == pytest.approx(2 * least)
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(ttest_rel(plain, blinded).confidence_interval()))
    apart = jn.sessions.memory_test(np.arange(10) / 100, 1 + np.arange(10) / 100)
    assert apart.p_value < 0.001
    assert apart.difference == pytest.approx(-1)
    assert jn.sessions.memory_test([1, 1], [1, 1]).p_value == 1
    with pytest.raises(ValueError, match="Expected as many regrets of each kind"):
        jn.sessions.memory_test([1.0], [2.0])
