"""Every predictor of the catalog keeps the contract; what single ones compute is what it should be."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, all_archs, smooth_bench

import jaxnas as jn
from jaxnas import catalog, prng
from jaxnas.checks import is_installed
from jaxnas.predictors.base import Aux, block_inverse, log_error, with_target
from jaxnas.predictors.columns import rank_agreement, share_below
from jaxnas.predictors.learning_curves import continued
from jaxnas.predictors.named import predictor_named
from jaxnas.predictors.neighbors import tied_weights

EXTRAS = {"xgb": "xgboost", "lgb": "lightgbm"}
NAMES = [name for name in catalog.PREDICTORS if is_installed(EXTRAS.get(name, "jax"))]
SMALLER = {
    "gp_wl": {"num_iterations": 1, "num_buckets": 32},
    "gcn": {"num_layers": 2, "num_steps": 300},
    "mlp": {"num_steps": 300},
    "dngo": {"num_layers": 1, "num_steps": 300},
}
"""What compiles and trains in less time."""
KEY = prng.make_key(0, "hash")
NUM_TRAIN = 40

ARCHS = all_archs(SMALL)[np.random.RandomState(1).permutation(125)].astype(np.int32)
TRUTH = (0.5 + 0.1 * (ARCHS == 2).sum(1) - 0.05 * (ARCHS == 0).sum(1)).astype(np.float32)


quickly_compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""Each program runs once."""


def made_aux(rows: slice) -> Aux:
    """Returns curves that rise to the truth, losses that fall as it is better, and two columns that know it."""
    truth = TRUTH[rows, None]
    curves = truth * (1 - 0.5 / np.arange(1, 5)) - 0.05
    epochs = np.tile(np.asarray([1, 2, 3, 4, 8], np.float32), (len(truth), 1))
    columns = np.concatenate([np.cos(7 * truth), -3 * truth], axis=1)
    return Aux(*(each.astype(np.float32) for each in (curves, 1 / (curves + 1), epochs, columns)))


TRAIN, TEST = slice(0, NUM_TRAIN), slice(NUM_TRAIN, None)


def predicted(predictor, y, test=TEST, aux=None):
    """Returns mean and deviation for test architectures after a fit to the first ones, NumPy arrays."""
    features = np.asarray(jax.jit(jax.vmap(predictor.encoding))(ARCHS))
    if predictor.jittable:
        predictor = predictor._replace(fit=quickly_compiled(predictor.fit), predict=quickly_compiled(predictor.predict))
    state = predictor.fit(KEY, features[TRAIN], y, made_aux(TRAIN))
    given = made_aux(test) if aux is None else aux
    return [np.asarray(each) for each in predictor.predict(state, features[test], given)], (predictor, state, features)


@pytest.mark.parametrize("name", NAMES)
def test_a_predictor_ranks_and_says_the_same_of_an_architecture_whatever_the_others_are(name):
    predictor = predictor_named(name)(SMALL, **SMALLER.get(name, {}))
    assert predictor.name == name
    y = TRUTH[TRAIN].copy()
    y[3] = np.nan  # a training that failed
    (mean, deviation), (same, state, features) = predicted(predictor, y)
    assert mean.shape == deviation.shape == (125 - NUM_TRAIN,)
    assert np.isfinite(mean).all()
    assert np.corrcoef(mean, TRUTH[TEST])[0, 1] > 0.5
    assert np.isnan(deviation).all() or (deviation >= 0).all()
    order = np.random.RandomState(0).permutation(len(mean))
    aux = jax.tree.map(lambda values: values[order], made_aux(TEST))
    again = np.asarray(same.predict(state, features[TEST][order], aux).mean)
    np.testing.assert_allclose(again, mean[order], rtol=1e-4, atol=1e-4)  # products of other shapes round otherwise


@pytest.mark.parametrize("name", ["gp_rbf", "last_value", "column", "rf"])
def test_what_is_not_known_of_an_architecture_is_nan(name):
    predictor = predictor_named(name)(SMALL)
    aux = made_aux(TEST)
    aux = Aux(*(np.where(np.arange(len(each))[:, None] == 0, np.nan, each).astype(np.float32) for each in aux))
    (mean, _), (same, state, features) = predicted(predictor, TRUTH[TRAIN], aux=aux)
    if not predictor.requires:
        features = features[TEST].copy()
        features[0] = np.nan
        mean = np.asarray(same.predict(state, features, aux).mean)
    assert np.isnan(mean[0])
    assert np.isfinite(mean[1:]).all()


def test_a_missing_score_changes_nothing():
    """Rows without a score are as if they were not there, so that one program serves many numbers of them."""
    predictor = predictor_named("gp_hamming")(SMALL)
    y = TRUTH[TRAIN].copy()
    y[30:] = np.nan
    (mean, deviation), (same, _, features) = predicted(predictor, y)
    state = same.fit(KEY, features[:30], TRUTH[:30], Aux())
    alone = same.predict(state, features[TEST], Aux())
    np.testing.assert_allclose(mean, alone.mean, atol=1e-4)
    np.testing.assert_allclose(deviation, alone.deviation, atol=1e-4)


