"""BANANAS: networks that learn, batches of new mutants of the best, and better results than random search."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.samples import CORNERS, MIXED, SMALL, smooth_bench

import jaxnas as jn
from jaxnas.predictors import networks
from jaxnas.predictors.base import standardized
from jaxnas.spaces import encodings
from jaxnas.spaces.cells import encodings as cell_encodings
from jaxnas.strategies import bananas
from jaxnas.strategies.parts import draws, visited

QUICK = {"num_networks": 3, "num_steps": 60, "num_candidates": 60}


def test_a_network_learns_sums_over_decisions_and_skips_failed_trials():
    archs = np.random.RandomState(0).randint(0, 5, (160, 6)).astype(np.int32)
    scores = 50 + np.sin(archs * [1, 2, 3, 4, 5, 6]).sum(1).astype(np.float32)
    told = np.where(np.arange(160) % 5 == 0, -np.inf, scores).astype(np.float32)
    features = jax.vmap(encodings.one_hot(jn.NB201))(archs)
    fit = jax.jit(functools.partial(bananas.fitted, optax.adam(0.01), 600, 20))
    network = fit(jax.random.key(0), features, told, 120)
    predictions = np.asarray(networks.outputs(network, features))[:, 0]
    assert np.corrcoef(predictions[120:], scores[120:])[0, 1] > 0.8
    assert abs(predictions[120:].mean()) < 0.5  # standardized, not near 50


def test_scores_are_standardized_over_the_successful_trials():
    scores = jnp.array([3.0, -jnp.inf, 5.0, 7.0])
    found, succeeded, _ = standardized(scores)
    assert succeeded.tolist() == [True, False, True, True]
    np.testing.assert_allclose(found, np.array([-1, 0, 0, 1]) * 1.5**0.5, rtol=1e-6)
    np.testing.assert_array_equal(standardized(jnp.ones(3))[0], 0)
    np.testing.assert_array_equal(standardized(jnp.full(4, -jnp.inf))[0], 0)


def test_mutants_are_one_or_two_edits_away_from_the_best():
    scores = jnp.array([0.1, 0.9, -jnp.inf, 0.8, 0.2])
    make = jax.jit(lambda key, scores: draws.mutants(key, jn.NB201, jnp.asarray(CORNERS), scores, 400, 2))
    made = np.asarray(make(jax.random.key(0), scores))
    distances = (made[:, None] != CORNERS[[1, 3]]).sum(-1).min(1)
    assert set(distances) == {0, 1, 2}  # the second edit may undo the first
    assert 0.45 < (distances == 1).mean() < 0.7
    made = np.asarray(make(jax.random.key(0), jnp.where(jnp.arange(5) == 4, scores, -jnp.inf)))
    assert ((made != 4).sum(1) <= 2).all()  # a single success is the only parent
    made = np.asarray(make(jax.random.key(0), jnp.full(5, -jnp.inf)))
    assert len(np.unique(made, axis=0)) > 300


def test_seen_are_those_asked_before_and_repeats():
    asked = jnp.array([[0, 0], [1, 1], [2, 2]])
    archs = jnp.array([[1, 1], [2, 2], [3, 3], [3, 3], [0, 1]])
    assert visited.seen(archs, asked, 2).tolist() == [True, False, False, True, False]


def test_none_is_asked_twice_while_the_space_is_large():
    strategy = jn.bananas(jn.NB201, **QUICK)
    trials = jn.run(strategy, smooth_bench(jn.NB201, 0.2), num_trials=60, num_runs=3)
    for archs in trials.query.arch:
        assert len(np.unique(archs[10:], axis=0)) == 50


@pytest.mark.parametrize(
    ("space", "encoding"),
    [(SMALL, cell_encodings.path), (SMALL.enumerated(), cell_encodings.path), (MIXED, encodings.one_hot)],
    ids=["cells", "rows", "plain"],
)
def test_the_default_encoding_is_that_of_paths_in_cell_spaces_and_one_hot_elsewhere(space, encoding):
    for row in (1, 11):
        arch = space.arch_at(row)
        np.testing.assert_array_equal(space.features(arch), encoding(space)(arch))


def test_fewer_candidates_than_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"^Expected num_candidates to be an int of at least 10, got 9"):
        jn.bananas(SMALL, num_candidates=9)
