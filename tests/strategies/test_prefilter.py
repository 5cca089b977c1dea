"""Prefilters: of several draws the best by a function is asked; NaN is never chosen while there is a number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import GRID, asked, told

import jaxnas as jn


def total(arch):
    return arch.sum().astype(jnp.float32)


def only_even(arch):
    return jnp.where(arch[0] % 2 == 0, 0.0, jnp.nan)


def test_random_search_asks_the_best_of_its_draws():
    strategy = jn.random_search(GRID, prefilter=total, pool_size=8)
    found = asked(strategy, strategy.init(jax.random.key(0), 10), 0, 500).sum(1)
    pools = np.random.default_rng(0).integers(0, 4, (20_000, 8, 4)).sum(2).max(1)
    assert found.mean() == pytest.approx(pools.mean(), abs=5 * pools.std() / 500**0.5)
    assert dict(strategy.hyperparameters)["pool_size"] == 8
    alone = jn.random_search(GRID, prefilter=total, pool_size=1)
    assert asked(alone, None, 0, 500).sum(1).mean() == pytest.approx(6, abs=0.6)


def test_evolution_filters_mutants_and_not_a_number_loses():
    archs = np.tile(np.asarray([[2, 1, 1, 1]]), (4, 1))
    strategy = jn.regularized_evolution(GRID, population_size=4, sample_size=2, prefilter=only_even, pool_size=32)
    state = told(strategy, archs, np.arange(4.0))
    children = asked(strategy, state, 4, 200)
    assert ((children != archs[0]).sum(1) == 1).all()
    assert (children[:, 0] % 2 == 0).all()


def test_wrong_prefilters_are_refused():
    with pytest.raises(ValueError, match=r"^Expected prefilter to be a function, got 'nwot'"):
        jn.random_search(GRID, prefilter="nwot")
    with pytest.raises(ValueError, match=r"^Expected replacement with a prefilter"):
        jn.random_search(GRID, replacement=False, prefilter=total)
    with pytest.raises(ValueError, match=r"^Expected pool_size to be an int of at least 1"):
        jn.regularized_evolution(GRID, prefilter=total, pool_size=0)
