"""Sessions on benchmarks: the scores of `jn.run`, ends by runs that were not seen, and logs that replay."""

import json

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.strategies.base import Query, Strategy

TABLES = {
    "cells": "nb201-cifar10-v1",
    "perceptrons": "mlp-small-shifted-digits-v1",
    "recurrent cells": "recurrent-3-digits-rows-v1",
    "chains": "nb-macro-mnist5k-v1",
    "joint": "joint-small-shifted-digits-v1",
}
RULES = jn.sessions.Rules(num_trials=8)


def climbing(space):
    """Returns a strategy in NumPy: it changes one choice of the best architecture so far."""
    sizes = [len(decision.values) for decision in space.decisions]

    def init(key, num_trials):
        return {"best": None, "score": -np.inf, "random": np.random.default_rng(num_trials)}

    def ask(state, t, key):
        arch = np.asarray([state["random"].integers(size) for size in sizes], np.int32)
        if state["best"] is not None:
            place = state["random"].integers(len(sizes))
            arch = np.where(np.arange(len(sizes)) == place, arch, state["best"]).astype(np.int32)
        return Query(arch)

    def tell(state, t, query, observation):
        if observation.score > state["score"]:
            state |= {"best": query.arch, "score": observation.score}
        return state

    return Strategy("climbing", init, ask, tell, jittable=False)


def played(session, strategy, seed=0, number=0):
    """Asks for what a strategy asks for, as texts, and tells it the answers."""
    space = session.bench.space
    loop = jn.AskTell(strategy, num_trials=8, key=jn.simulation.run_key(seed, number), bench=session.bench)
    for _ in range(8):
        answer = session.answer({"request": "evaluate", "text": space.to_str(loop.ask().arch)})
        loop.tell(np.nan if answer["score"] is None else answer["score"])
    return session


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_client_of_texts_has_the_trials_of_the_strategy_in_python(table):
    session = played(jn.Session(table, RULES, seed=5, number=3), climbing, 5, 3)
    trials = jn.run(climbing, session.bench, num_trials=8, num_runs=1, first_run=3, seed=5)
    for one, other in zip(
        (*trials.query, *trials.observation), (*session.trials().query, *session.trials().observation), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(jn.regret(session.trials(), session.bench), jn.regret(trials, session.bench))


@pytest.fixture(scope="module")
def bench():
    return jn.load("recurrent-3-digits-rows-v1")


def test_the_end_is_scored_by_runs_that_the_session_did_not_see(bench):
    session = jn.Session(bench, jn.sessions.Rules(num_trials=4))
    text = bench.space.to_str(bench.space.arch_at(17))
    for _ in range(4):
        session.answer({"request": "evaluate", "text": text})
    session.answer({"request": "finish", "text": text})
    seen = set(session.trials().observation.seed[0].tolist())
    runs = bench.held_out.runs(bench.space.arch_at(17))
    unseen = [run for run in range(len(runs)) if run not in seen]
    end = session.end()
    assert (end.text, end.num_unseen) == (text, len(unseen))
    assert end.test == pytest.approx(runs[unseen].mean(), abs=1e-6)
    assert end.regret == pytest.approx(jn.analysis.optimum(bench).value - end.test)
    told = bench.table.scores("validation")[classes_of(bench, bench.space.arch_at(17)), :, -1]
    assert end.optimism == pytest.approx(told[list(seen)].max() - told[unseen].mean(), abs=1e-6)


def test_an_end_that_was_never_evaluated_is_scored_by_all_runs(bench):
    session = jn.Session(bench)
    with pytest.raises(ValueError, match="neither a result nor"):
        session.end()
    session.answer({"request": "finish", "text": bench.space.to_str(bench.space.arch_at(3))})
    assert session.end().test == pytest.approx(bench.held_out.scores(bench.space.arch_at(3)), abs=1e-6)
    assert session.end().optimism is None


def test_trials_lost_to_bad_texts_are_failed_ones(bench):
    session = jn.Session(bench, jn.sessions.Rules(num_trials=4, invalid_share=0.5))
    text = bench.space.to_str(bench.space.arch_at(3))
    for each in ("bad", "worse", text, "bad"):
        session.answer({"request": "evaluate", "text": each})
    assert np.isnan(session.trials().observation.score[0]).tolist() == [True, False, True, True]
    assert session.counts == {"num_evaluations": 1, "num_invalid": 3, "num_repeats": 0, "num_tokens": 0}


def test_a_session_resumes_from_its_log_also_after_a_cut_line(bench, tmp_path):
    whole = played(jn.Session(bench, RULES, seed=1, log=tmp_path / "whole.jsonl"), climbing, 1)
    whole.close()
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:30])
    cut = jn.Session(bench, RULES, seed=1, log=tmp_path / "cut.jsonl")
    assert cut.counts["num_evaluations"] == 4
    for line in lines[5:]:
        line = json.loads(line)
        assert cut.answer(line["request"]) == line["answer"]
    cut.close()
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_log_of_another_session_is_refused(bench, tmp_path):
    jn.Session(bench, RULES, log=tmp_path / "a.jsonl").close()
    with pytest.raises(ValueError, match=r"Expected .* of this session, got one with another num_trials, seed"):
        jn.Session(bench, seed=1, log=tmp_path / "a.jsonl")
    held = jn.Session(bench, RULES, log=tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="Expected no other session"):
        jn.Session(bench, RULES, log=tmp_path / "a.jsonl")
    held.close()


def test_mistakes_without_an_effect_are_not_logged(bench, tmp_path):
    session = jn.Session(bench, RULES, log=tmp_path / "a.jsonl")
    for request in (None, {"request": "nothing"}, {"request": "evaluate"}):
        assert "error" in session.answer(request)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1
    session.answer({"request": "evaluate", "text": "bad", "more": "junk"})
    last = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[-1])
    assert last["request"] == {"request": "evaluate", "text": "bad"}
    session.close()
