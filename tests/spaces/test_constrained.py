"""Contract of spaces in which not every vector is an architecture, and of all strategies on them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.partial_spaces import CONSTRAINED, LISTED, LISTED_MLP, PARTIAL, UNNUMBERED
from helpers.samples import MIXED, NB201, SMALL, SMALL_MLP, make_strategy
from scipy import stats

import jaxnas as jn
from jaxnas.spaces.base import has_rows
from jaxnas.spaces.listed import ListedSpace
from jaxnas.spaces.search_space import SearchSpace

over_partial = pytest.mark.parametrize("space", PARTIAL.values(), ids=PARTIAL)
over_constrained = pytest.mark.parametrize(
    "space", [CONSTRAINED, UNNUMBERED, LISTED, LISTED_MLP], ids=lambda space: space.name
)
QUICK = {
    "bananas": {"num_startup": 6, "refit_every": 5, "num_candidates": 10, "num_steps": 5, "num_networks": 2},
    "gaussian_process": {"num_candidates": 30, "num_startup": 6},
    "predictor_guided": {"num_startup": 6, "refit_every": 6, "num_candidates": 12},
    "cross_entropy": {"batch_size": 5},
    "genetic_algorithm": {"population_size": 5, "mutation_rate": 0.0},
    "nsga2": {"population_size": 5, "mutation_rate": 0.0},
    "regularized_evolution": {"population_size": 5, "sample_size": 2},
    "multi_objective_evolution": {"population_size": 5, "sample_size": 2},
    "tree_parzen_estimator": {"num_startup": 5},
    "successive_halving": {"num_initial": 5, "fidelities": (1,)},
    "hyperband": {"fidelities": (1,)},
    "asynchronous_halving": {"fidelities": (1,)},
    "bohb": {"fidelities": (1,), "random_share": 0.0},
}
"""Hyperparameters with which a strategy is past its random trials early."""


def draws(space, number: int) -> np.ndarray:
    """Returns samples of a space."""
    return np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(3), number)))


def are_valid(space, archs) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(space.valid))(jnp.asarray(archs)))


def vectors(space, number: int) -> jax.Array:
    """Returns random vectors of choices, valid or not."""
    sizes = [len(decision.values) for decision in space.decisions]
    return jnp.asarray(np.random.RandomState(0).randint(0, sizes, (number, len(sizes))), jnp.int32)


@over_partial
def test_rows_are_those_of_the_architectures(space):
    archs = jax.vmap(space.arch_at)(jnp.arange(space.num_architectures))
    assert has_rows(space)
    assert are_valid(space, archs).all()
    np.testing.assert_array_equal(jax.vmap(space.index)(archs), np.arange(space.num_architectures))
    np.testing.assert_array_equal(space.indexer(archs), np.arange(space.num_architectures))
    assert len(np.unique(np.asarray(jax.vmap(space.choices)(archs)), axis=0)) == space.num_architectures


def test_the_architectures_are_those_that_are_valid():
    expected = [arch for arch in itertools.product(range(3), repeat=4) if sum(arch) <= 4]
    archs = jax.vmap(CONSTRAINED.arch_at)(jnp.arange(CONSTRAINED.num_architectures))
    np.testing.assert_array_equal(archs, expected)
    assert CONSTRAINED.num_architectures == len(expected) < 81


def test_the_architectures_of_a_listed_space_are_those_of_its_rows():
    archs = jax.vmap(LISTED_MLP.arch_at)(jnp.arange(LISTED_MLP.num_architectures))
    rows = np.asarray(jax.vmap(SMALL_MLP.index)(archs))
    np.testing.assert_array_equal(rows, sorted({*range(5, 288, 4), 0}))
    everything = jax.vmap(SMALL_MLP.arch_at)(jnp.arange(288))
    np.testing.assert_array_equal(np.flatnonzero(are_valid(LISTED_MLP, everything)), rows)


def test_an_indexer_is_a_function_whose_arrays_are_leaves():
    first, second = ListedSpace(SMALL, [1, 4, 9]).indexer, ListedSpace(SMALL, [2, 3, 5]).indexer
    assert jax.tree.structure(first) == jax.tree.structure(second)
    calls = []

    @jax.jit
    def row_of(indexer, arch):
        calls.append(arch)
        return indexer(arch)

    assert int(row_of(first, SMALL.arch_at(9))) == int(row_of(second, SMALL.arch_at(5))) == 2
    assert len(calls) == 1


def test_spaces_without_rows_say_so():
    assert not has_rows(UNNUMBERED)
    for call in (lambda: UNNUMBERED.index(jnp.zeros(20, int)), lambda: UNNUMBERED.arch_at(0), UNNUMBERED.enumerated):
        with pytest.raises(ValueError, match=r"^Expected (a space of fewer than 2\*\*31|at most 2,000,000) arch"):
            call()
    between = SearchSpace("between", UNNUMBERED.decisions[:12], valid=UNNUMBERED.valid)
    message = r"^Expected a constrained space of at most 2,000,000 vectors .*, got 16,777,216"
    with pytest.raises(ValueError, match=message):
        between.index(jnp.zeros(12, int))
    for name, arguments in (("exhaustive_search", {}), ("random_search", {"replacement": False})):
        with pytest.raises(ValueError, match=message):
            make_strategy(name, between, **arguments)


@over_constrained
def test_samples_and_mutants_are_valid_and_one_move_away(space):
    archs = draws(space, 300)
    assert archs.dtype == np.int32
    assert are_valid(space, archs).all()
    mutants = np.asarray(jax.jit(jax.vmap(space.mutate))(jax.random.split(jax.random.key(1), 300), archs))
    assert are_valid(space, mutants).all()
    moves = np.asarray(jax.jit(jax.vmap(space.neighbors))(archs))
    found = (moves == mutants[:, None]).all(-1).any(1)
    isolated = (moves == archs[:, None]).all((1, 2))
    np.testing.assert_array_equal((mutants == archs).all(1), isolated)
    assert found.all()
    assert (~isolated).mean() > 0.5


@over_partial
def test_samples_are_uniform(space):
    rows = np.asarray(jax.vmap(space.index)(draws(space, 60 * space.num_architectures)))
    assert stats.chisquare(np.bincount(rows, minlength=space.num_architectures)).pvalue > 1e-6


def test_mutants_are_uniform_over_the_neighbors():
    arch = jnp.asarray([1, 2, 0, 1])
    neighbors = np.unique(np.asarray(CONSTRAINED.neighbors(arch)), axis=0)
    neighbors = neighbors[(neighbors != arch).any(1)]
    assert len(neighbors) == 4  # none of which has more in all
    keys = jax.random.split(jax.random.key(0), 4000)
    mutants = np.asarray(jax.vmap(CONSTRAINED.mutate, (0, None))(keys, arch))
    equal = (mutants[:, None] == neighbors).all(-1)
    assert (equal.sum(1) == 1).all()
    assert stats.chisquare(equal.sum(0)).pvalue > 1e-6


@over_constrained
def test_repairs_end_with_an_architecture_and_keep_those_that_are_valid(space):
    archs = vectors(space, 200)
    repaired = np.asarray(jax.jit(jax.vmap(space.repaired))(jax.random.split(jax.random.key(0), 200), archs))
    assert are_valid(space, repaired).all()
    valid = are_valid(space, archs)
    assert not valid.all()
    np.testing.assert_array_equal(repaired[valid], archs[valid])
    moves = np.asarray(jax.vmap(space.moves)(archs))
    near = are_valid(space, moves.reshape(-1, moves.shape[-1])).reshape(moves.shape[:2]).any(1) & ~valid
    assert near.any()
    assert (moves == repaired[:, None]).all(-1).any(1)[near].all()  # one move away


@pytest.mark.parametrize("space", [NB201, MIXED, SMALL_MLP, LISTED.enumerated()], ids=lambda space: space.name)
def test_repairs_cost_nothing_where_everything_is_valid(space):
    assert are_valid(space, draws(space, 5)).all()
    traced = jax.make_jaxpr(space.repaired)(jax.random.key(0), jnp.zeros(len(space.decisions), jnp.int32))
    assert not traced.eqns


def test_a_space_of_nothing_is_refused():
    for decisions in (CONSTRAINED.decisions, UNNUMBERED.decisions):
        space = SearchSpace("nothing", decisions, valid=lambda arch: arch.sum() < 0)
        with pytest.raises(ValueError, match=r"^Expected a space .*valid architectures, got nothing with none"):
            space.sample(jax.random.key(0))


def test_strings_of_what_is_no_architecture_are_refused():
    with pytest.raises(ValueError, match=r"^Expected a valid architecture of constrained, got '2-2-1-0'"):
        CONSTRAINED.from_str("2-2-1-0")
    missing = SMALL.to_str(SMALL.arch_at(1))
    with pytest.raises(ValueError, match=r"^Expected a valid architecture of listed, got '\|none~0"):
        LISTED.from_str(missing)


@pytest.mark.parametrize(
    ("rows", "message"),
    [((), "got none"), ((0, 125), "from 0 to 124, got rows from 0 to 125"), ((-1,), "got rows from -1 to -1")],
)
def test_wrong_rows_are_refused(rows, message):
    with pytest.raises(ValueError, match=f"^Expected one or more rows .*{message}"):
        ListedSpace(SMALL, rows)


def test_listed_spaces_are_equal_where_their_architectures_are():
    same = ListedSpace(SMALL, np.arange(124, -1, -1)[np.arange(124, -1, -1) % 3 == 0], name="listed")
    assert same == LISTED
    assert hash(same) == hash(LISTED)
    assert ListedSpace(SMALL, range(0, 122, 3), name="listed") != LISTED
    assert ListedSpace(SMALL, [3]).name == SMALL.name


def test_classes_of_a_listed_space_are_those_of_the_whole_one():
    rows = np.arange(0, 125, 3)
    whole = SMALL.classes()[rows]
    first = [int(np.flatnonzero(whole == number)[0]) for number in whole]
    np.testing.assert_array_equal(LISTED.classes(), first)
    assert len(set(first)) < len(rows)
    archs = LISTED.arch_at(jnp.arange(len(rows)))
    np.testing.assert_array_equal(jax.vmap(LISTED.canonical)(archs), LISTED.arch_at(jnp.asarray(first)))


def total(arch) -> jax.Array:
    """Returns a score that leads to the boundary of `CONSTRAINED`."""
    return jnp.asarray(arch, jnp.float32).sum()


@pytest.mark.parametrize("name", ["local_search", "nsga2", "cross_entropy", "bananas", "hyperband"])
def test_strategies_of_every_kind_query_architectures_only(name):
    strategy = make_strategy(name, CONSTRAINED, **QUICK.get(name, {}))
    bench = jn.benchmarks.FunctionBenchmark(CONSTRAINED, total)
    trials = jn.run(strategy, bench, num_trials=40, num_runs=3)
    assert are_valid(CONSTRAINED, trials.query.arch.reshape(-1, 4)).all()


@pytest.mark.parametrize("name", ["genetic_algorithm", "cross_entropy"])
def test_strategies_that_choose_freely_query_architectures_of_a_space_without_rows(name):
    strategy = make_strategy(name, UNNUMBERED, **QUICK.get(name, {}))
    bench = jn.benchmarks.FunctionBenchmark(UNNUMBERED, total)
    trials = jn.run(strategy, bench, num_trials=40, num_runs=2)
    assert are_valid(UNNUMBERED, trials.query.arch.reshape(-1, 20)).all()


def test_samplers_of_optuna_query_architectures_only():
    optuna = pytest.importorskip("optuna")
    strategy = jn.optuna.optuna_strategy(CONSTRAINED, optuna.samplers.RandomSampler)
    trials = jn.run(strategy, jn.benchmarks.FunctionBenchmark(CONSTRAINED, total), num_trials=30, num_runs=1)
    assert are_valid(CONSTRAINED, trials.query.arch.reshape(-1, 4)).all()
