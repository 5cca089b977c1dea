"""How well validation chooses by test: floors and rank correlations against slow versions."""

import numpy as np
import pytest
from helpers.samples import MIXED, make_bench
from scipy.stats import spearmanr

import jaxnas as jn
from jaxnas.analysis.optima import optimum
from jaxnas.analysis.selection import selection
from jaxnas.tables.selection import selection_text, top_ranking

SCORES = np.random.default_rng(0).uniform(0.5, 0.9, (2, MIXED.num_architectures, 3, 1)).astype(np.float32)


def test_the_floor_leaves_the_luck_of_runs_out():
    bench = make_bench(MIXED, *SCORES)
    validation, test = SCORES[..., -1].astype(float)
    best = optimum(bench)
    chosen = [test[np.delete(validation, run, axis=1).mean(1).argmax(), run] for run in range(3)]
    found = selection(bench, best)
    assert found.best_validation == pytest.approx(validation.mean(1).max(), rel=1e-6)
    assert found.floor == pytest.approx(best.value - np.mean(chosen), abs=1e-6)
    plain = selection(bench, optimum(bench, optimum_from="maximum"))
    assert plain.floor == pytest.approx(test.mean(1).max() - test.mean(1)[validation.mean(1).argmax()], abs=1e-6)


def test_failed_runs_do_not_enter_the_floor():
    scores = SCORES.copy()
    scores[:, ::4, 1] = np.nan
    scores[:, 5] = np.nan
    bench = make_bench(MIXED, *scores)
    rows = np.arange(MIXED.num_architectures)[:, None]
    found = selection(bench, optimum(bench, optimum_from="maximum"))
    validation, test = bench.validation_scores(rows), bench.held_out.scores(rows)
    assert found.best_validation == pytest.approx(np.nanmax(validation))
    assert found.floor == pytest.approx(np.nanmax(test) - test[np.nanargmax(validation)], abs=1e-6)
    assert np.isfinite(selection(bench, optimum(bench)).floor)


def test_the_top_is_ranked_by_validation_within_itself():
    random = np.random.default_rng(1)
    validation, test = random.uniform(size=(2, 400))
    top = np.argsort(-validation)[:20]
    assert top_ranking(validation, test) == (pytest.approx(spearmanr(validation[top], test[top]).statistic), 20)
    assert top_ranking(validation[:100], test[:100]) == (None, 5)
    assert top_ranking(validation, np.ones(400)) == (None, 20)


def test_a_card_says_how_validation_chooses():
    space = jn.SearchSpace("s", tuple(jn.Decision(name, tuple(range(16))) for name in "ab"))
    random = np.random.default_rng(0)
    validation, test = random.uniform(0.1, 0.9, (2, 256, 1, 1))
    table = jn.Table.from_arrays(space, "task", validation, test, [1])
    loss = 100 * (test.max() - test[validation.argmax(), 0, 0])
    text = selection_text(table)
    assert text.startswith(f"The class of the best mean validation is {loss:.2f} percentage points below")
    assert "(13 classes)" in text
    assert selection_text(make_bench(MIXED, *SCORES).table) == ""
