"""Predictor-guided search: any regressor chooses among candidates, in a Python loop."""

import functools
import typing

import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, smooth_bench

import jaxnas as jn
from jaxnas.spaces import encodings
from jaxnas.spaces.cells import encodings as cell_encodings


class Oracle:
    """A regressor that knows the best features, and keeps what it was fitted to."""

    fits: typing.ClassVar = []

    def fit(self, features, scores):
        Oracle.fits.append((features, scores))
        return self

    def predict(self, features):
        return features @ np.arange(features.shape[1])


@pytest.mark.parametrize("encoding", [None, cell_encodings.path(SMALL)], ids=["one_hot", "path"])
def test_the_best_predicted_new_candidates_are_asked_and_only_successes_are_fitted(encoding):
    Oracle.fits.clear()
    bench = smooth_bench(SMALL, 0.3)
    strategy = jn.predictor_guided(
        SMALL, regressor_factory=Oracle, num_startup=10, num_candidates=300, refit_every=5, encoding=encoding
    )
    trials = jn.run(strategy, bench, num_trials=22, num_runs=1)
    archs, scores = trials.query.arch[0], trials.observation.score[0]
    assert [len(told) for _, told in Oracle.fits] == [np.isfinite(scores[:t]).sum() for t in (10, 15, 20)]
    encode = encoding or encodings.one_hot(SMALL)
    for (features, told), t in zip(Oracle.fits, (10, 15, 20), strict=True):
        succeeded = np.isfinite(scores[:t])
        np.testing.assert_array_equal(told, scores[:t][succeeded])
        np.testing.assert_array_equal(features, [encode(arch) for arch in archs[:t][succeeded]])
    assert len(np.unique(archs[10:], axis=0)) == 12
    predictions = Oracle().predict(np.stack([encode(arch) for arch in archs]))
    assert (np.diff(predictions[10:15]) <= 0).all()
    assert predictions[10:15].min() > predictions[:10].mean()


def test_runs_repeat_and_differ_by_number():
    strategy = jn.predictor_guided(MIXED, num_startup=4, refit_every=4, num_candidates=20)
    bench = smooth_bench(MIXED)
    one, two = (jn.run(strategy, bench, num_trials=12, num_runs=2) for _ in range(2))
    np.testing.assert_array_equal(one.query.arch, two.query.arch)
    assert not np.array_equal(one.query.arch[0], one.query.arch[1])


class Seeded(Oracle):
    """A regressor with a random state, as scikit-learn's have it, that notes the states it is fitted with."""

    states: typing.ClassVar = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def get_params(self):
        return {"random_state": self.random_state}

    def set_params(self, random_state):
        self.random_state = random_state
        return self

    def fit(self, features, scores):
        Seeded.states.append(self.random_state)
        return self


@pytest.mark.parametrize("given", [None, 3])
def test_a_given_random_state_is_kept_and_one_of_none_is_set(given):
    Seeded.states.clear()
    strategy = jn.predictor_guided(
        MIXED, regressor_factory=functools.partial(Seeded, given), num_startup=4, refit_every=4, num_candidates=20
    )
    jn.run(strategy, smooth_bench(MIXED), num_trials=12, num_runs=2)
    if given is None:
        assert len(set(Seeded.states)) == len(Seeded.states) == 4  # two refits in each of two runs
        assert all(isinstance(state, int) for state in Seeded.states)
    else:
        assert Seeded.states == [3] * 4


def test_fewer_candidates_than_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"^Expected num_candidates to be an int of at least 10, got 9"):
        jn.predictor_guided(SMALL, num_candidates=9)
