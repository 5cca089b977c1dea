"""The tree-structured Parzen estimator: against its formulas in NumPy, and against Optuna's in quality."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, all_archs, asked, smooth_bench
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas.strategies import tree_parzen_estimator

SIZES = np.array([2, 3, 2])
MIXED_ARCHS = all_archs(MIXED)
PRIOR_WEIGHTS = [1.0, 0.3]


def make_history(number: int, failed: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns architectures of MIXED and scores of few different values, so that there are ties; some failed."""
    random = np.random.RandomState(seed)
    archs, scores = random.randint(0, SIZES, (number, 3)), random.randint(0, max(number // 2, 1), number) / 100
    return archs, np.where(random.uniform(size=number) < failed, np.nan, scores)


@functools.partial(jax.jit, static_argnums=(0, 3))
def told(strategy: jn.Strategy, archs, scores, num_trials: int):
    """Returns the state after it was told the scores of architectures."""

    def step(state, trial):
        t, arch, score = trial
        return strategy.tell(state, t, jn.Query(arch), jn.simulation.Observation(score, 1.0, 0)), None

    trials = (jnp.arange(len(scores)), jnp.asarray(archs, jnp.int32), jnp.asarray(scores, jnp.float32))
    return jax.lax.scan(step, strategy.init(jax.random.key(0), num_trials), trials)[0]


def expected_weights(number: int) -> np.ndarray:
    """Returns the weights of trials, the oldest first: 25 of 1 after a ramp."""
    if number <= 25:
        return np.ones(number)
    return np.concatenate([np.linspace(1 / number, 1, number - 25), np.ones(25)])


def expected_parts(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of the good and of the other trials, each in the order of time."""
    scores = np.float32(scores)
    present = np.flatnonzero(~np.isnan(scores))
    number = min(math.ceil(0.1 * len(present)), 25)
    best = present[np.argsort(-scores[present], kind="stable")[:number]]
    return np.sort(best), np.setdiff1d(present, best)


def expected_densities(observed: np.ndarray, prior_weight: float) -> np.ndarray:
    """Returns the density of an estimator, in float64, at all architectures of MIXED."""
    number = len(observed)
    weights = np.append(expected_weights(number), prior_weight) / (expected_weights(number).sum() + prior_weight)
    densities = np.zeros(len(MIXED_ARCHS))
    for kernel in range(number + 1):
        product = np.ones(len(MIXED_ARCHS))
        for decision, size in enumerate(SIZES):
            masses = np.full(size, prior_weight / (number + 1))
            if kernel < number:
                masses[observed[kernel, decision]] += 1
            product *= (masses / masses.sum())[MIXED_ARCHS[:, decision]]
        densities += weights[kernel] * product
    np.testing.assert_allclose(densities.sum(), 1)
    return densities


@pytest.mark.parametrize("prior_weight", PRIOR_WEIGHTS)
@pytest.mark.parametrize(("number", "failed"), [(1, 0), (2, 0), (12, 0), (12, 0.4), (29, 0), (40, 0.2), (300, 0.05)])
def test_log_densities_are_those_of_the_formulas(number, failed, prior_weight):
    archs, scores = make_history(number, failed)
    state = told(jn.tree_parzen_estimator(MIXED), archs, scores, 300)
    mixtures = tree_parzen_estimator.estimators(state, 0.1, prior_weight)
    for mixture, numbers in zip(mixtures, expected_parts(scores), strict=True):
        found = tree_parzen_estimator.log_density(jnp.asarray(MIXED_ARCHS.T), mixture, prior_weight, SIZES)
        np.testing.assert_allclose(found, np.log(expected_densities(archs[numbers], prior_weight)), atol=2e-5)


@pytest.mark.parametrize("number", [0, 1, 24, 25, 26, 27, 28, 100])
def test_weights_rise_to_those_of_the_last_25(number):
    found = tree_parzen_estimator.recency_weights(jnp.arange(number), number)
    np.testing.assert_allclose(found, expected_weights(number), rtol=1e-6)


def test_the_good_are_a_tenth_rounded_up_and_at_most_25():
    state = jn.tree_parzen_estimator(MIXED).init(jax.random.key(0), 300)

    def num_good(number: jax.Array) -> jax.Array:
        good, _ = tree_parzen_estimator.estimators(state._replace(num_succeeded=number), 0.1, 1.0)
        return good.weights.sum()

    expected = [min(math.ceil(0.1 * number), 25) for number in range(301)]
    np.testing.assert_array_equal(jax.jit(jax.vmap(num_good))(jnp.arange(301)), expected)


@pytest.mark.parametrize("prior_weight", PRIOR_WEIGHTS)
def test_candidates_are_draws_from_the_estimator_of_the_good(prior_weight):
    archs, scores = make_history(35)
    state = told(jn.tree_parzen_estimator(MIXED), archs, scores, 60)
    good, _ = tree_parzen_estimator.estimators(state, 0.1, prior_weight)
    candidates = tree_parzen_estimator.draw_candidates(jax.random.key(3), good, prior_weight, SIZES, 50_000)
    counts = np.bincount(np.ravel_multi_index(tuple(np.asarray(candidates)), SIZES), minlength=12)
    expected = expected_densities(archs[expected_parts(scores)[0]], prior_weight)
    assert chisquare(counts, 50_000 * expected).pvalue > 1e-3


def test_the_candidate_with_the_largest_ratio_is_asked_for():
    archs, scores = make_history(45, failed=0.1)
    strategy = jn.tree_parzen_estimator(MIXED, num_candidates=5)
    state = told(strategy, archs, scores, 60)
    good, other = (expected_densities(archs[numbers], 1.0) for numbers in expected_parts(scores))
    ratios = np.log(good / other)

    def drawn(key):
        mixture, _ = tree_parzen_estimator.estimators(state, 0.1, 1.0)
        return tree_parzen_estimator.draw_candidates(jax.random.fold_in(key, 1), mixture, 1.0, SIZES, 5)

    candidates = np.asarray(jax.jit(jax.vmap(drawn))(jax.random.split(jax.random.key(1), 200)))
    of_candidates = ratios[np.ravel_multi_index(tuple(np.moveaxis(candidates, 1, 0)), SIZES)]
    rows = np.ravel_multi_index(asked(strategy, state, 45, 200).T, SIZES)
    np.testing.assert_allclose(ratios[rows], of_candidates.max(1), atol=2 * tree_parzen_estimator.TOLERANCE)
    assert len(set(rows.tolist())) > 1


@pytest.mark.parametrize("failed", [0.0, 0.6])
def test_draws_are_uniform_until_enough_trials_succeeded(failed):
    strategy = jn.tree_parzen_estimator(SMALL, num_startup=8)
    archs, scores = np.ones((20, 3)), np.full(20, 0.5)
    scores[: int(20 * failed) + 1] = np.nan  # 19 or 7 succeed
    rows = jax.vmap(SMALL.index)(asked(strategy, told(strategy, archs, scores, 40), 20, 5000))
    assert (chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3) == (failed == 0.6)


def test_failed_trials_count_as_none():
    archs, scores = make_history(60, failed=0.4)
    scores[7] = np.inf
    strategy, succeeded = jn.tree_parzen_estimator(MIXED), np.isfinite(scores)
    with_failed = told(strategy, archs, scores, 60)
    without = told(strategy, archs[succeeded], scores[succeeded], 60)
    np.testing.assert_array_equal(asked(strategy, with_failed, 60, 500), asked(strategy, without, 36, 500))
    assert with_failed.num_succeeded == succeeded.sum()


def best_of(strategy: jn.Strategy, bench, num_trials: int, num_runs: int) -> np.ndarray:
    """Returns the best score of each run after each trial, float[runs, T]."""
    score = jn.run(strategy, bench, num_trials=num_trials, num_runs=num_runs).observation.score
    return np.fmax.accumulate(score, axis=1)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "hyperparameter", [{"num_startup": 15}, {"num_candidates": 2}, {"good_share": 0.5}, {"prior_weight": 0.01}]
)
def test_every_hyperparameter_has_an_effect(hyperparameter):
    bench = smooth_bench()
    archs = [
        jn.run(jn.tree_parzen_estimator(bench.space, **each), bench, num_trials=40, num_runs=2).query.arch
        for each in ({}, hyperparameter)
    ]
    np.testing.assert_array_equal(archs[0][:, :10], archs[1][:, :10])
    assert (archs[0][:, 15:] != archs[1][:, 15:]).any(2).mean() > 0.5


def test_rows_are_one_decision_of_many_values():
    bench = smooth_bench()
    trials = jn.run(jn.tree_parzen_estimator(bench.space.enumerated()), bench, num_trials=30, num_runs=2)
    assert trials.query.arch.shape == (2, 30, 1)
    assert len(set(trials.query.arch.ravel().tolist())) > 40


@pytest.mark.parametrize("size", [70, 200])
def test_densities_of_a_large_space_stay_finite(size):
    space = jn.SearchSpace("large", tuple(jn.Decision(f"d{number}", range(2)) for number in range(size)))
    sizes = np.full(size, 2)
    archs = np.random.RandomState(0).randint(0, 2, (40, size))
    state = told(jn.tree_parzen_estimator(space), archs, np.linspace(0, 1, 40), 40)
    for mixture in tree_parzen_estimator.estimators(state, 0.1, 1.0):
        for candidates in (archs.T, np.random.RandomState(1).randint(0, 2, (size, 50))):
            found = tree_parzen_estimator.log_density(jnp.asarray(candidates), mixture, 1.0, sizes)
            assert np.isfinite(found).all()
            assert (found > -size * math.log(2) - math.log(41)).all()  # no less than the prior's part


def test_a_space_too_large_for_the_densities_is_refused():
    space = jn.SearchSpace("larger", tuple(jn.Decision(f"d{number}", range(2)) for number in range(201)))
    with pytest.raises(ValueError, match=r"^Expected a space of at most 2\*\*200 architectures, got 3,"):
        jn.tree_parzen_estimator(space)


def optuna_best(scores: np.ndarray, num_trials: int, seed: int) -> np.ndarray:
    """Returns the best score after each trial of Optuna's TPE; `scores` has an axis for each decision."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(multivariate=True, n_startup_trials=10, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    decisions = {f"d{axis}": optuna.distributions.CategoricalDistribution(range(5)) for axis in range(6)}
    told_scores = []
    for _ in range(num_trials):
        trial = study.ask(decisions)
        told_scores.append(scores[tuple(trial.params[name] for name in decisions)])
        study.tell(trial, float(told_scores[-1]))
    return np.maximum.accumulate(told_scores)


@pytest.mark.nightly
@pytest.mark.simulation
def test_it_is_as_good_as_the_sampler_of_optuna(optimized_runs):
    bench = jn.load("nb201-shifted-digits-v1", noise="mean")
    scores = bench.validation_scores(np.indices((5,) * 6).reshape(6, -1).T)
    others = np.stack([optuna_best(scores.reshape((5,) * 6), 100, seed) for seed in range(24)])
    own = best_of(jn.tree_parzen_estimator(bench.space), bench, 100, 1000)
    random = best_of(jn.random_search(bench.space), bench, 100, 1000)
    for t in (29, 99):
        difference = own[:, t].mean() - others[:, t].mean()
        half_width = 1.96 * np.hypot(own[:, t].std() / np.sqrt(1000), others[:, t].std() / np.sqrt(24))
        margin = 0.1 * (np.nanmax(scores) - random[:, t].mean())
        print(f"{t + 1} trials: {difference:.5f} +- {half_width:.5f}, margin {margin:.5f}")
        assert abs(difference) < margin + half_width  # few runs: no more than their noise beyond the margin
