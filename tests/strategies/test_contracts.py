"""What every strategy of the catalog keeps to, on every kind of space."""

import copy
import functools
import inspect
import re
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import (
    MIXED,
    OFFERED,
    SMALL,
    SPACES,
    assert_equal_trials,
    make_strategy,
    random_bench,
    rows_of,
    smooth_bench,
)
from sklearn.linear_model import LinearRegression

import jaxnas as jn
from jaxnas import catalog
from jaxnas.strategies.named import strategy_named

HYPERPARAMETERS = {
    "regularized_evolution": {"population_size": 8, "sample_size": 3},
    "genetic_algorithm": {"population_size": 8},
    "multi_objective_evolution": {"population_size": 8, "sample_size": 3},
    "nsga2": {"population_size": 8},
    "cross_entropy": {"batch_size": 10},
    "reward_weighted_sampling": {"num_initial": 5},
    "gaussian_process": {"num_candidates": 40, "num_startup": 4},
    "bananas": {"num_startup": 4, "refit_every": 6, "num_candidates": 20, "num_networks": 2, "num_steps": 10},
    "predictor_guided": {"num_startup": 5, "refit_every": 20, "num_candidates": 40},
    "successive_halving": {"num_initial": 6},
}
"""Hyperparameters with which a short run reaches all phases."""

PHASES = {
    "regularized_evolution": 8,
    "genetic_algorithm": 8,
    "multi_objective_evolution": 8,
    "nsga2": 8,
    "cross_entropy": 10,
    "reward_weighted_sampling": 5,
    "tree_parzen_estimator": 10,
    "gaussian_process": 4,
    "bananas": 4,
    "successive_halving": 6,
    "hyperband": 3,
    "asynchronous_halving": 3,
    "bohb": 7,
}
"""The first trial of the second phase, with these hyperparameters; elsewhere trial 2 is in it."""

LOOK_BEHIND_ROWS = ("gaussian_process", "bananas", "predictor_guided")
"""Strategies that learn from the architectures behind rows. To others rows are one decision of many values."""

PLAIN = ("random_search", "local_search", "regularized_evolution", "cross_entropy", "successive_halving")
"""Strategies of few operations, which plain calls compile one by one."""

NUM_RUNS, NUM_TRIALS = 4, 40


def strategy_of(name: str, space: jn.SearchSpace) -> jn.Strategy:
    return make_strategy(name, space, **HYPERPARAMETERS.get(name, {}))


@functools.cache
def make_trials(strategy: jn.Strategy, bench: jn.TableBenchmark) -> jn.simulation.Trials:
    return jn.run(strategy, bench, num_trials=NUM_TRIALS, num_runs=NUM_RUNS, seed=1)


def replayed(trials: jn.simulation.Trials, bench: jn.TableBenchmark, space: jn.SearchSpace) -> np.ndarray:
    """Returns what the table holds for each trial."""
    rows = rows_of(trials.query.arch, space)
    return bench.table.scores("validation")[rows, trials.observation.seed, trials.query.fidelity]


def assert_architectures(archs: np.ndarray, space: jn.SearchSpace) -> None:
    sizes = [len(decision.values) for decision in space.decisions]
    assert archs.dtype == np.int32
    assert archs.shape[-1] == len(sizes)
    assert (archs >= 0).all()
    assert (archs < sizes).all()


def without_cost(trials: jn.simulation.Trials) -> jn.simulation.Trials:
    return trials._replace(observation=trials.observation._replace(cost=0))


CASES = [(name, "mixed") for name in catalog.STRATEGIES]
CASES += [(name, "small-rows") for name in LOOK_BEHIND_ROWS]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request) -> tuple[jn.Strategy, str]:
    """Returns a strategy and the name of its space."""
    name, space_name = request.param
    return strategy_of(name, SPACES[space_name]), space_name


@pytest.fixture(params=catalog.STRATEGIES)
def name(request) -> str:
    return request.param


def test_every_history_replays_against_the_table(case):
    strategy, space_name = case
    bench, space = random_bench(space_name), SPACES[space_name]
    trials = make_trials(strategy, bench)
    assert_architectures(trials.query.arch, space)
    np.testing.assert_array_equal(trials.observation.score, replayed(trials, bench, space))


