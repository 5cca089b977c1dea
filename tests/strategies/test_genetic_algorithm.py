"""The genetic algorithm: crossover, mutation, and which member leaves."""

import jax
import numpy as np
import pytest
from helpers.samples import CORNERS, SMALL, asked, told
from scipy.stats import chisquare

import jaxnas as jn


def bred(scores, space=jn.NB201, number: int = 4000, **hyperparameters) -> np.ndarray:
    """Returns children of a population of corners with these scores."""
    strategy = jn.genetic_algorithm(space, population_size=len(scores), **hyperparameters)
    return asked(strategy, told(strategy, CORNERS[: len(scores)], scores), len(scores), number)


def test_a_child_takes_each_decision_from_one_of_two_parents():
    children = bred([0.2, 0.9, 0.5, 0.4], sample_size=1, crossover_rate=1.0, mutation_rate=0.0)
    parents = [set(child) for child in children.tolist()]
    assert max(map(len, parents)) == 2
    assert set.union(*parents) == {0, 1, 2, 3}
    share = np.mean([len(each) == 2 for each in parents])
    assert abs(share - 3 / 4 * (1 - 2**-5)) < 0.03  # two different parents, and not all six decisions of one
    crossed = children[[len(each) == 2 for each in parents]]
    counts = (crossed == crossed.max(1, keepdims=True)).sum(0)
    assert (abs(counts / len(crossed) - 0.5) < 0.05).all()  # every decision of either parent alike


def test_a_mutated_child_differs_in_one_decision_from_a_mix_of_two_parents():
    children = bred([0.2, 0.9, 0.5, 0.4], sample_size=1, crossover_rate=1.0, mutation_rate=1.0)
    counts = np.stack([(children == value).sum(1) for value in range(5)], axis=1)
    assert (np.sort(counts, axis=1)[:, -2:].sum(1) >= 5).all()
    assert (counts[:, 4] > 0).any()  # a value that no parent has


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_rates_are_the_shares_of_crossed_and_of_mutated_children(rate):
    scores, number = [0.2, 0.9, 0.5, 0.4], 4000
    crossed = bred(scores, sample_size=1, crossover_rate=rate, mutation_rate=0.0, number=number)
    mixed = np.mean([len(set(child)) == 2 for child in crossed.tolist()])
    assert abs(mixed - rate * 3 / 4 * (1 - 2**-5)) <= 0.03 * (rate > 0)
    mutated = bred(scores, sample_size=1, crossover_rate=0.0, mutation_rate=rate, number=number)
    changed = np.mean([len(set(child)) == 2 for child in mutated.tolist()])
    assert abs(changed - rate) <= 0.03 * (rate > 0)


def test_each_parent_is_the_best_of_its_sample():
    copies = bred([0.2, 0.9, 0.5, 0.4], sample_size=2, crossover_rate=0.0, mutation_rate=0.0)
    counts = np.bincount(copies[:, 0], minlength=4)
    assert chisquare(counts[[1, 2, 3, 0]], 4000 * np.array([7, 5, 3, 1]) / 16).pvalue > 1e-3
    crossed = bred([0.2, 0.9, 0.5, 0.4], sample_size=2, crossover_rate=1.0, mutation_rate=0.0)
    counts = np.bincount(crossed[:, 0], minlength=4)  # the second parent as well
    assert chisquare(counts[[1, 2, 3, 0]], 4000 * np.array([7, 5, 3, 1]) / 16).pvalue > 1e-3


def test_the_worst_member_leaves_for_a_child_that_is_not_worse():
    strategy = jn.genetic_algorithm(jn.NB201, population_size=3)
    better = told(strategy, CORNERS[:4], [0.5, 0.2, 0.4, 0.3])
    np.testing.assert_array_equal(better.archs[:, 0], [0, 3, 2])
    np.testing.assert_allclose(better.scores, [0.5, 0.3, 0.4])
    for score in (0.1, np.nan):
        np.testing.assert_array_equal(told(strategy, CORNERS[:4], [0.5, 0.2, 0.4, score]).archs[:, 0], [0, 1, 2])


def test_failed_trials_never_join_and_draws_stay_uniform_until_the_population_is_full():
    strategy = jn.genetic_algorithm(SMALL, population_size=3)
    archs, scores = CORNERS[[0, 1, 2, 3], :3], [np.nan, 0.2, np.nan, 0.4]
    state = told(strategy, archs, scores)
    np.testing.assert_array_equal(state.archs[:2, 0], [1, 3])
    rows = jax.vmap(SMALL.index)(asked(strategy, state, 4, 5000))
    assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3
    full = told(strategy, [*archs, CORNERS[4, :3]], [*scores, 0.1])
    np.testing.assert_array_equal(full.archs[:, 0], [1, 3, 4])
    assert not (asked(strategy, full, 5, 2000) == 0).all(1).any()


def test_a_child_of_rows_is_a_neighbor_of_a_parent():
    rows = SMALL.enumerated()
    strategy = jn.genetic_algorithm(rows, population_size=3)
    state = told(strategy, [[0], [31], [62]], [0.1, 0.2, 0.3])  # 000, 111, 222
    children = np.stack(np.unravel_index(asked(strategy, state, 3, 500)[:, 0], (5, 5, 5)), axis=1)
    distances = (children[:, None] != CORNERS[:3, :3]).sum(-1)
    assert (distances.min(1) == 1).all()


def test_crossover_reaches_every_decision_of_a_long_architecture():
    space = jn.SearchSpace("long", tuple(jn.Decision(f"d{number}", range(2)) for number in range(70)))
    strategy = jn.genetic_algorithm(space, population_size=2, sample_size=1, crossover_rate=1.0, mutation_rate=0.0)
    children = asked(strategy, told(strategy, np.repeat([[0], [1]], 70, axis=1), [0.1, 0.2]), 2, 4000)
    mixed = children[children.std(1) > 0]
    assert abs(len(mixed) / 4000 - 0.5) < 0.04
    assert (abs(mixed.mean(0) - 0.5) < 0.06).all()
    assert (abs(np.corrcoef(mixed.T) - np.eye(70)) < 0.12).all()
