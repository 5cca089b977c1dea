"""The Gaussian process: an exact posterior, fresh candidates, the largest expected improvement, nothing asked twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL, random_bench, smooth_bench
from scipy.stats import norm, rankdata

import jaxnas as jn
from jaxnas.strategies import gaussian_process

HUGE = jn.SearchSpace("huge", tuple(jn.Decision(f"gene{number}", range(7)) for number in range(28)))


def told(strategy: jn.Strategy, scores, key=0):
    """Returns the state after it asked and was told the scores, and what it asked."""
    state, archs = jax.jit(strategy.init, static_argnums=1)(jax.random.key(key), len(scores) + 1), []
    advance, ask, tell = jax.jit(strategy.advance), jax.jit(strategy.ask), jax.jit(strategy.tell)
    for t, score in enumerate(scores):
        state = advance(state, t, jax.random.key(t))
        query = ask(state, t, jax.random.key(t))
        state = tell(state, t, query, jn.simulation.Observation(jnp.float32(score), 1, 0))
        archs.append(np.asarray(query.arch))
    return state, np.stack(archs)


def quantiles(scores) -> np.ndarray:
    ranks = rankdata(np.where(np.isnan(scores), -np.inf, scores))
    return norm.ppf((ranks - 0.5) / len(scores))


def kernel(one: np.ndarray, other: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-(one[:, None] != other).mean(-1) / length)


def solved(archs, scores, at, length: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation at architectures by a direct solve in float64."""
    targets = quantiles(scores)
    covariance = kernel(archs, archs, length) + noise * np.eye(len(archs))
    solves = np.linalg.solve(covariance, np.c_[targets, kernel(archs, at, length)])
    variance = 1 - (kernel(archs, at, length) * solves[:, 1:]).sum(0)
    return kernel(at, archs, length) @ solves[:, 0], np.sqrt(targets @ solves[:, 0] / len(archs) * variance)


def choices_of(archs: np.ndarray) -> np.ndarray:
    """Returns architectures of nb201 as choices, also where they are rows."""
    return np.stack(np.unravel_index(archs[:, 0], [5] * 6), -1) if archs.shape[1] == 1 else archs


@pytest.mark.parametrize(
    ("space", "length", "noise"),
    [
        (jn.NB201, 0.6, 0.1),
        (jn.NB201.enumerated(), 3, 0.03),
        pytest.param(HUGE, 0.1, 0.1, marks=pytest.mark.nightly),
        (jn.NB201, None, None),
    ],
    ids=["plain", "rows", "huge", "fitted"],
)
def test_the_posterior_is_that_of_a_direct_solve(space, length, noise):
    strategy = jn.gaussian_process(space, num_startup=5, num_candidates=50, length=length, noise=noise)
    scores = (500 + np.random.RandomState(1).randn(40)).astype(np.float32)
    scores[[3, 20, 21]] = np.nan
    state, archs = told(strategy, scores)
    at = jax.vmap(space.sample)(jax.random.split(jax.random.key(9), 40))
    mean, deviation = gaussian_process.posterior(state, space, 40, at)
    behind = choices_of(archs), choices_of(np.asarray(at))
    expected = solved(behind[0], scores, behind[1], float(state.length), float(state.noise))
    np.testing.assert_allclose(mean, expected[0], atol=2e-3)
    np.testing.assert_allclose(deviation, expected[1], atol=2e-3)


def test_targets_are_normal_quantiles_of_ranks():
    scores = np.array([0.3, 0.3, 0.9, -np.inf, 0.1, 5.0, 7.0], np.float32)
    np.testing.assert_allclose(
        gaussian_process.normal_scores(jnp.asarray(scores), 5), [*quantiles(scores[:5]), 0, 0], atol=1e-5
    )
    assert (gaussian_process.normal_scores(jnp.full(4, -jnp.inf), 3) == 0).all()


def test_length_and_noise_are_the_most_likely_of_the_grid():
    """They are chosen after 10, 20 and 40 trials; in between they stay."""
    bench, space = random_bench("nb201"), jn.NB201
    strategy = jn.gaussian_process(space, num_candidates=20)
    scores = np.asarray(bench.held_out.scores(np.arange(41)[:, None]), np.float32)
    last, asked = told(strategy, scores)
    for fitted_on in (10, 20, 40):
        unfitted = last._replace(scores=jnp.where(jnp.arange(42) < fitted_on, last.scores, -jnp.inf))
        state = jax.jit(strategy.advance)(unfitted, fitted_on, jax.random.key(0))
        later = jax.jit(strategy.advance)(state._replace(length=jnp.float32(7)), fitted_on + 3, jax.random.key(0))
        assert later.length == 7
        targets, archs = quantiles(scores[:fitted_on]), asked[:fitted_on]

        def misfit(pair, targets=targets, archs=archs):
            covariance = kernel(archs, archs, pair[0]) + pair[1] * np.eye(len(archs))
            square = targets @ np.linalg.solve(covariance, targets)
            return len(archs) * np.log(square) + np.linalg.slogdet(covariance)[1]

        grid = [(length, noise) for length in gaussian_process.LENGTHS for noise in gaussian_process.NOISES]
        assert (float(state.length), float(state.noise)) == pytest.approx(min(grid, key=misfit))