def test_the_gaussian_process_is_that_of_a_dense_computation():
    predictor = predictor_named("gp_hamming")(SMALL)
    (mean, deviation), (_, state, _) = predicted(predictor, TRUTH[TRAIN])
    differing = (ARCHS[:, None] != ARCHS).mean(-1)
    kernel = np.exp(-differing / float(state.length))
    y = TRUTH[TRAIN].astype(np.float64)
    targets = (y - y.mean()) / y.std()
    inverse = np.asarray(state.inverse, np.float64)
    noise = np.linalg.inv(inverse)[0, 0] - 1
    exact = np.linalg.inv(kernel[TRAIN, TRAIN] + noise * np.eye(NUM_TRAIN))
    np.testing.assert_allclose(mean, y.mean() + y.std() * kernel[TEST, TRAIN] @ exact @ targets, atol=1e-3)
    amplitude = np.sqrt(targets @ exact @ targets / NUM_TRAIN)
    variance = 1 - (kernel[TEST, TRAIN] @ exact * kernel[TEST, TRAIN]).sum(1)
    np.testing.assert_allclose(deviation, y.std() * amplitude * np.sqrt(variance), rtol=0.02)


@pytest.mark.parametrize("size", [5, 70])
def test_the_inverse_by_blocks_is_the_inverse(size):
    root = np.random.RandomState(0).randn(size, size)
    matrix = (root @ root.T / size + np.eye(size)).astype(np.float32)
    inverse, logarithm = jax.jit(block_inverse)(matrix)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), atol=1e-4)
    np.testing.assert_allclose(logarithm, np.linalg.slogdet(matrix)[1], rtol=1e-4, atol=1e-4)


def test_a_target_keeps_the_order_and_the_unit():
    scores = np.asarray([0.1, 0.5, 0.9, 0.99, np.nan], np.float32)
    np.testing.assert_allclose(1 - np.exp(-log_error(scores)), scores, atol=1e-6)
    predictor = with_target(predictor_named("knn")(SMALL), "log-error")
    assert ("target", "log-error") in predictor.hyperparameters
    (mean, _), _ = predicted(predictor, TRUTH[TRAIN])
    assert abs(mean.mean() - TRUTH[TEST].mean()) < 0.05
    column = predictor_named("column")(SMALL)
    assert with_target(column, "log-error") is column  # whose values are no proportions
    with pytest.raises(ValueError, match=r"Expected a target of log-error, score, got 'ranks'"):
        with_target(predictor, "ranks")


def test_ranks_and_neighbors():
    ordered = jnp.asarray([1.0, 2.0, 2.0, jnp.nan])
    np.testing.assert_allclose(share_below(ordered, jnp.asarray([0.0, 2.0, 9.0, jnp.nan])), [0, 2 / 3, 1, np.nan])
    y = jnp.asarray([0.1, 0.2, 0.3, jnp.nan])
    np.testing.assert_allclose(rank_agreement(jnp.asarray([3.0, 2.0, 1.0, 0.0]), y), -1, atol=1e-5)
    np.testing.assert_allclose(rank_agreement(jnp.asarray([3.0, 2.0, jnp.nan, 0.0]), y), -2 / 3, atol=1e-5)
    np.testing.assert_allclose(tied_weights(2, jnp.asarray([1.0, 3.0, 3.0, jnp.inf])), [0.5, 0.25, 0.25, 0])


def test_a_curve_of_a_family_is_continued():
    epochs = jnp.asarray([1.0, 2, 3, 4, 5, 6, 100])
    go_on = jax.jit(continued)
    mean, _ = go_on(0.8 - 0.3 / epochs[:-1], epochs)
    assert abs(float(mean) - 0.797) < 0.01
    mean, _ = go_on(jnp.full(6, 0.5), epochs)
    assert abs(float(mean) - 0.5) < 1e-3


def test_searches_take_any_predictor():
    bench = smooth_bench(MIXED)
    knn = functools.partial(predictor_named("knn"), num_neighbors=2)
    for made in (jn.bananas, jn.predictor_guided):
        strategy = made(MIXED, num_startup=4, num_candidates=8, refit_every=4, predictor=knn)
        assert ("predictor", "knn") in strategy.hyperparameters
        trials = jn.run(strategy, bench, num_trials=12, num_runs=2)
        assert len({tuple(arch) for arch in trials.query.arch[0]}) > 8
    with pytest.raises(ValueError, match=r"^Expected a predictor that learns from features alone, got column"):
        jn.predictor_guided(MIXED, predictor=predictor_named("column"))
    with pytest.raises(ValueError, match=r"^Expected a predictor that can be compiled, got rf"):
        jn.bananas(MIXED, predictor=predictor_named("rf"))
