"""The conversation with a searcher: mistakes are answers, and what they cost is as declared."""

import json

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.sessions.dialogue import Dialogue
from jaxnas.strategies.base import observed

SPACE = jn.CellSpace(3, ("none", "skip_connect", "nor_conv_1x1"))
FIRST = SPACE.to_str((0, 1, 2))
SECOND = SPACE.to_str((2, 1, 2))


def dialogue(**rules) -> Dialogue:
    return Dialogue(SPACE, jn.sessions.Rules(**rules), "larger is better", lambda arch: tuple(arch.tolist()), 0)


def evaluated(of: Dialogue, text: str, score: float = 0.5) -> dict:
    answer = of.asked({"request": "evaluate", "text": text})
    return of.told(observed(score)) if answer is None else answer


def test_the_score_of_an_architecture_and_the_budget_that_is_left():
    of = dialogue(num_trials=2)
    assert evaluated(of, FIRST, 0.25) == {"text": FIRST, "score": 0.25, "left": 1, "repeat": False}
    assert evaluated(of, SECOND, np.nan)["score"] is None
    assert evaluated(of, SECOND)["error"].startswith("The budget of 2 evaluations is spent")
    history = of.asked({"request": "history"})["history"]
    assert history == [{"text": FIRST, "score": 0.25}, {"text": SECOND, "score": None}]
    assert of.asked({"request": "finish", "text": FIRST}) == {"finished": FIRST, "left": 0}
    assert of.asked({"request": "finish", "text": SECOND})["error"] == "The session is finished."


def test_texts_that_are_no_architecture_cost_their_share():
    of = dialogue(num_trials=10, invalid_share=0.25)
    for left in (10, 10, 10, 9):
        answer = of.asked({"request": "evaluate", "text": "|none~0|"})
        assert answer["left"] == left
        assert answer["error"].startswith("Expected an architecture such as '|none~0|+|none~0|none~1|'")
    evaluated(of, FIRST)
    assert of.evaluations[0].trial == 1
    assert of.left == 8


@pytest.mark.parametrize(("repeats", "left", "score"), [("paid", 8, 0.75), ("free", 9, 0.5)])
def test_repeats_are_paid_or_free(repeats, left, score):
    of = dialogue(num_trials=10, repeats=repeats)
    evaluated(of, FIRST, 0.5)
    assert evaluated(of, FIRST, 0.75) == {"text": FIRST, "score": score, "left": left, "repeat": True}
    assert of.counts["num_repeats"] == 1


def test_what_is_no_request_costs_nothing():
    of = dialogue()
    wrong = [
        None,
        3,
        "evaluate",
        [],
        {},
        {"request": None},
        {"request": "__class__"},
        {"request": "evaluate"},
        {"request": "evaluate", "text": 3},
        {"request": "evaluate", "text": "x" * 30_000},
        {"request": "describe", "tokens": -1},
        {"request": "describe", "tokens": True},
    ]
    for request in wrong:
        assert list(of.asked(request)) == ["error", "left"], request
    assert set(of.counts.values()) == {0}
    assert of.left == 100


def test_neighbors_are_those_of_the_space_and_tokens_are_counted():
    of = dialogue()
    found = of.asked({"request": "neighbors", "text": FIRST, "tokens": 12})["neighbors"]
    assert sorted(found) == found
    assert len(found) == 6
    assert SECOND in found
    assert of.counts["num_tokens"] == 12


def test_the_description_has_examples_that_are_architectures():
    description = json.loads(json.dumps(dialogue().asked({"request": "describe"})))
    assert [SPACE.to_str(SPACE.from_str(text)) for text in description["examples"]] == description["examples"]
    assert description["decisions"]["0-2"] == ["none", "skip_connect", "nor_conv_1x1"]
    assert description["budget"] == 100


@pytest.mark.parametrize("rules", [{"num_trials": 0}, {"invalid_share": 2.0}, {"repeats": "often"}])
def test_rules_out_of_range_are_refused(rules):
    with pytest.raises(ValueError, match="Expected"):
        jn.sessions.Rules(**rules)