def test_a_run_does_not_depend_on_the_other_runs(case):
    strategy, space_name = case
    if not strategy.jittable:
        pytest.skip("its runs loop in Python, one after another")
    bench = random_bench(space_name)
    keys = jnp.stack([jn.simulation.run_key(1, NUM_RUNS - 1)] * NUM_RUNS)  # the shape of the other runs: no compilation
    copies = jax.device_get(jn.simulation.simulate(strategy, bench, NUM_TRIALS, keys))
    last = jax.tree.map(lambda values: np.stack([values[-1]] * NUM_RUNS), make_trials(strategy, bench))
    assert_equal_trials(without_cost(copies), without_cost(last))


@pytest.mark.parametrize("failed", [0.5, 1.0])
def test_failed_trainings_do_not_stop_a_run_and_are_never_incumbents(case, failed):
    strategy, space_name = case
    bench, space = random_bench(space_name, failed=failed), SPACES[space_name]
    trials = make_trials(strategy, bench)
    score = trials.observation.score
    assert np.isnan(score).any()
    assert_architectures(trials.query.arch, space)
    np.testing.assert_array_equal(score, replayed(trials, bench, space))
    incumbents = jn.analysis.incumbents(trials)
    succeeded_by_now = np.cumsum(~np.isnan(score), axis=1) > 0
    np.testing.assert_array_equal(incumbents >= 0, succeeded_by_now)
    assert not np.isnan(np.take_along_axis(score, incumbents, axis=1)[incumbents >= 0]).any()


def test_asking_and_telling_gives_the_run(name):
    strategy, bench = strategy_of(name, MIXED), random_bench("mixed")
    loop = jn.AskTell(strategy, num_trials=NUM_TRIALS, key=jn.simulation.run_key(1, NUM_RUNS - 1), num_fidelities=2)
    for _ in range(NUM_TRIALS):
        loop.tell(bench.query(loop.ask(), loop.query_key()))
    last = jax.tree.map(lambda values: values[-1], make_trials(strategy, bench))
    assert_equal_trials(without_cost(loop.trials()), without_cost(last))


def values_of(leaf: jax.Array) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)


def assert_close(compiled, plain) -> None:
    """Compares integers exactly, and floats but for the order of sums, which the compiler may choose."""
    for one, other in zip(jax.tree.leaves(compiled), jax.tree.leaves(plain), strict=True):
        one, other = values_of(jnp.asarray(one)), values_of(jnp.asarray(other))
        if np.issubdtype(one.dtype, np.floating):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
        else:
            np.testing.assert_array_equal(one, other)


def only_nightly(names: Iterable[str], but: tuple[str, ...]) -> list:
    """Returns a parameter for each name, those that are not in `but` marked."""
    return [pytest.param(name, marks=() if name in but else pytest.mark.nightly) for name in names]


@pytest.mark.parametrize("name", only_nightly(catalog.STRATEGIES, PLAIN))
def test_plain_calls_give_what_compiled_ones_give(name):
    """One trial, the first of the second phase: plain calls compile each operation, and take a second a trial."""
    strategy = strategy_of(name, MIXED)
    if not strategy.jittable:
        pytest.skip("all its calls are plain")
    ask, tell, advance = (jax.jit(function) for function in (strategy.ask, strategy.tell, strategy.advance))
    scores = np.random.RandomState(0).uniform(size=PHASES.get(name, 2) + 1).astype(np.float32)
    scores[1] = np.nan
    state = jax.jit(strategy.init, static_argnums=1)(jax.random.key(2), NUM_TRIALS)
    for t, score in enumerate(scores):
        key, before = jax.random.key(t), state
        state = advance(before, t, key)
        query = ask(state, t, key)
        observation = jn.simulation.Observation(jnp.float32(score), jnp.float32(1), jnp.int32(0))
        after = tell(state, t, query, observation)
        if t < len(scores) - 1:
            state = after
    assert_close(state, strategy.advance(before, t, key))
    assert_close(query, strategy.ask(state, t, key))
    assert_close(after, strategy.tell(state, t, query, observation))


@pytest.mark.parametrize("name", ["random_search", "local_search", "genetic_algorithm"])
def test_a_run_alone_of_fewer_trials_is_a_prefix_where_nothing_is_planned(name):
    strategy, bench = strategy_of(name, MIXED), random_bench("mixed")
    alone = jn.run(strategy, bench, num_trials=15, num_runs=1, seed=1)
    assert_equal_trials(alone, jax.tree.map(lambda values: values[:1, :15], make_trials(strategy, bench)))


