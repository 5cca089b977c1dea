"""The cross-entropy method: marginals of the elite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, asked, smooth_bench, told
from scipy.stats import chisquare

import jaxnas as jn


def test_marginals_are_the_frequencies_of_the_elite():
    strategy = jn.cross_entropy(MIXED, batch_size=4, elite_share=0.5, smoothing=1.0)
    state = told(strategy, [[0, 2, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1]], [0.3, 0.9, 0.1, 0.8])
    before = strategy.advance(state, 3, jax.random.key(0)).marginals
    np.testing.assert_allclose(before, [[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0]], rtol=1e-6)
    after = strategy.advance(state, 4, jax.random.key(0)).marginals  # the elite: [1, 0, 0] and [0, 1, 1]
    np.testing.assert_allclose(after, [[0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]], atol=1e-7)


def test_marginals_are_smoothed():
    strategy = jn.cross_entropy(MIXED, batch_size=2, elite_share=0.5, smoothing=0.6)
    state = told(strategy, [[0, 2, 1], [1, 0, 0]], [0.3, 0.9])
    marginals = strategy.advance(state, 2, jax.random.key(0)).marginals
    np.testing.assert_allclose(marginals, [[0.2, 0.8, 0], [11 / 15, 2 / 15, 2 / 15], [0.8, 0.2, 0]], rtol=1e-6)


def test_failed_trials_are_never_elite():
    strategy = jn.cross_entropy(MIXED, batch_size=3, elite_share=1.0, smoothing=1.0)
    state = told(strategy, [[0, 2, 1], [1, 0, 0], [0, 1, 1]], [np.nan, 0.1, np.nan])
    marginals = strategy.advance(state, 3, jax.random.key(0)).marginals
    np.testing.assert_array_equal(marginals, [[0, 1, 0], [1, 0, 0], [1, 0, 0]])
    lost = told(strategy, [[0, 2, 1], [1, 0, 0], [0, 1, 1]], [np.nan] * 3)
    np.testing.assert_array_equal(strategy.advance(lost, 3, jax.random.key(0)).marginals, lost.marginals)


def test_draws_follow_the_marginals():
    strategy = jn.cross_entropy(MIXED)
    marginals = jnp.array([[0.3, 0.7, 0], [0.2, 0, 0.8], [1, 0, 0]])
    state = strategy.init(jax.random.key(0), 10)._replace(marginals=marginals)
    archs = asked(strategy, state, 0, 20_000)
    assert (archs[:, 1] != 1).all()
    assert (archs[:, 2] == 0).all()
    pairs = np.bincount(archs[:, 0] * 2 + archs[:, 1] // 2, minlength=4)
    assert chisquare(pairs, 20_000 * np.outer([0.3, 0.7], [0.2, 0.8]).ravel()).pvalue > 1e-3


def test_the_refit_stays_a_branch_in_the_compiled_program():
    bench, keys = smooth_bench(MIXED), jax.vmap(lambda number: jn.simulation.run_key(0, number))(jnp.arange(3))

    def program(strategy):
        return str(
            jax.make_jaxpr(lambda keys: jn.simulation.simulate(strategy, bench, 30, keys).observation.score)(keys)
        )

    assert "cond[" in program(jn.cross_entropy(MIXED, batch_size=8))
    assert "cond[" not in program(jn.random_search(MIXED))


@pytest.mark.parametrize("argument", ["elite_share", "smoothing"])
@pytest.mark.parametrize("value", [0, -0.5, 1.5, None])
def test_cross_entropy_refuses_shares_outside_of_0_to_1(argument, value):
    with pytest.raises(ValueError, match=rf"^Expected {argument} to be a number above 0 and of at most 1, got {value}"):
        jn.cross_entropy(MIXED, **{argument: value})
