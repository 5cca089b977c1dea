"""Programs as strategies: they speak JSON lines, and are compared as any strategy is."""

import sys

import numpy as np
import pytest

import jaxnas as jn

START = """
import json, os, random, sys
def ask(**request):
    print(json.dumps(request), flush=True)
    return json.loads(sys.stdin.readline())
about = ask(request="describe")
draw = random.Random(int(os.environ["JAXNAS_SEED"]))
def drawn():
    return "-".join(f"{draw.randrange(node)}.{draw.choice(['tanh', 'relu'])}" for node in (1, 2, 3))
"""
SEARCH = "for _ in range(about['budget']): ask(request='evaluate', text=drawn())\nask(request='finish', text=drawn())"


@pytest.fixture(scope="module")
def bench():
    return jn.load("recurrent-3-digits-rows-v1")


def program(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(START + text)
    return jn.external([sys.executable, path])


def test_a_program_is_compared_as_a_strategy(bench, tmp_path):
    mine = program(tmp_path, SEARCH)
    comparison = jn.compare([mine, "random_search"], bench, num_trials=6, num_runs=3, most_runs={"mine": 2})
    trials = comparison.trials["mine"]
    assert trials.observation.score.shape == (2, 6)
    assert not np.array_equal(trials.query.arch[0], trials.query.arch[1])
    again = jn.run(mine, bench, num_trials=6, num_runs=1)
    np.testing.assert_array_equal(again.query.arch[0], trials.query.arch[0])
    assert set(trials.query.arch[..., 0].ravel().tolist()) <= {0, 1}


def test_lost_trials_and_those_after_the_end_repeat_an_evaluation_at_no_cost(bench, tmp_path):
    text = "\nask(request='evaluate', text=drawn())\nfor _ in range(10): ask(request='evaluate', text='bad')"
    trials = jn.run(program(tmp_path, text), bench, num_trials=4, num_runs=1)
    assert (trials.query.arch[0] == trials.query.arch[0, 0]).all()
    assert (trials.observation.score[0] == trials.observation.score[0, 0]).all()
    assert trials.observation.cost[0].tolist() == [trials.observation.cost[0, 0], 0, 0, 0]


def test_a_program_that_fails_says_why(bench, tmp_path):
    with pytest.raises(RuntimeError, match=r"mine.py failed with exit code 1; its messages are above"):
        jn.run(program(tmp_path, "1 / 0"), bench, num_trials=4, num_runs=1)
    with pytest.raises(ValueError, match="Expected a program, got nowhere/nothing: No such file"):
        jn.run(jn.external("nowhere/nothing"), bench, num_trials=4, num_runs=1)
    with pytest.raises(ValueError, match="Expected a command"):
        jn.external("")
