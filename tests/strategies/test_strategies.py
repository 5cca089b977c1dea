"""Strategies: what every one of them keeps to, on every kind of space, and what each one is said to do."""

import copy
import functools
import inspect
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import MIXED, OFFERED, SMALL, SPACES, make_strategy
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas import catalog
from jaxnas.strategies.parts import visited

HYPERPARAMETERS = {  # small ones, so that short runs reach all phases
    "regularized_evolution": {"population_size": 8, "sample_size": 3},
    "genetic_algorithm": {"population_size": 8},
    "cross_entropy": {"batch_size": 10},
    "gaussian_process": {"pool_size": 200, "num_startup": 4},
    "bananas": {"num_startup": 4, "refit_every": 6, "num_candidates": 20, "num_networks": 2, "num_steps": 10},
    "predictor_guided": {"num_startup": 5, "refit_every": 20, "num_candidates": 40},
}
NUM_RUNS, NUM_TRIALS = 5, 40


@functools.cache
def make_bench(name: str, noise: str = "seed", failed: float = 0.0) -> jn.TableBenchmark:
    """Returns a table of random scores on the space of a name, or behind its rows; a part of the trainings failed."""
    space = getattr(SPACES[name], "space", SPACES[name])
    random = np.random.RandomState(0)
    validation, test = random.uniform(size=(2, space.num_architectures, 3, 2)).astype(np.float32)
    validation[random.uniform(size=validation.shape[:2]) < failed] = np.nan
    table = jn.Table.from_arrays(space, "noise", validation, test, [1, 3])
    return jn.TableBenchmark(table, noise=noise, space=space)


@functools.cache
def make_trials(strategy: jn.Strategy, bench: jn.TableBenchmark) -> jn.Trials:
    return jn.run(strategy, bench, num_trials=NUM_TRIALS, num_runs=NUM_RUNS, seed=1)


def rows_of(archs: np.ndarray, space) -> np.ndarray:
    """Returns the rows of architectures in the enumeration, without jaxnas."""
    return np.ravel_multi_index(np.moveaxis(archs, -1, 0), [len(decision.values) for decision in space.decisions])


def replayed(trials: jn.Trials, bench: jn.TableBenchmark, space) -> np.ndarray:
    """Returns what the table holds for each trial."""
    rows = rows_of(trials.query.arch, space)
    return bench.table.scores("validation")[rows, trials.observation.seed, trials.query.fidelity]


def assert_architectures(archs: np.ndarray, space) -> None:
    sizes = [len(decision.values) for decision in space.decisions]
    assert archs.dtype == np.int32
    assert archs.shape[-1] == len(sizes)
    assert (archs >= 0).all()
    assert (archs < sizes).all()


def assert_equal_trials(one: jn.Trials, other: jn.Trials) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def without_cost(trials: jn.Trials) -> jn.Trials:
    return trials._replace(observation=trials.observation._replace(cost=0))


@pytest.fixture(
    scope="module",
    params=itertools.product(catalog.STRATEGIES, ("nb201", "small", "small-rows", "mixed")),
    ids="-".join,
)
def case(request) -> tuple[jn.Strategy, object, jn.TableBenchmark]:
    """Returns a strategy, its space, and a benchmark of that space."""
    name, space_name = request.param
    space = SPACES[space_name]
    return make_strategy(name, space, **HYPERPARAMETERS.get(name, {})), space, make_bench(space_name)


@pytest.fixture(params=catalog.STRATEGIES)
def name(request) -> str:
    return request.param


def test_every_history_replays_against_the_table(case):
    strategy, space, bench = case
    trials = make_trials(strategy, bench)
    np.testing.assert_array_equal(trials.observation.score, replayed(trials, bench, space))


def test_queries_are_architectures_of_the_space(case):
    strategy, space, bench = case
    assert_architectures(make_trials(strategy, bench).query.arch, space)


def test_plain_calls_give_what_compiled_ones_give(case):
    strategy, _, bench = case
    plain = jn.AskTell(
        strategy._replace(jittable=False), num_trials=NUM_TRIALS, key=jn.run_key(1, NUM_RUNS - 1), num_fidelities=2
    )
    for _ in range(12):  # slow
        plain.tell(bench.query(plain.ask(), plain.query_key()))
    compiled = jax.tree.map(lambda values: values[-1, :12], make_trials(strategy, bench))
    assert_equal_trials(without_cost(plain.trials()), without_cost(compiled))


