"""Predictor-guided search: any regressor chooses among candidates, in a Python loop."""

import typing

import numpy as np
import pytest
from samples import MIXED, SMALL, smooth_bench

import jaxnas as jn
from jaxnas.spaces import encodings


class Oracle:
    """A regressor that knows the best features, and keeps what it was fitted to."""

    fits: typing.ClassVar = []

    def fit(self, features, scores):
        Oracle.fits.append((features, scores))
        return self

    def predict(self, features):
        return features @ np.arange(features.shape[1])


def linear():
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def test_the_best_predicted_new_candidates_are_asked_and_only_successes_are_fitted():
    Oracle.fits.clear()
    bench = smooth_bench(SMALL, 0.3)
    strategy = jn.predictor_guided(SMALL, regressor_factory=Oracle, num_startup=10, num_candidates=300, refit_every=5)
    trials = jn.run(strategy, bench, num_trials=22, num_runs=1)
    archs, scores = trials.query.arch[0], trials.observation.score[0]
    assert [len(told) for _, told in Oracle.fits] == [np.isfinite(scores[:t]).sum() for t in (10, 15, 20)]
    encode = encodings.one_hot(SMALL)
    for (features, told), t in zip(Oracle.fits, (10, 15, 20), strict=True):
        succeeded = np.isfinite(scores[:t])
        np.testing.assert_array_equal(told, scores[:t][succeeded])
        np.testing.assert_array_equal(features, [encode(arch) for arch in archs[:t][succeeded]])
    assert len(np.unique(archs[10:], axis=0)) == 12
    sums = archs.sum(1)  # what the oracle orders by, up to a constant
    assert (np.diff(sums[10:15]) <= 0).all()
    assert sums[10:15].mean() > 9.5 > sums[:10].mean()


def test_runs_repeat_and_differ_by_number():
    strategy = jn.predictor_guided(MIXED, num_startup=4, refit_every=4, num_candidates=20)
    bench = smooth_bench(MIXED)
    one, two = (jn.run(strategy, bench, num_trials=12, num_runs=2) for _ in range(2))
    np.testing.assert_array_equal(one.query.arch, two.query.arch)
    assert not np.array_equal(one.query.arch[0], one.query.arch[1])


def test_a_given_random_state_is_kept_and_one_of_none_is_set():
    from sklearn.ensemble import RandomForestRegressor

    from jaxnas.strategies.predictor_guided import _seeded

    assert _seeded(RandomForestRegressor(random_state=3), 7).random_state == 3
    assert _seeded(RandomForestRegressor(), 7).random_state == 7
    assert _seeded(linear(), 7).get_params()["fit_intercept"]
    assert isinstance(_seeded(Oracle(), 7), Oracle)


def test_fewer_candidates_than_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"^Expected num_candidates to be an int of at least 10, got 9"):
        jn.predictor_guided(SMALL, num_candidates=9)
