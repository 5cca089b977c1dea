"""Random search: uniform draws, with or without replacement."""

import numpy as np
import pytest
from helpers.samples import SMALL, SPACES, random_bench, rows_of
from scipy.stats import chisquare

import jaxnas as jn


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed"])
def test_random_search_is_uniform_and_its_draws_are_independent(space_name):
    space, bench = SPACES[space_name], random_bench(space_name)
    trials = jn.run(jn.random_search(space), bench, num_trials=60, num_runs=1000)
    rows = rows_of(trials.query.arch, space)
    size = space.num_architectures
    assert chisquare(np.bincount(rows.ravel(), minlength=size)).pvalue > 1e-3
    pairs = rows[:, 0::2] * size + rows[:, 1::2]
    assert chisquare(np.bincount(pairs.ravel(), minlength=size**2)).pvalue > 1e-3


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed", "nb201"])
def test_random_search_without_replacement_is_a_random_order(space_name):
    space, bench = SPACES[space_name], random_bench(space_name)
    size = space.num_architectures
    strategy = jn.random_search(space, replacement=False)
    trials = jn.run(strategy, bench, num_trials=min(size, 500), num_runs=200)
    rows = rows_of(trials.query.arch, space)
    assert all(len(set(run.tolist())) == rows.shape[1] for run in rows)
    expected = 200 * np.bincount(np.arange(size) % 5) / size
    for place in (0, 7):
        assert chisquare(np.bincount(rows[:, place] % 5, minlength=5), expected).pvalue > 1e-3
    assert 70 < (rows[:, 0] < rows[:, 1]).sum() < 130


def test_an_exhausted_order_starts_again():
    trials = jn.run(jn.random_search(SMALL, replacement=False), random_bench("small"), num_trials=250, num_runs=2)
    rows = rows_of(trials.query.arch, SMALL)
    np.testing.assert_array_equal(rows[:, :125], rows[:, 125:])
