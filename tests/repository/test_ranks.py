"""Ranks with ties and rank correlations, beside those of SciPy."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from jaxnas.ranks import rank_correlation, spearman


def test_rank_correlation_takes_ties_and_constants():
    first, second = np.asarray([1.0, 1, 2, 3, 3]), np.asarray([2.0, 1, 2, 5, 4])
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, np.ones(5)) == 0


def test_spearman_is_of_what_both_have_and_none_where_a_side_is_constant():
    first, second = np.random.RandomState(3).rand(2, 64)
    second[:9] = 0.5
    first[60:] = np.nan
    assert spearman(first, second) == pytest.approx(spearmanr(first[:60], second[:60]).statistic)
    assert spearman(first, np.ones(64)) is None
    assert spearman(first[:1], second[:1]) is None
