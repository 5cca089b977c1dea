"""Reliability of scores: estimates come out where the truth is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from jaxnas.analysis import reliability


def scores(num_architectures: int, num_seeds: int, noise: float, seed: int = 0) -> np.ndarray:
    """Returns scores of architectures with standard deviation 1 and seeds with standard deviation `noise`."""
    random = np.random.default_rng(seed)
    return random.normal(0, 1, (num_architectures, 1)) + random.normal(0, noise, (num_architectures, num_seeds))


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_variances_and_reliability_are_those_of_the_simulation(noise):
    simulated = scores(5000, 4, noise)
    between, within = reliability.variance_components(simulated)
    assert abs(between - 1) < 0.15
    assert abs(within / noise**2 - 1) < 0.1
    assert abs(reliability.reliability(simulated) - 1 / (1 + noise**2)) < 0.03
    assert abs(reliability.reliability(simulated, 5) - 1 / (1 + noise**2 / 5)) < 0.03


def test_architectures_that_do_not_differ_have_no_reliability():
    simulated = np.random.default_rng(0).normal(0, 1, (5000, 3))
    assert reliability.reliability(simulated) < 0.03
    assert reliability.reliability(np.ones((10, 3))) == 0


def test_rank_correlation_takes_ties_and_constants():
    first, second = np.asarray([1.0, 1, 2, 3, 3]), np.asarray([2.0, 1, 2, 5, 4])
    assert reliability.rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert reliability.rank_correlation(first, np.ones(5)) == 0


def test_spearman_is_of_what_both_have_and_none_where_a_side_is_constant():
    first, second = np.random.RandomState(3).rand(2, 64)
    second[:9] = 0.5
    first[60:] = np.nan
    assert reliability.spearman(first, second) == pytest.approx(spearmanr(first[:60], second[:60]).statistic)
    assert reliability.spearman(first, np.ones(64)) is None
    assert reliability.spearman(first[:1], second[:1]) is None