def test_the_inverse_is_that_of_the_covariance():
    archs = np.random.RandomState(0).randint(0, 5, (60, 6))
    inverse, logarithm = gaussian_process.inverse_of(
        gaussian_process.differences(jnp.asarray(archs), jnp.asarray(archs)), jnp.float32(0.4), jnp.float32(0.03)
    )
    covariance = kernel(archs, archs, 0.4) + 0.03 * np.eye(60)
    np.testing.assert_allclose(inverse @ covariance, np.eye(60), atol=1e-3)
    assert float(logarithm) == pytest.approx(np.linalg.slogdet(covariance)[1], rel=1e-4)


@pytest.mark.parametrize("t", [0, 1, 5, 6, 7, 13])
def test_products_over_the_trials_so_far_are_those_over_all(t):
    random = np.random.default_rng(0)
    told = np.arange(13) < t
    inverse = random.normal(size=(13, 13)) * told[:, None] * told
    kernels = random.uniform(size=(13, 4)) * told[:, None]
    found = gaussian_process.explained_variances(jnp.asarray(inverse), jnp.asarray(kernels), jnp.int32(t))
    np.testing.assert_allclose(found, (kernels * (inverse @ kernels)).sum(0), rtol=1e-5, atol=1e-6)


def test_nothing_that_may_wait_for_ever_is_called():
    """Batched routines of LAPACK wait for one another in XLA's thread pool."""
    strategy = jn.gaussian_process(SMALL)
    state = strategy.init(jax.random.key(0), 30)
    for function in (strategy.ask, strategy.advance):
        assert "lapack" not in jax.jit(function).lower(state, 20, jax.random.key(0)).as_text()


def test_the_largest_expected_improvement_over_the_best_posterior_mean_is_asked():
    strategy = jn.gaussian_process(SMALL, num_candidates=125, num_startup=5, length=0.3, noise=0.2)
    scores = np.random.RandomState(2).randn(30).astype(np.float32)
    state, archs = told(strategy, scores)
    everything = np.indices((5, 5, 5)).reshape(3, -1).T
    mean, deviation = solved(archs, scores, everything, float(state.length), float(state.noise))
    best = solved(archs, scores, archs, float(state.length), float(state.noise))[0].max()
    z = (mean - best) / deviation
    improvement = (mean - best) * norm.cdf(z) + deviation * norm.pdf(z)
    improvement[(everything[:, None] == archs).all(-1).any(1)] = -1
    asked = np.asarray(strategy.ask(state, 30, jax.random.key(0)).arch)
    index = int(np.flatnonzero((everything == asked).all(1))[0])
    assert improvement[index] >= improvement.max() * (1 - 1e-2)


def test_expected_improvement_is_the_integral():
    means, deviations = np.array([-1.0, -0.2, 0.0, 0.5, -3.0]), np.array([1.0, 0.1, 2.0, 0.01, 0.5])
    z = means / deviations
    expected = means * norm.cdf(z) + deviations * norm.pdf(z)
    found = gaussian_process.expected_improvement(jnp.float32(means), jnp.float32(deviations))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-12)


def test_candidates_are_new_each_time_and_half_of_them_near_the_best():
    strategy = jn.gaussian_process(HUGE, num_candidates=60, num_startup=25)
    state, archs = told(strategy, np.linspace(0, 1, 25).astype(np.float32))
    one, other = (np.asarray(gaussian_process.candidates_for(jax.random.key(key), HUGE, state, 60)) for key in range(2))
    assert not (one[:, None] == other).all(-1).any()
    distances = (one[:, None] != archs[-10:]).sum(-1).min(1)  # of 28 decisions, from the ten best
    assert (distances[:30] <= 2).all()
    assert (distances[:30] >= 1).all()
    assert (distances[30:] > 5).all()
    everything = gaussian_process.candidates_for(jax.random.key(0), SMALL, state, 125)
    assert len(np.unique(everything, axis=0)) == 125


@pytest.mark.parametrize("num_candidates", [40, 125, 1000])
def test_none_is_asked_twice_while_a_candidate_was_not(num_candidates):
    strategy = jn.gaussian_process(SMALL, num_candidates=num_candidates, num_startup=1, length=0.4, noise=0.1)
    trials = jn.run(strategy, smooth_bench(SMALL, failed=0.3), num_trials=130, num_runs=2)
    size = 60 if num_candidates < 125 else 125
    for archs in trials.query.arch:
        assert len(np.unique(archs[:size], axis=0)) == size


def test_a_run_whose_trials_all_failed_goes_on_with_draws():
    strategy = jn.gaussian_process(jn.NB201, num_startup=3, length=0.4, noise=0.1)
    _, archs = told(strategy, [np.nan] * 20)
    assert len(np.unique(archs, axis=0)) == 20


@pytest.mark.nightly
def test_hyperparameters_have_an_effect():
    bench, kernel = smooth_bench(SMALL), {"length": 0.4, "noise": 0.1}
    changes = ({}, {"num_candidates": 20}, {"num_startup": 15}, {"length": 0.05}, {"noise": 5.0})
    runs = [
        jn.run(jn.gaussian_process(SMALL, **{**kernel, **change}), bench, num_trials=40, num_runs=2).query.arch
        for change in changes
    ]
    assert len({archs.tobytes() for archs in runs}) == len(changes)
    np.testing.assert_array_equal(runs[0][:, :10], runs[2][:, :10])


@pytest.mark.parametrize("name", ["length", "noise"])
@pytest.mark.parametrize("value", [0, -1, np.inf, "wide"])
def test_wrong_kernels_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"^Expected {name} to be a number above 0, got"):
        jn.gaussian_process(SMALL, **{name: value})