def test_a_run_does_not_depend_on_the_runs_beside_it(case):
    strategy, _, bench = case
    if not strategy.jittable:
        pytest.skip("its runs loop in Python, one after another")
    keys = jnp.stack([jn.run_key(1, NUM_RUNS - 1)] * NUM_RUNS)  # of one shape with the others: no compilation
    copies = jax.device_get(jn.simulate(strategy, bench, NUM_TRIALS, keys))
    last = jax.tree.map(lambda values: np.stack([values[-1]] * NUM_RUNS), make_trials(strategy, bench))
    assert_equal_trials(without_cost(copies), without_cost(last))


@pytest.mark.parametrize("failed", [0.5, 1.0])
def test_failed_trainings_do_not_stop_a_run_and_are_never_incumbents(case, failed):
    strategy, space, bench = case
    bench = make_bench(next(key for key in SPACES if SPACES[key] is space), failed=failed)
    trials = make_trials(strategy, bench)
    score = trials.observation.score
    assert np.isnan(score).any()
    assert_architectures(trials.query.arch, space)
    np.testing.assert_array_equal(score, replayed(trials, bench, space))
    incumbents = jn.incumbents(trials)
    succeeded_by_now = np.cumsum(~np.isnan(score), axis=1) > 0
    np.testing.assert_array_equal(incumbents >= 0, succeeded_by_now)
    assert not np.isnan(np.take_along_axis(score, incumbents, axis=1)[incumbents >= 0]).any()


def test_a_run_among_many_is_the_run_alone_and_fewer_trials_are_a_prefix_where_nothing_is_planned(name):
    strategy, bench = make_strategy(name, MIXED, **HYPERPARAMETERS.get(name, {})), make_bench("mixed")
    first_states = [jax.tree.leaves(strategy.init(jax.random.key(0), num_trials)) for num_trials in (15, NUM_TRIALS)]
    plans = not all(np.array_equal(*leaves, equal_nan=True) for leaves in zip(*first_states, strict=True))
    num_trials = NUM_TRIALS if plans else 15
    alone = jn.run(strategy, bench, num_trials=num_trials, num_runs=1, seed=1)
    assert_equal_trials(alone, jax.tree.map(lambda values: values[:1, :num_trials], make_trials(strategy, bench)))


def test_equal_factory_calls_are_the_same_object(name):
    hyperparameters = HYPERPARAMETERS.get(name, {})
    strategies = [make_strategy(name, space, **hyperparameters) for space in (SMALL, copy.deepcopy(SMALL))]
    assert strategies[0] is strategies[1]
    assert make_strategy(name, MIXED, **hyperparameters) is not strategies[0]


def test_functions_have_the_argument_names_of_the_protocol(name):
    strategy = make_strategy(name, SMALL)
    for function, arguments in {
        "init": ["key", "num_trials"],
        "ask": ["state", "t", "key"],
        "tell": ["state", "t", "query", "observation"],
        "advance": ["state", "t", "key"],
    }.items():
        assert list(inspect.signature(getattr(strategy, function)).parameters) == arguments


def test_hyperparameters_are_keyword_arguments_and_reported(name):
    factory = catalog.strategy(name)
    first, *others = inspect.signature(factory).parameters.values()
    assert first.name == "space"
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)
    strategy = make_strategy(name, SMALL)
    assert strategy.name == name
    own = [parameter for parameter in others if parameter.name not in OFFERED]
    assert strategy.hyperparameters == tuple((parameter.name, parameter.default) for parameter in own)


def test_wrong_hyperparameters_are_refused(name):
    for hyperparameter, _ in make_strategy(name, SMALL).hyperparameters:
        with pytest.raises(ValueError, match=rf"^Expected {hyperparameter} .*, got 'nonsense'"):
            make_strategy(name, SMALL, **{hyperparameter: "nonsense"})
    with pytest.raises(TypeError, match="nonsense"):
        make_strategy(name, SMALL, nonsense=1)


def test_the_docstring_names_the_source_paper(name):
    if not catalog.references(name, catalog.STRATEGIES):
        return  # a yardstick, not a method
    text = " ".join(catalog.strategy(name).__doc__.split())
    assert re.search(r'[A-Z]\w+, "[^"]{10,}", [^."]*\b(19|20)\d\d\b', text)


