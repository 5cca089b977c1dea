"""Exhaustive search: the rows in their order."""

import numpy as np
import pytest
from helpers.samples import SPACES, random_bench, rows_of

import jaxnas as jn


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed"])
def test_exhaustive_search_goes_through_the_rows(space_name):
    space = SPACES[space_name]
    trials = jn.run(jn.exhaustive_search(space), random_bench(space_name), num_trials=130, num_runs=2)
    expected = np.arange(130) % space.num_architectures
    np.testing.assert_array_equal(rows_of(trials.query.arch, space), np.stack([expected, expected]))
