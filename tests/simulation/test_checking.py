"""Wrong strategies are told what is wrong, by `check_strategy` and by every run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import FIDELITIES, GRID, MIXED, make_strategy, random_bench, tied_bench, total

import jaxnas as jn
from jaxnas import catalog
from jaxnas.simulation import checking

BENCH = random_bench("mixed")
SLOW = ("bananas", "predictor_guided")
"""Strategies that compute for long."""
GOOD = jn.random_search(MIXED)


def mine(**functions) -> jn.Strategy:
    """Returns random search with other functions."""
    return GOOD._replace(name="mine", **functions)


def bad_if(state, t, key):
    arch = MIXED.sample(key)
    return jn.Query(arch if arch[0] > 0 else MIXED.sample(jax.random.fold_in(key, 1)))


def uniform(state, t, key):
    return jn.Query(MIXED.sample(key))


def halves(state, t, key):
    return {"n": state["n"] / 2}


def bad_growth(state, t, query, observation):
    return jnp.append(state, observation.score)


GENERATOR = np.random.default_rng(0)
NUMPY = r"^Expected ask of mine to draw by its key, got random numbers of NumPy or Python"
WRONG = {
    "python if": (
        mine(ask=bad_if),
        r"^Expected ask of mine to leave traced values to JAX.* jnp\.where .*jittable=False",
    ),
    "numpy function": (
        mine(ask=lambda state, t, key: jn.Query(np.sort(MIXED.sample(key)))),
        "^Expected ask of mine to leave traced values to JAX",
    ),
    "bare architecture": (
        mine(ask=lambda state, t, key: MIXED.sample(key)),
        r"^Expected ask of mine to return a Query, such as jn\.Query\(arch\), got an array of shape \[3\], a bare arch",
    ),
    "float choices": (
        mine(ask=lambda state, t, key: jn.Query(jnp.array([0.7, jnp.nan, 1]))),
        "^Expected ask of mine to return a Query of whole numbers, got arch of float32",
    ),
    "dict": (
        mine(ask=lambda state, t, key: jn.Query({"depth": 0})),
        "^Expected ask of mine to return a Query of whole numbers, got arch of a dict",
    ),
    "float fidelity": (
        mine(ask=lambda state, t, key: jn.Query(MIXED.sample(key), 0.5)),
        "^Expected ask of mine to return a Query of whole numbers, got fidelity of float64",
    ),
    "another structure": (
        mine(tell=lambda state, t, query, observation: (state, 1)),
        "^Expected tell of mine to return a state of the structure that it was given",
    ),
    "another shape": (
        mine(init=lambda key, num_trials: jnp.zeros(1), ask=uniform, tell=bad_growth),
        r"^Expected tell of mine to return a state of fixed shapes and dtypes, float32\[1\] in state, got float32\[2\]",
    ),
    "another dtype": (
        mine(init=lambda key, num_trials: {"n": jnp.int32(0)}, ask=uniform, advance=halves),
        r"^Expected advance of mine to return .* int32\[\] in state\['n'\], got float32\[\]",
    ),
    "numpy's random": (mine(ask=lambda state, t, key: jn.Query(np.random.randint(0, 2, 3))), NUMPY),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_before_the_first_trial(case):
    strategy, message = WRONG[case]
    for call in (
        lambda: jn.simulation.check_strategy(strategy, BENCH),
        lambda: jn.run(strategy, BENCH, num_trials=5, num_runs=2),
        lambda: jn.compare([strategy], BENCH, num_trials=5, num_runs=2),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("case", ["python if", "bare architecture", "float choices", "another shape"])
def test_a_loop_says_what_is_wrong(case):
    strategy, message = WRONG[case]
    loop = jn.AskTell(strategy, num_trials=5, key=jn.simulation.run_key(0, 0))
    with pytest.raises(ValueError, match=message):
        loop.ask(), loop.tell(0.5)


def test_what_only_a_closer_look_finds():
    strategy = mine(ask=lambda state, t, key: jn.Query(GENERATOR.integers(0, 2, 3).astype(np.int32)))
    with pytest.raises(ValueError, match=r"^Expected ask of mine to be a pure function, got another computation"):
        jn.simulation.check_strategy(strategy, BENCH)
    for arch, message in (
        ([0, 3, 1], r"choices below \[2, 3, 2\], got \[0, 3, 1\]"),
        ([0, 1], r"3 choices, got shape"),
    ):
        strategy = mine(ask=lambda state, t, key, arch=arch: jn.Query(jnp.array(arch)))
        with pytest.raises(ValueError, match=f"^Expected ask of mine to return .*{message}"):
            jn.simulation.check_strategy(strategy, BENCH)
    strategy = mine(ask=lambda state, t, key: jn.Query(MIXED.sample(key), 7))
    with pytest.raises(ValueError, match=r"^Expected ask of mine to return one of 2 fidelities, got 7"):
        jn.simulation.check_strategy(strategy, BENCH)


def test_a_strategy_in_python_may_draw_as_it_likes_but_returns_queries():
    random = np.random.RandomState(0)
    strategy = mine(ask=lambda state, t, key: jn.Query(random.randint(0, 2, 3)), jittable=False)
    jn.simulation.check_strategy(strategy, BENCH)
    assert jn.run(strategy, BENCH, num_trials=3, num_runs=2).query.arch.shape == (2, 3, 3)
    with pytest.raises(ValueError, match=r"^Expected ask of mine to return a Query"):
        jn.simulation.check_strategy(strategy._replace(ask=lambda state, t, key: [0, 1, 1]), BENCH)


@pytest.mark.parametrize("name", [name for name in catalog.STRATEGIES if name not in SLOW])
def test_the_strategies_of_the_package_pass(name):
    assert jn.simulation.check_strategy(make_strategy(name, MIXED), BENCH, num_trials=20) is None


def no_strategy(space):
    return space


def test_factories_get_what_they_need_of_the_benchmark():
    bench, options = tied_bench(), {"num_trials": 8, "num_runs": 2}
    plain = jn.run(jn.asynchronous_halving(GRID, fidelities=FIDELITIES), bench, **options)
    jax.tree.map(np.testing.assert_array_equal, jn.run(jn.asynchronous_halving, bench, **options), plain)
    found = jn.simulation.run_asynchronous(jn.asynchronous_halving, bench, num_workers=1, **options)
    jax.tree.map(np.testing.assert_array_equal, found.trials, plain)
    loop = jn.AskTell(jn.asynchronous_halving, num_trials=8, key=jn.simulation.run_key(0, 0), bench=bench)
    assert loop.ask().fidelity == plain.query.fidelity[0, 0]
    with pytest.raises(ValueError, match=r"^Expected a Strategy, such as .*, got function"):
        jn.AskTell(total, num_trials=8, key=jn.simulation.run_key(0, 0))
    with pytest.raises(ValueError, match=r"Expected no_strategy to return a Strategy, got SearchSpace"):
        jn.run(no_strategy, bench, **options)


@pytest.mark.parametrize("num_trials", [10**9, 2**31, 10**30])
@pytest.mark.parametrize("factory", [jn.random_search, jn.hyperband, jn.local_search])
def test_more_trials_than_memory_are_refused(num_trials, factory):
    with pytest.raises(ValueError, match=r"^Expected num_trials of at most .* whose results take up 4 GiB, got"):
        jn.run(factory, BENCH, num_trials=num_trials, num_runs=1)
    with pytest.raises(ValueError, match=r"^Expected num_trials of at most .* whose results take up 4 GiB, got"):
        jn.AskTell(factory, bench=BENCH, num_trials=num_trials, key=jn.simulation.run_key(0, 0))


def test_states_that_take_more_than_memory_are_refused():
    message = (
        r"^Expected num_trials for which the states of 1 runs of gaussian_process take up 4 GiB at most, got 50,000"
    )
    with pytest.raises(ValueError, match=message):
        jn.run(jn.gaussian_process, BENCH, num_trials=50_000, num_runs=1)
    checking.check_memory(jn.random_search(MIXED), 10**6, 100, 3)


@pytest.mark.parametrize("num_trials", [1.5, "10", None])
def test_counts_are_whole_numbers(num_trials):
    with pytest.raises(ValueError, match=r"^Expected num_trials of 1 or more, got"):
        jn.run(GOOD, BENCH, num_trials=num_trials, num_runs=1)


@pytest.mark.parametrize(
    ("strategy", "num_trials", "message"),
    [
        (
            jn.regularized_evolution(MIXED, population_size=20),
            20,
            "20 trials are fewer than 21, so that all are uniform",
        ),
        (jn.cross_entropy(MIXED, batch_size=30), 25, "25 trials are fewer than 31"),
        (jn.tree_parzen_estimator(MIXED), 8, "8 trials are fewer than 11"),
        (
            jn.hyperband(GRID, fidelities=FIDELITIES),
            9,
            "9 trials are fewer than 13, so that its first bracket reaches no",
        ),
    ],
)
def test_a_plan_that_does_not_fit_its_budget_says_so(strategy, num_trials, message):
    with pytest.warns(UserWarning, match=f"^{strategy.name}: {message}"):
        strategy.init(jax.random.key(0), num_trials)


def test_a_plan_that_fits_says_nothing(recwarn):
    for factory in (jn.regularized_evolution, jn.gaussian_process, jn.local_search, jn.tree_parzen_estimator):
        factory(MIXED).init(jax.random.key(0), 20)
    assert not recwarn.list


def test_spaces_of_a_single_architecture_can_be_searched():
    space = jn.SearchSpace("one", (jn.Decision("a", (1,)), jn.Decision("b", (2,))))
    bench = jn.benchmarks.FunctionBenchmark(space, total)
    for name in ("random_search", "local_search", "regularized_evolution", "simulated_annealing", "gaussian_process"):
        trials = jn.run(make_strategy(name, space, fidelities=(1,)), bench, num_trials=3, num_runs=1)
        assert (trials.query.arch == 0).all()


def test_exhaustive_search_of_a_space_too_large_to_number_is_refused():
    space = jn.SearchSpace("vast", tuple(jn.Decision(f"d{number}", range(10)) for number in range(30)))
    with pytest.raises(ValueError, match=r"^Expected a space of fewer than 2\*\*31 architectures to number them"):
        jn.exhaustive_search(space)