# Quality

BUDGETS = {
    "gaussian_process": (60, 30),
    "bananas": (60, 20),
    "predictor_guided": (60, 8),
    "tree_parzen_estimator": (150, 100),
    "bohb": (200, 150),
}
"""Trials and runs of strategies that compute for long; of the others 300 and 150."""

YARDSTICKS = ("random_search", "exhaustive_search")
FAIL = ("regularized_evolution", "gaussian_process", "cross_entropy", "successive_halving")
"""Strategies that always search the table where half of the trainings failed, one of each sort."""
COMPUTE = ("tree_parzen_estimator", "bohb")
"""Strategies whose runs take longer than the compilation of an optimized program."""


QUICK = {
    "bananas": {"num_networks": 3, "num_steps": 60, "num_candidates": 60},
    "predictor_guided": {"regressor_factory": LinearRegression},
}


@functools.cache
def drawn_regrets(bench: jn.TableBenchmark) -> np.ndarray:
    """Returns the regrets of random search, float[runs, T]."""
    return jn.regret(jn.run(jn.random_search(bench.space), bench, num_trials=300, num_runs=300), bench)


SEARCH = [name for name in catalog.STRATEGIES if name not in YARDSTICKS]


@pytest.mark.parametrize("name", SEARCH)
def test_it_beats_random_search_on_a_smooth_table(name, request):
    assert_better(name, 0.0, request)


@pytest.mark.parametrize("name", only_nightly(SEARCH, FAIL))
def test_it_beats_random_search_where_half_of_the_trainings_failed(name, request):
    """The program is that of the test above."""
    assert_better(name, 0.5, request)


def assert_better(name: str, failed: float, request: pytest.FixtureRequest) -> None:
    """Random search gets the trials that the strategy's cost pays for."""
    if name in COMPUTE:
        request.getfixturevalue("optimized_runs")
    num_trials, num_runs = BUDGETS.get(name, (300, 150))
    bench = smooth_bench(failed=failed, fidelities=(1, 3, 9))
    strategy = make_strategy(name, bench.space, fidelities=bench.fidelities, **QUICK.get(name, {}))
    trials = jn.run(strategy, bench, num_trials=num_trials, num_runs=num_runs)
    found = jn.regret(trials, bench)[:, -1]
    same_cost = int(trials.observation.cost.sum(1).mean() / bench.fidelities[-1])
    drawn = drawn_regrets(bench)[:, same_cost - 1]
    error = np.hypot(found.std() / len(found) ** 0.5, drawn.std() / len(drawn) ** 0.5)
    assert found.mean() < drawn.mean() - 2.5 * error
    assert found.mean() < (1 if failed else 0.8) * drawn.mean()


# Factories


def test_equal_factory_calls_are_the_same_object(name):
    strategies = [strategy_of(name, space) for space in (SMALL, copy.deepcopy(SMALL))]
    assert strategies[0] is strategies[1]
    assert strategy_of(name, MIXED) is not strategies[0]


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
    factory = strategy_named(name)
    first, *others = inspect.signature(factory).parameters.values()
    assert first.name == "space"
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)
    strategy = make_strategy(name, SMALL)
    assert strategy.name == name
    own = [parameter for parameter in others if parameter.name not in OFFERED]
    assert strategy.hyperparameters == tuple((parameter.name, parameter.default) for parameter in own)


def test_what_is_no_space_is_refused(name):
    for wrong in (3, "nb201", random_bench("small")):
        with pytest.raises(ValueError, match=r"Expected a search space, such as bench\.space"):
            strategy_named(name)(wrong)


def test_wrong_hyperparameters_are_refused(name):
    for hyperparameter, _ in make_strategy(name, SMALL).hyperparameters:
        with pytest.raises(ValueError, match=rf"Expected {hyperparameter} .*, got 'nonsense'"):
            make_strategy(name, SMALL, **{hyperparameter: "nonsense"})
    with pytest.raises(TypeError, match="nonsense"):
        make_strategy(name, SMALL, nonsense=1)


def test_the_docstring_names_the_source_paper(name):
    if not catalog.cites(name, catalog.STRATEGIES):
        pytest.skip("a yardstick without a paper")
    text = " ".join(strategy_named(name).__doc__.split())
    assert re.search(r'[A-Z]\w+, "[^"]{10,}", [^."]*\b(19|20)\d\d\b', text)
