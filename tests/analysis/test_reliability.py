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


def test_seed_correlation_is_the_mean_over_pairs():
    simulated = scores(50, 3, 1.0)
    pairs = [
        spearmanr(simulated[:, first], simulated[:, second]).statistic for first, second in ((0, 1), (0, 2), (1, 2))
    ]
    assert reliability.seed_correlation(simulated) == pytest.approx(np.mean(pairs))


def test_the_top_half_is_not_chosen_by_the_scores_that_are_correlated():
    # Without architectures that differ, chosen by the same scores the top half would correlate negatively.
    simulated = np.random.default_rng(1).normal(0, 1, (4000, 3))
    assert abs(reliability.seed_correlation(simulated, 0.5)) < 0.06


def test_epoch_correlations_rise_with_the_signal():
    truth = np.random.default_rng(2).normal(0, 1, (400, 1, 1))
    noise = np.random.default_rng(3).normal(0, 1, (400, 3, 4)) * np.asarray([8.0, 2.0, 0.5, 0.1])
    found = reliability.epoch_correlations(truth + noise)
    assert (np.diff(found) > 0).all()
    assert found[-1] > 0.98
    assert (reliability.epoch_correlations(truth + noise, 0.5) < found)[1:].all()


def test_rank_correlation_takes_ties_and_constants():
    first, second = np.asarray([1.0, 1, 2, 3, 3]), np.asarray([2.0, 1, 2, 5, 4])
    assert reliability.rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert reliability.rank_correlation(first, np.ones(5)) == 0
