"""Reward-weighted sampling: parents in proportion to their score."""

import jax
import numpy as np
import pytest
from helpers.samples import SMALL, asked, told
from scipy.stats import chisquare

import jaxnas as jn

ROOTS = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]])
"""Architectures of SMALL; a mutation keeps two decisions, which show the parent."""


def parents(strategy, scores) -> np.ndarray:
    """Returns how often each root is the parent of 4,000 mutations, after it was told their scores in turn."""
    state = told(strategy, ROOTS[: len(scores)], scores, num_trials=40)
    children = asked(strategy, state, len(scores), 4000)
    assert ((children[:, None] == ROOTS).sum(-1).max(1) == 2).all()
    return np.bincount(np.median(children, axis=1).astype(int), minlength=5)


def test_parents_are_drawn_in_proportion_to_their_score_above_the_lowest():
    counts = parents(jn.reward_weighted_sampling(SMALL, num_initial=2), [0.5, 0.4, 0.8, np.nan, 0.45])
    np.testing.assert_array_equal(counts[[1, 3]], 0)  # the lowest and the failed one
    assert chisquare(counts[[0, 2, 4]], 4000 * np.array([10, 40, 5]) / 55).pvalue > 1e-3


def test_draws_among_many_trials_follow_the_weights():
    """Trials are drawn by blocks; some blocks have no weight at all."""
    space = jn.SearchSpace("wide", tuple(jn.Decision(name, range(96)) for name in "abc"))
    weights = np.random.RandomState(0).uniform(size=96).round(3) * (np.arange(96) % 3 > 0)
    weights[16:48] = 0
    strategy = jn.reward_weighted_sampling(space, num_initial=1)
    state = told(strategy, np.repeat(np.arange(96)[:, None], 3, axis=1), weights)
    children = asked(strategy, state, 96, 100_000)
    counts = np.bincount(np.median(children, axis=1).astype(int), minlength=96)
    assert (counts[weights == 0] == 0).all()
    assert chisquare(counts[weights > 0], 100_000 * weights[weights > 0] / weights.sum()).pvalue > 1e-3


@pytest.mark.parametrize("scores", [[0.3, 0.3, 0.3], [np.nan, np.nan, np.nan], [0.3, np.nan, np.nan]])
def test_draws_are_uniform_where_no_architecture_has_a_weight(scores):
    strategy = jn.reward_weighted_sampling(SMALL, num_initial=1)
    rows = jax.vmap(SMALL.index)(asked(strategy, told(strategy, ROOTS[:3], scores), 3, 5000))
    assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3


def test_the_first_draws_are_uniform():
    strategy = jn.reward_weighted_sampling(SMALL, num_initial=4)
    rows = jax.vmap(SMALL.index)(asked(strategy, told(strategy, ROOTS[:3], [0.1, 0.2, 0.9]), 3, 5000))
    assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3
