"""REINFORCE: steps of Adam on the score above its moving average."""

import jax
import jax.numpy as jnp
import numpy as np
from helpers.samples import MIXED, told
from scipy.stats import chisquare

import jaxnas as jn


def test_reinforce_starts_uniform_and_concentrates_on_the_best_arm():
    space = jn.SearchSpace("arms", (jn.Decision("arm", range(7)),))
    scores = jnp.array([0.1, 0.2, 0.5, 0.3, 0.9, 0.4, 0.0])
    bench = jn.benchmarks.FunctionBenchmark(space, lambda arch: scores[arch[0]])
    strategy = jn.reinforce(space, learning_rate=0.05)
    arms = jn.run(strategy, bench, num_trials=500, num_runs=200).query.arch[..., 0]
    assert chisquare(np.bincount(arms[:, 0], minlength=7)).pvalue > 1e-3
    assert (arms[:, -100:] == 4).mean() > 0.9


def test_a_step_of_reinforce_is_adam_on_the_score_above_the_moving_average():
    strategy = jn.reinforce(MIXED, learning_rate=0.1, baseline_decay=0.75)
    first = told(strategy, [[0, 1, 0]], [0.5])
    assert first.baseline == 0.5
    np.testing.assert_array_equal(first.logits, [[0, 0, -np.inf], [0, 0, 0], [0, 0, -np.inf]])  # no advantage yet
    for score, sign in ((0.9, 1), (0.1, -1)):
        second = told(strategy, [[0, 1, 0], [1, 2, 0]], [0.5, score])
        np.testing.assert_allclose(second.baseline, 0.75 * 0.5 + 0.25 * score, rtol=1e-6)
        moved = np.array([[-1, 1, 0], [-1, -1, 1], [1, -1, 0]]) * sign
        np.testing.assert_array_equal(np.sign(np.nan_to_num(second.logits, neginf=0)), moved)
        assert not np.isnan(second.logits).any()


def test_reinforce_is_unmoved_by_failed_trials():
    strategy = jn.reinforce(MIXED)
    archs, scores = [[0, 1, 0], [1, 2, 0], [1, 0, 1]], [0.5, 0.9, 0.4]
    state = told(strategy, archs, scores)
    failed = told(strategy, [[1, 1, 1], archs[0], [0, 0, 0], *archs[1:]], [np.nan, scores[0], np.nan, *scores[1:]])
    jax.tree.map(np.testing.assert_array_equal, state, failed)