# Random search


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed"])
def test_random_search_is_uniform_and_its_draws_are_independent(space_name):
    space, bench = SPACES[space_name], make_bench(space_name)
    trials = jn.run(jn.random_search(space), bench, num_trials=60, num_runs=1000)
    rows = rows_of(trials.query.arch, space)
    size = space.num_architectures
    assert chisquare(np.bincount(rows.ravel(), minlength=size)).pvalue > 1e-3
    pairs = rows[:, 0::2] * size + rows[:, 1::2]
    assert chisquare(np.bincount(pairs.ravel(), minlength=size**2)).pvalue > 1e-3


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed", "nb201"])
def test_random_search_without_replacement_is_a_random_order(space_name):
    space, bench = SPACES[space_name], make_bench(space_name)
    size = space.num_architectures
    strategy = jn.random_search(space, replacement=False)
    trials = jn.run(strategy, bench, num_trials=min(size, 500), num_runs=200)
    rows = rows_of(trials.query.arch, space)
    assert all(len(set(run.tolist())) == rows.shape[1] for run in rows)
    expected = 200 * np.bincount(np.arange(size) % 5) / size
    for place in (0, 7):
        assert chisquare(np.bincount(rows[:, place] % 5, minlength=5), expected).pvalue > 1e-3
    assert 70 < (rows[:, 0] < rows[:, 1]).sum() < 130


def test_an_exhausted_order_begins_anew():
    trials = jn.run(jn.random_search(SMALL, replacement=False), make_bench("small"), num_trials=250, num_runs=2)
    rows = rows_of(trials.query.arch, SMALL)
    np.testing.assert_array_equal(rows[:, :125], rows[:, 125:])


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed"])
def test_exhaustive_search_goes_through_the_rows(space_name):
    space = SPACES[space_name]
    trials = jn.run(jn.exhaustive_search(space), make_bench(space_name), num_trials=130, num_runs=2)
    expected = np.arange(130) % space.num_architectures
    np.testing.assert_array_equal(rows_of(trials.query.arch, space), np.stack([expected, expected]))


# Regularized evolution

CORNERS = np.repeat(np.arange(5, dtype=np.int32)[:, None], 6, axis=1)
"""Architectures of NB201 that differ in every decision, so that a child shows which of them is its parent."""


def evolved(scores: list[float], sample_size: int, num_children: int) -> np.ndarray:
    """Returns the parents (as numbers of corners) of children that evolution asks for after it was told the scores of
    corners 0, 1, ...; the population is one smaller where there are five.
    """
    strategy = jn.regularized_evolution(jn.NB201, population_size=4, sample_size=sample_size)
    state = strategy.init(jax.random.key(0), 100)
    for t, score in enumerate(scores):
        state = strategy.tell(state, t, jn.Query(CORNERS[t]), jn.Observation(jnp.float32(score), 1, 0))
    keys = jax.random.split(jax.random.key(1), num_children)
    children = jax.jit(jax.vmap(lambda key: strategy.ask(state, len(scores), key).arch))(keys)
    distances = (np.asarray(children)[:, None] != CORNERS).sum(-1)
    assert (distances.min(1) == 1).all()
    return distances.argmin(1)


@pytest.mark.parametrize("space_name", ["nb201", "nb201-rows"])
def test_each_child_differs_in_one_decision_from_a_live_member(space_name):
    space, size = SPACES[space_name], 10
    strategy = jn.regularized_evolution(space, population_size=size, sample_size=4)
    trials = jn.run(strategy, make_bench(space_name), num_trials=120, num_runs=4)
    archs = np.stack(np.unravel_index(rows_of(trials.query.arch, space), [5] * 6), axis=-1)
    for t in range(size, 120):
        members = archs[:, t - size : t]
        assert ((members != archs[:, t, None]).sum(-1) == 1).any(1).all()


def test_the_first_population_is_drawn_uniformly():
    strategy = jn.regularized_evolution(SMALL, population_size=20)
    trials = jn.run(strategy, make_bench("small"), num_trials=20, num_runs=1000)
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


