"""The Gaussian process: an exact posterior, the largest expected improvement, and no architecture asked twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import SMALL, smooth_bench
from scipy.stats import chisquare, norm

import jaxnas as jn
from jaxnas.strategies import gaussian_process

HUGE = jn.SearchSpace("huge", tuple(jn.Decision(f"gene{number}", range(7)) for number in range(28)))


def told(strategy: jn.Strategy, scores, key=0):
    """Returns the state after it asked and was told the scores, and what it asked."""
    state, archs = jax.jit(strategy.init, static_argnums=1)(jax.random.key(key), len(scores)), []
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    for t, score in enumerate(scores):
        query = ask(state, t, jax.random.key(t))
        state = tell(state, t, query, jn.Observation(jnp.float32(score), 1, 0))
        archs.append(np.asarray(query.arch))
    return state, np.stack(archs)


def solved(archs, scores, pool, length: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and variance over the pool by a direct solve in float64."""
    archs, scores = archs[np.isfinite(scores)], scores[np.isfinite(scores)]
    kernel = lambda one, other: np.exp(-(one[:, None] != other).mean(-1) / length)  # noqa: E731
    covariance = kernel(archs, archs) + noise * np.eye(len(archs))
    solves = np.linalg.solve(covariance, np.c_[scores - scores.mean(), kernel(archs, pool)])
    mean = scores.mean() + kernel(pool, archs) @ solves[:, 0]
    variance = 1 - (kernel(archs, pool) * solves[:, 1:]).sum(0)
    return mean, scores.var() * variance


@pytest.mark.parametrize(
    ("space", "length", "noise", "offset"),
    [
        (jn.NB201, 0.6, 0.1, 0),
        (jn.NB201.enumerated(), 3, 0.01, 0),
        (HUGE, 0.1, 0.1, 500),
        (jn.NB201, 0.6, 0.001, 0),
    ],
    ids=["plain", "rows", "huge", "noiseless"],
)
def test_the_posterior_is_that_of_a_direct_solve(space, length, noise, offset):
    strategy = gaussian_process.gaussian_process(space, pool_size=150, num_startup=5, length=length, noise=noise)
    scores = (offset + np.random.RandomState(1).randn(70)).astype(np.float32)
    scores[[3, 40]] = np.nan
    state, archs = told(strategy, scores)
    pool = np.asarray(state.archs)
    if archs.shape[1] == 1:
        archs, pool = (np.stack(np.unravel_index(rows[:, 0], [5] * 6), -1) for rows in (archs, pool))
    expected_mean, expected_variance = solved(archs, scores.astype(np.float64), pool, length, noise)
    mean, variance = gaussian_process.posterior_of(state)
    np.testing.assert_allclose(mean, expected_mean, atol=3e-3 if noise < 0.01 else 3e-4)
    np.testing.assert_allclose(variance, expected_variance, atol=1e-4)


def test_failed_trials_are_no_observations():
    strategy = gaussian_process.gaussian_process(SMALL, pool_size=60)
    state, _ = told(strategy, [np.nan] * 12)
    np.testing.assert_array_equal(state.posterior.variance, 1)
    assert np.isnan(gaussian_process.posterior_of(state)[0]).all()
    assert state.asked.sum() == 12
    state, archs = told(strategy, [*[np.nan] * 12, 0.5])  # its startup is over: the first success decides
    assert len(np.unique(archs, axis=0)) == 13
    assert state.posterior.num_scores == 1
    np.testing.assert_allclose(gaussian_process.posterior_of(state)[0], 0.5)


def test_the_largest_expected_improvement_is_asked():
    strategy = gaussian_process.gaussian_process(jn.NB201, pool_size=100, num_startup=5)
    scores = np.random.RandomState(2).randn(30).astype(np.float32)
    state, _ = told(strategy, scores)
    mean, variance = (np.asarray(values, np.float64) for values in gaussian_process.posterior_of(state))
    deviation = np.sqrt(variance)
    z = (mean - scores.max()) / deviation
    improvement = (mean - scores.max()) * norm.cdf(z) + deviation * norm.pdf(z)
    improvement[np.asarray(state.asked)] = -1
    asked = np.asarray(strategy.ask(state, 30, jax.random.key(0)).arch)
    index = int(np.flatnonzero((np.asarray(state.archs) == asked).all(1))[0])
    assert improvement[index] >= improvement.max() * (1 - 1e-4)


def test_expected_improvement_is_the_integral():
    means, deviations = np.array([-1.0, -0.2, 0.0, 0.5, -3.0]), np.array([1.0, 0.1, 2.0, 0.01, 0.5])
    z = means / deviations
    expected = means * norm.cdf(z) + deviations * norm.pdf(z)
    found = gaussian_process.expected_improvement(jnp.float32(means), jnp.float32(deviations))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("pool_size", [40, 125, 1000])
def test_none_is_asked_twice_until_the_pool_is_used_up(pool_size):
    strategy = gaussian_process.gaussian_process(SMALL, pool_size=pool_size)
    trials = jn.run(strategy, smooth_bench(SMALL, failed=0.3), num_trials=140, num_runs=3)
    size = min(pool_size, 125)
    for archs in trials.query.arch:
        assert len(np.unique(archs[:size], axis=0)) == size
        assert len(np.unique(archs, axis=0)) == size


def test_the_pool_is_uniform_and_differs_between_runs():
    for size in (5, 40, 200):
        draw = jax.jit(jax.vmap(lambda key, size=size: gaussian_process.draw_pool(key, SMALL, size)))
        pools = np.asarray(draw(jax.random.split(jax.random.key(0), 600)))
        assert pools.shape == (600, min(size, 125), 3)
        rows = np.ravel_multi_index(np.moveaxis(pools, -1, 0), [5] * 3)
        assert all(len(set(pool)) == len(pool) for pool in rows.tolist())
        for slot in (0, rows.shape[1] - 1):
            assert chisquare(np.bincount(rows[:, slot], minlength=125)).pvalue > 1e-3


def test_a_pool_of_a_huge_space_is_of_its_architectures():
    pool = np.asarray(gaussian_process.draw_pool(jax.random.key(0), HUGE, 300))
    assert pool.shape == (300, 28)
    assert len(np.unique(pool, axis=0)) == 300
    assert set(pool.ravel()) == set(range(7))


def test_hyperparameters_have_an_effect():
    bench = smooth_bench()
    changes = ({}, {"pool_size": 300}, {"num_startup": 30}, {"length": 0.1}, {"noise": 2.0})
    runs = [
        jn.run(jn.gaussian_process(bench.space, **change), bench, num_trials=40, num_runs=2).query.arch
        for change in changes
    ]
    assert len({archs.tobytes() for archs in runs}) == len(changes)
    np.testing.assert_array_equal(runs[0][:, :10], runs[2][:, :10])  # the same pool


@pytest.mark.parametrize("name", ["length", "noise"])
@pytest.mark.parametrize("value", [0, -1, np.inf, "wide"])
def test_wrong_kernels_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"^Expected {name} to be a number above 0, got"):
        jn.gaussian_process(SMALL, **{name: value})
