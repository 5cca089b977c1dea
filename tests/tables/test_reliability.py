"""Reliability of scores: estimates come out where the truth is known."""

import numpy as np
import pytest
from helpers.samples import SMALL, make_bench

from jaxnas.tables import reliability


def scores(num_architectures: int, num_seeds: int, spread: float, seed: int = 0) -> np.ndarray:
    """Returns scores of architectures with standard deviation 1 and seeds with standard deviation `spread`."""
    random = np.random.default_rng(seed)
    return random.normal(0, 1, (num_architectures, 1)) + random.normal(0, spread, (num_architectures, num_seeds))


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_variances_and_reliability_are_those_of_the_simulation(spread):
    simulated = scores(5000, 4, spread)
    between, within = reliability.variance_components(simulated)
    assert abs(between - 1) < 0.15
    assert abs(within / spread**2 - 1) < 0.1
    assert abs(reliability.reliability(simulated) - 1 / (1 + spread**2)) < 0.03
    assert abs(reliability.reliability(simulated, 5) - 1 / (1 + spread**2 / 5)) < 0.03


def test_architectures_that_do_not_differ_have_no_reliability():
    simulated = np.random.default_rng(0).normal(0, 1, (5000, 3))
    assert reliability.reliability(simulated) < 0.03
    assert reliability.reliability(np.ones((10, 3))) == 0


def test_the_reliability_among_the_best_is_that_of_new_seeds():
    """The truth: the best by half of the seeds, and the correlation of two further sets of seeds there, squared."""
    simulated = scores(4000, 4, 1.0)
    found = reliability.top_reliability(simulated)
    assert 0.4 < found < 0.7  # among all it is 0.8
    fresh = np.random.default_rng(1).normal(0, 1, (4000, 2, 4)).mean(2)
    truth = scores(4000, 4, 0.0)[:, :1]
    top = np.argsort(-simulated[:, :2].mean(1))[:200]
    assert found == pytest.approx(np.corrcoef((truth + fresh)[top].T)[0, 1], abs=0.1)
    assert reliability.top_reliability(simulated[:, :2]) is None


def test_a_card_states_both_and_a_table_of_two_runs_neither():
    random = np.random.default_rng(0)
    simulated = 0.5 + random.normal(0, 0.05, (125, 1, 1)) + random.normal(0, 0.05, (125, 3, 1))
    simulated[0, 0] = np.nan
    among_all, among_best = reliability.reliability_of_means(make_bench(SMALL, simulated, simulated, (1,)).table)
    assert among_all == pytest.approx(reliability.reliability(simulated[1:, :, 0], 3), abs=1e-6)
    assert among_best == pytest.approx(reliability.top_reliability(simulated[1:, :, 0]), abs=1e-6)
    assert reliability.reliability_of_means(make_bench(SMALL, simulated[:, :2], simulated[:, :2], (1,)).table) is None