@pytest.mark.parametrize("argument", ["population_size", "sample_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, None])
def test_evolution_refuses_sizes_below_one_and_other_types(argument, value):
    with pytest.raises(ValueError, match=rf"^Expected {argument} to be an int of at least 1, got {value}"):
        jn.regularized_evolution(SMALL, **{argument: value})


# Local search


def neighbors(arch: tuple[int, ...], space) -> set[tuple[int, ...]]:
    """Returns what differs in one decision, without jaxnas."""
    sizes = [len(decision.values) for decision in space.decisions]
    return {
        (*arch[:position], choice, *arch[position + 1 :])
        for position, size in enumerate(sizes)
        for choice in range(size)
        if choice != arch[position]
    }


def local_steps(archs: np.ndarray, scores: np.ndarray, space, improvement: str) -> tuple[int, list[tuple[int, ...]]]:
    """Follows one run of local search by its rules. Returns the number of moves and the centres it ended at.

    Raises AssertionError where a query is no untried neighbour of the centre, though there is one.
    """
    center, best, untried, visited = None, -np.inf, set(), set()
    tried, moves, ends = {}, 0, []
    for arch, score in zip(map(tuple, archs.tolist()), scores, strict=True):
        restarts = not untried
        if restarts:
            ends += [center] if center is not None else []
            center, best, tried = None, -np.inf, {}
        assert restarts or arch in untried
        untried.discard(arch)
        visited.add(arch)
        tried[arch] = -np.inf if np.isnan(score) else score
        winner = max(tried, key=tried.get)
        if (restarts or improvement == "first" or not untried) and tried[winner] > best:
            moves += not restarts
            center, best, tried, untried = winner, tried[winner], {}, neighbors(winner, space) - visited
    return moves, ends


@pytest.mark.parametrize("improvement", ["first", "best"])
@pytest.mark.parametrize("failed", [0.0, 0.4])
@pytest.mark.parametrize("noise", ["mean", "seed"])
@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed"])
def test_local_search_tries_each_neighbor_of_its_centre_once_then_restarts(space_name, noise, failed, improvement):
    space, bench = SPACES[space_name], make_bench(space_name, noise, failed)
    plain = getattr(space, "space", space)
    num_trials = space.num_architectures * 9 // 10
    trials = jn.run(jn.local_search(space, improvement=improvement), bench, num_trials=num_trials, num_runs=10)
    archs = trials.query.arch
    if plain is not space:
        archs = np.stack(np.unravel_index(archs[..., 0], [len(decision.values) for decision in plain.decisions]), -1)
    mean = np.nanmean(bench.table.scores("validation")[..., -1], axis=1) if failed == 0 else None
    all_moves = all_ends = 0
    for run in range(10):
        moves, ends = local_steps(archs[run], trials.observation.score[run], plain, improvement)
        all_moves, all_ends = all_moves + moves, all_ends + len(ends)
        if noise == "mean" and failed == 0 and ends:  # later climbs may end beside what was tried before
            around = np.array(list(neighbors(ends[0], plain)))
            assert mean[rows_of(np.array(ends[0]), plain)] > mean[rows_of(around, plain)].max()
    assert min(all_moves, all_ends) >= 5


@pytest.mark.parametrize("space_name", ["nb201", "nb201-rows"])
def test_local_search_asks_for_no_architecture_twice(space_name):
    trials = jn.run(jn.local_search(SPACES[space_name]), make_bench(space_name), num_trials=300, num_runs=20)
    rows = rows_of(trials.query.arch, SPACES[space_name])
    assert all(len(set(run.tolist())) == 300 for run in rows)


def test_the_record_of_a_large_space_is_a_list_and_acts_alike(monkeypatch):
    strategy = jn.local_search.__wrapped__(SMALL)
    bench = make_bench("small")
    expected = jn.run(strategy, bench, num_trials=60, num_runs=3)
    monkeypatch.setattr(visited, "MAX_BITS", 10)
    assert visited.nothing_visited(SMALL, 60).shape == (60, len(SMALL.decisions))
    assert_equal_trials(jn.run(jn.local_search.__wrapped__(SMALL), bench, num_trials=60, num_runs=3), expected)


@pytest.mark.parametrize("space_name", ["small", "small-rows", "mixed"])
def test_local_search_tries_neighbors_in_random_order(space_name):
    space = SPACES[space_name]
    strategy = jn.local_search(space)
    center = space.arch_at(jnp.int32(7))
    state = strategy.init(jax.random.key(0), 100)
    state = strategy.tell(state, 0, jn.Query(center), jn.Observation(jnp.float32(0.5), 1, 0))
    keys = jax.random.split(jax.random.key(1), 3000)
    asked = jax.jit(jax.vmap(lambda key: space.index(strategy.ask(state, 1, key).arch)))(keys)
    around = {int(space.index(arch)) for arch in space.neighbors(center)}
    counts = np.bincount(asked, minlength=space.num_architectures)
    assert set(np.flatnonzero(counts)) == around
    assert chisquare(counts[list(around)]).pvalue > 1e-3


def test_local_search_never_settles_on_a_failed_start():
    strategy = jn.local_search(SMALL)
    state = strategy.init(jax.random.key(0), 100)
    start = jn.Query(SMALL.arch_at(7))
    state = strategy.tell(state, 0, start, jn.Observation(jnp.float32(np.nan), 1, 0))
    keys = jax.random.split(jax.random.key(1), 5000)
    asked = jax.jit(jax.vmap(lambda key: SMALL.index(strategy.ask(state, 1, key).arch)))(keys)
    others = np.delete(np.bincount(asked, minlength=125), 7)
    assert chisquare(others).pvalue > 1e-3  # a fresh uniform draw
    assert others.sum() > 4990
