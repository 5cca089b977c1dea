"""Regularized evolution: children of the best of a sample, and the oldest member leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import CORNERS, SMALL, SPACES, random_bench, rows_of
from scipy.stats import chisquare

import jaxnas as jn


def evolved(scores: list[float], sample_size: int, num_children: int) -> np.ndarray:
    """Returns the parents (as numbers of corners) of children that evolution asks for after it was told the scores of
    corners 0, 1, ...; the population is one smaller where there are five.
    """
    strategy = jn.regularized_evolution(jn.NB201, population_size=4, sample_size=sample_size)
    state = strategy.init(jax.random.key(0), 100)
    for t, score in enumerate(scores):
        state = strategy.tell(state, t, jn.Query(CORNERS[t]), jn.simulation.Observation(jnp.float32(score), 1, 0))
    keys = jax.random.split(jax.random.key(1), num_children)
    children = jax.jit(jax.vmap(lambda key: strategy.ask(state, len(scores), key).arch))(keys)
    distances = (np.asarray(children)[:, None] != CORNERS).sum(-1)
    assert (distances.min(1) == 1).all()
    return distances.argmin(1)


@pytest.mark.parametrize("space_name", ["nb201", "nb201-rows"])
def test_each_child_differs_in_one_decision_from_a_live_member(space_name):
    space, size = SPACES[space_name], 10
    strategy = jn.regularized_evolution(space, population_size=size, sample_size=4)
    trials = jn.run(strategy, random_bench(space_name), num_trials=120, num_runs=4)
    archs = np.stack(np.unravel_index(rows_of(trials.query.arch, space), [5] * 6), axis=-1)
    for t in range(size, 120):
        members = archs[:, t - size : t]
        assert ((members != archs[:, t, None]).sum(-1) == 1).any(1).all()


def test_the_first_population_is_drawn_uniformly():
    strategy = jn.regularized_evolution(SMALL, population_size=20)
    trials = jn.run(strategy, random_bench("small"), num_trials=20, num_runs=1000)
    assert chisquare(np.bincount(rows_of(trials.query.arch, SMALL).ravel(), minlength=125)).pvalue > 1e-3


def test_the_parent_is_the_best_of_the_sample():
    assert set(evolved([0.2, 0.9, 0.5, 0.4], sample_size=100, num_children=100)) == {1}
    counts = np.bincount(evolved([0.2, 0.9, 0.5, 0.4], sample_size=2, num_children=4000), minlength=5)
    assert chisquare(counts[[1, 2, 3, 0]], 4000 * np.array([7, 5, 3, 1]) / 16).pvalue > 1e-3  # (i^2 - (i-1)^2) / 4^2


def test_the_sample_is_uniform_over_the_members():
    counts = np.bincount(evolved([0.2, 0.9, 0.5, 0.4], sample_size=1, num_children=4000), minlength=5)
    assert chisquare(counts[:4]).pvalue > 1e-3


def test_the_oldest_member_leaves_even_if_it_is_the_best():
    assert set(evolved([0.9, 0.3, 0.5, 0.4, 0.1], sample_size=100, num_children=100)) == {2}


def test_a_failed_member_is_no_parent_while_another_of_the_sample_succeeded():
    assert set(evolved([np.nan, np.nan, 0.01, np.nan], sample_size=100, num_children=100)) == {2}


@pytest.mark.parametrize(
    ("num_trials", "size"), [(1, 1), (2, 1), (12, 6), (20, 10), (50, 11), (100, 15), (300, 26), (20_000, 100)]
)
def test_by_default_the_population_follows_the_number_of_trials(num_trials, size):
    state = jn.regularized_evolution(SMALL).init(jax.random.key(0), num_trials)
    assert state.archs.shape == (size, 3)
    named = jn.regularized_evolution(SMALL, population_size=size)
    bench, options = random_bench("small"), {"num_trials": min(num_trials, 60), "num_runs": 2}
    if num_trials <= 60:
        one, other = (jn.run(each, bench, **options) for each in (jn.regularized_evolution(SMALL), named))
        np.testing.assert_array_equal(one.query.arch, other.query.arch)


def test_workers_replace_the_member_that_was_told_first():
    strategy = jn.regularized_evolution(jn.NB201, population_size=2, sample_size=100)
    state, tell = strategy.init(jax.random.key(0), 100), strategy.tell
    for t, corner, score in ((1, 0, 0.9), (0, 1, 0.5), (3, 2, 0.6)):  # trial 1 was told first, so it leaves first
        state = tell(state, t, jn.Query(CORNERS[corner]), jn.simulation.Observation(jnp.float32(score), 1, 0))
    children = jax.vmap(lambda key: strategy.ask(state, 9, key).arch)(jax.random.split(jax.random.key(1), 50))
    assert set((np.asarray(children)[:, None] != CORNERS).sum(-1).argmin(1)) == {2}


def test_a_query_before_any_result_is_a_uniform_draw():
    """More workers than members."""
    strategy = jn.regularized_evolution(SMALL, population_size=2, sample_size=2)
    found = jn.simulation.run_asynchronous(
        strategy, random_bench("small"), num_workers=12, num_trials=12, num_runs=1000
    )
    for number in (2, 11):
        rows = rows_of(found.trials.query.arch[found.number == number], SMALL)
        assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3


@pytest.mark.parametrize("argument", ["population_size", "sample_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5])
def test_evolution_refuses_sizes_below_one_and_other_types(argument, value):
    with pytest.raises(ValueError, match=rf"^Expected {argument} to be an int of at least 1, got {value}"):
        jn.regularized_evolution(SMALL, **{argument: value})
