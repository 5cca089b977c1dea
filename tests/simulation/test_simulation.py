"""Runs: the same trajectory however they are run, and costs that count what was really paid."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxnas as jn
from jaxnas.simulation import run
from jaxnas.simulation.trials import paid_costs


def make_bench(seed: int = 0, space=SMALL, **options) -> jn.TableBenchmark:
    scores = np.random.RandomState(seed).uniform(size=(2, space.num_architectures, 3, 2))
    return jn.TableBenchmark(jn.Table.from_arrays(space, "noise", *scores, [2, 5]), space=space, **options)


BENCH = make_bench()
EVOLUTION = jn.regularized_evolution(SMALL, population_size=6, sample_size=3)


@functools.cache
def both_fidelities(space) -> jn.Strategy:
    """Returns a strategy that asks at random for either fidelity, and whose `advance` changes what it asks."""

    def init(key, num_trials):
        return space.sample(key)

    def ask(state, t, key):
        return jn.Query(state, jnp.where(t % 2 == 0, 0, -1))

    def tell(state, t, query, observation):
        return jnp.where(observation.score > 0.5, space.arch_at(0), state)

    def advance(state, t, key):
        return jnp.where(t % 3 == 0, space.mutate(key, state), state)

    return jn.Strategy("both_fidelities", init, ask, tell, advance)


STRATEGIES = {
    "random_search": jn.random_search(SMALL),
    "regularized_evolution": EVOLUTION,
    "local_search": jn.local_search(SMALL.enumerated()),
    "both_fidelities": both_fidelities(SMALL),
}


@pytest.fixture(params=STRATEGIES)
def strategy(request) -> jn.Strategy:
    return STRATEGIES[request.param]


def assert_equal(one, other) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def asked_and_told(strategy: jn.Strategy, bench, num_trials: int, key: jax.Array) -> jn.simulation.Trials:
    loop = jn.AskTell(strategy, num_trials=num_trials, key=key, num_fidelities=len(bench.fidelities))
    for _ in range(num_trials):
        loop.tell(bench.query(loop.ask(), loop.query_key()))
    return loop.trials()


# One trajectory


def test_runs_in_chunks_are_the_runs_at_once(monkeypatch):
    at_once = jn.run(EVOLUTION, BENCH, num_trials=20, num_runs=20)
    monkeypatch.setattr(run, "MAX_RUNS_AT_ONCE", 8)
    assert_equal(jn.run(EVOLUTION, BENCH, num_trials=20, num_runs=20), at_once)  # three chunks of 7: one run too many


@pytest.mark.parametrize("jittable", [True, False])
def test_further_runs_of_an_experiment_are_those_that_more_runs_would_have_had(jittable):
    strategy = EVOLUTION._replace(jittable=jittable)
    whole = jn.run(strategy, BENCH, num_trials=6, num_runs=7)
    parts = [jn.run(strategy, BENCH, num_trials=6, num_runs=size, first_run=first) for first, size in ((0, 4), (4, 3))]
    assert_equal(jax.tree.map(lambda *values: np.concatenate(values), *parts), whole)


def test_a_loop_of_asking_and_telling_is_the_run(strategy):
    trials = jn.run(strategy, BENCH, num_trials=25, num_runs=3, seed=4)
    for number in (0, 2):
        loop = asked_and_told(strategy, BENCH, 25, jn.simulation.run_key(4, number))
        assert_equal(loop.query, jax.tree.map(lambda values, number=number: values[number], trials.query))
        np.testing.assert_array_equal(loop.observation.score, trials.observation.score[number])
        np.testing.assert_array_equal(loop.observation.seed, trials.observation.seed[number])


def test_a_strategy_that_is_not_jittable_runs_the_same(strategy):
    finished = []
    plain = jn.run(
        strategy._replace(jittable=False),
        BENCH,
        num_trials=12,
        num_runs=3,
        seed=4,
        progress=lambda: finished.append(None),
    )
    assert_equal(plain, jn.run(strategy, BENCH, num_trials=12, num_runs=3, seed=4))
    assert len(finished) == 3 * 12


def test_a_strategy_that_is_not_jittable_may_be_plain_python():
    def ask(state, t, key):
        return jn.Query(np.array([t % 5, len(state) % 5, 0]))

    def tell(state, t, query, observation):
        return [*state, float(observation.score)]

    strategy = jn.Strategy("plain", lambda key, num_trials: [], ask, tell, jittable=False)
    trials = jn.run(strategy, BENCH, num_trials=7, num_runs=2)
    assert trials.query.arch[:, :, 0].tolist() == [[0, 1, 2, 3, 4, 0, 1]] * 2
    np.testing.assert_array_equal(trials.query.arch[..., 0], trials.query.arch[..., 1])


def test_the_answers_vary_between_runs_and_seeds(strategy):
    trials = jn.run(strategy, BENCH, num_trials=25, num_runs=3, seed=4)
    others = jn.run(strategy, BENCH, num_trials=25, num_runs=3, seed=5)
    scores = [*trials.observation.score, *others.observation.score]
    assert len({score.tobytes() for score in scores}) == 6


def test_threefry_gives_other_runs_than_hash_and_the_same_each_time():
    runs = [jn.run(EVOLUTION, BENCH, num_trials=20, num_runs=3, prng=prng) for prng in ("hash", "threefry", "threefry")]
    assert not np.array_equal(runs[0].query.arch, runs[1].query.arch)
    assert_equal(runs[1], runs[2])
    loop = asked_and_told(EVOLUTION, BENCH, 20, jn.simulation.run_key(0, 1, "threefry"))
    np.testing.assert_array_equal(loop.query.arch, runs[1].query.arch[1])


def test_compare_returns_what_run_returns():
    options = {"num_trials": 20, "num_runs": 3, "seed": 2}
    strategies = {"mine": EVOLUTION, "baseline": jn.random_search(SMALL)}
    compared = jn.compare(strategies, BENCH, **options).trials
    assert list(compared) == ["mine", "baseline"]
    for name, strategy in strategies.items():
        assert_equal(compared[name], jn.run(strategy, BENCH, **options))


def test_fidelities_are_indices_and_their_prices_the_epochs():
    trials = jn.simulation.simulate(both_fidelities(SMALL), BENCH, 4, jax.random.split(jax.random.key(0), 2))
    assert trials.query.fidelity.tolist() == [[0, 1, 0, 1]] * 2
    assert trials.observation.cost.tolist() == [[2, 5, 2, 5]] * 2
    stored = BENCH.table.scores("validation")[
        BENCH.rows(trials.query.arch), trials.observation.seed, trials.query.fidelity
    ]
    np.testing.assert_array_equal(trials.observation.score, stored)


# Compilation


def test_equal_calls_and_tables_of_one_shape_share_a_compilation(compiled):
    other_bench = make_bench(seed=1)
    first = jn.run(EVOLUTION, BENCH, num_trials=11, num_runs=3)
    assert compiled
    compiled.clear()
    assert_equal(jn.run(EVOLUTION, BENCH, num_trials=11, num_runs=3), first)
    equal = jn.regularized_evolution(SMALL, population_size=6, sample_size=3)
    other = jn.run(equal, other_bench, num_trials=11, num_runs=3, seed=7)
    assert compiled == []
    assert not np.array_equal(other.observation.score, first.observation.score)
    jn.run(EVOLUTION, BENCH, num_trials=13, num_runs=3)  # a number that no other test has
    assert compiled


# AskTell


def test_evolution_of_many_runs_draws_or_mutates_but_not_both():
    keys = jax.random.split(jax.random.key(0), 4)
    states = jax.vmap(lambda key: EVOLUTION.init(key, 9))(keys)
    assert "cond[" in str(jax.make_jaxpr(jax.vmap(EVOLUTION.ask, (0, None, 0)))(states, 3, keys))


def test_asking_again_gives_the_same_query_until_it_is_told():
    loop = jn.AskTell(EVOLUTION, num_trials=5, key=jn.simulation.run_key(0, 0))
    query = loop.ask()
    assert loop.ask() is query
    assert isinstance(query.arch, np.ndarray)
    loop.tell(0.5)
    assert loop.num_told == 1
    assert not np.array_equal(loop.ask().arch, query.arch)


def test_telling_a_number_is_telling_an_observation():
    numbers, observations = (jn.AskTell(EVOLUTION, num_trials=20, key=jn.simulation.run_key(0, 0)) for _ in range(2))
    for trial in range(20):
        numbers.ask(), observations.ask()
        score = np.nan if trial % 4 == 3 else trial / 20
        numbers.tell(score)
        observations.tell(jn.simulation.Observation(score, 1, 0))
    assert_equal(numbers.trials(), observations.trials())


def test_a_loop_goes_on_where_another_one_was_told_the_same():
    whole = asked_and_told(EVOLUTION, BENCH, 20, jn.simulation.run_key(0, 0))
    loop = jn.AskTell(EVOLUTION, num_trials=20, key=jn.simulation.run_key(0, 0), num_fidelities=2)
    for score in whole.observation.score[:13]:
        loop.ask()
        loop.tell(score)
    np.testing.assert_array_equal(loop.ask().arch, whole.query.arch[13])


@pytest.mark.parametrize("factory", [jn.gaussian_process, jn.tree_parzen_estimator])
def test_loops_of_other_lengths_share_their_programs(factory, compiled):
    strategy = factory(SMALL, num_startup=4)

    def queries(num_trials: int) -> np.ndarray:
        loop = jn.AskTell(strategy, num_trials=num_trials, key=jn.simulation.run_key(0, 0))
        for trial in range(11):
            loop.ask()
            loop.tell(trial % 4 / 4)
        return loop.trials().query.arch

    first = queries(11)
    compiled.clear()
    np.testing.assert_array_equal(queries(12), first)
    assert not [name for name in compiled if "ask_next" in name or "tell_next" in name]
    queries(33)
    assert [name for name in compiled if "ask_next" in name]


def test_telling_before_asking_is_refused():
    loop = jn.AskTell(EVOLUTION, num_trials=5, key=jn.simulation.run_key(0, 0))
    with pytest.raises(ValueError, match=r"^Expected ask\(\) before tell\(\)"):
        loop.tell(0.5)
    loop.ask()
    loop.tell(0.5)
    with pytest.raises(ValueError, match=r"^Expected ask\(\) before tell\(\)"):
        loop.tell(0.5)


def test_trials_before_the_first_are_refused():
    loop = jn.AskTell(EVOLUTION, num_trials=5, key=jn.simulation.run_key(0, 0))
    loop.ask()
    with pytest.raises(ValueError, match=r"^Expected at least one finished trial, got none"):
        loop.trials()


# Functions


def parabola(arch):
    return -((arch - 1) ** 2).sum() / 8.0


@pytest.mark.parametrize("strategy_of", [jn.random_search, jn.local_search, jn.regularized_evolution])
def test_a_jax_function_and_the_same_function_on_the_host_give_the_same(strategy_of):
    strategy = strategy_of(MIXED)
    benches = [jn.benchmarks.FunctionBenchmark(MIXED, parabola, host=host) for host in (False, True)]
    trials = [jn.run(strategy, bench, num_trials=15, num_runs=4) for bench in benches]
    assert_equal(*trials)
    assert len(np.unique(trials[0].observation.score)) > 2
    np.testing.assert_array_equal(trials[0].observation.score, -((trials[0].query.arch - 1) ** 2).sum(-1) / 8)
    loop = asked_and_told(strategy, benches[1], 15, jn.simulation.run_key(0, 2))
    np.testing.assert_array_equal(loop.observation.score, trials[0].observation.score[2])


def test_a_host_function_may_be_any_python_and_may_fail():
    def function(arch):
        names = list(MIXED.decode(arch).values())
        return np.nan if "tanh" in names else names[1] / 32

    bench = jn.benchmarks.FunctionBenchmark(MIXED, function, host=True)
    trials = jn.run(jn.random_search(MIXED), bench, num_trials=20, num_runs=2)
    tanh = trials.query.arch[..., 2] == 1
    np.testing.assert_array_equal(np.isnan(trials.observation.score), tanh)
    assert set(trials.observation.score[~tanh].tolist()) == {0.25, 0.5, 1.0}


def test_a_space_too_large_to_number_can_be_searched():
    space = jn.SearchSpace("large", tuple(jn.Decision(str(number), range(10)) for number in range(40)))
    bench = jn.benchmarks.FunctionBenchmark(space, lambda arch: (arch == 0).mean())
    for strategy in (jn.random_search(space), jn.local_search(space), jn.regularized_evolution(space)):
        trials = jn.run(strategy, bench, num_trials=120, num_runs=2)
        np.testing.assert_allclose(trials.observation.score, (trials.query.arch == 0).mean(-1), rtol=1e-6)
        np.testing.assert_array_equal(trials.observation.cost, slow_costs(trials, [1.0]))


# Costs


def slow_costs(trials: jn.simulation.Trials, prices: list[float]) -> list[list[float]]:
    """Returns what each trial pays: the price of its fidelity less what the run paid so far for its training."""
    costs = []
    for archs, fidelities, seeds in zip(*trials.query[:2], trials.observation.seed, strict=True):
        paid, own = {}, []
        for arch, fidelity, seed in zip(archs, fidelities, seeds, strict=True):
            training = (*arch.tolist(), int(seed))
            before = paid.get(training, 0.0)
            own.append(max(prices[fidelity] - before, 0.0))
            paid[training] = max(prices[fidelity], before)
        costs.append(own)
    return costs


@st.composite
def histories(draw) -> tuple[jn.simulation.Trials, list[float]]:
    """Draws trials with many repeated queries, in a space that may be far too large for one int64 to number, and
    ascending prices.
    """
    num_runs, num_trials, num_fidelities = (draw(st.integers(1, bound)) for bound in (3, 25, 4))
    random = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    num_decisions = draw(st.sampled_from([1, 3, 70]))
    choices = draw(st.sampled_from([2, 1000]))  # of 2 ** 70, a number that overflows keeps the last decisions only
    few = random.randint(0, choices, (4, num_decisions)).astype(np.int32)
    few[1] = few[0]
    few[1, 0] ^= 1  # nearly the same architecture
    shape = (num_runs, num_trials)
    smallest_seed = draw(st.sampled_from([-1, 0]))  # -1 where scores are means over seeds
    query = jn.Query(few[random.randint(0, 4, shape)], random.randint(0, num_fidelities, shape))
    seeds = random.randint(smallest_seed, 2, shape)
    prices = np.cumsum(random.randint(1, 70, num_fidelities)).astype(float).tolist()
    return jn.simulation.Trials(query, jn.simulation.Observation(np.zeros(shape), np.zeros(shape), seeds)), prices


@given(histories())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_costs_are_what_was_not_paid_before(history):
    trials, prices = history
    price = np.asarray(prices, np.float32)[trials.query.fidelity]
    np.testing.assert_array_equal(paid_costs(trials, price), slow_costs(trials, prices))
    np.testing.assert_array_equal(paid_costs(trials, np.asfortranarray(price)), slow_costs(trials, prices))
    _, rows = np.unique(trials.query.arch.reshape(trials.query.fidelity.size, -1), axis=0, return_inverse=True)
    np.testing.assert_array_equal(paid_costs(trials, price, rows.reshape(price.shape)), slow_costs(trials, prices))


def test_vectors_of_one_row_are_one_training():
    query = jn.Query(np.array([[[0, 1], [1, 0], [1, 1], [1, 0]]]), np.zeros((1, 4), np.int32))
    trials = jn.simulation.Trials(
        query, jn.simulation.Observation(np.zeros((1, 4)), np.zeros((1, 4)), np.zeros((1, 4), int))
    )
    price = np.array([[0.1, 0.7, 0.3, 0.7]], np.float32)
    np.testing.assert_array_equal(paid_costs(trials, price), np.float32([[0.1, 0.7, 0.3, 0]]))
    costs = paid_costs(trials, price, rows=np.array([[5, 5, 2, 5]]))
    np.testing.assert_allclose(costs, [[0.1, 0.6, 0.3, 0]], rtol=1e-6)
    assert costs[0, 3] == 0  # exactly, although 0.7 is no sum of powers of two


def test_a_run_pays_for_each_epoch_of_a_training_once(strategy):
    trials = jn.run(strategy, BENCH, num_trials=150, num_runs=2)
    np.testing.assert_array_equal(trials.observation.cost, slow_costs(trials, [2.0, 5.0]))
    assert (trials.observation.cost == 0).any()


# Wrong arguments


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_trials": 0}, "^Expected num_trials of 1 or more, got 0"),
        ({"num_runs": -1}, "^Expected num_runs of 1 or more, got -1"),
        ({"first_run": -1}, "^Expected runs of numbers from 0 to below .*, got the first -1"),
        ({"prng": "mersenne"}, "^Expected a prng of hash or threefry, got 'mersenne'"),
        ({"strategy": "random_search"}, "^Expected a Strategy, such as"),
        ({"strategy": jn.random_search(jn.NB201)}, "^Expected an architecture of the benchmark's space"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        jn.run(**{"strategy": EVOLUTION, "bench": BENCH, "num_trials": 3, "num_runs": 2} | change)


def test_a_loop_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"^Expected num_trials of 1 or more, got 0"):
        jn.AskTell(EVOLUTION, num_trials=0, key=jn.simulation.run_key(0, 0))
    with pytest.raises(ValueError, match=r"^Expected a Strategy, such as"):
        jn.AskTell(jn.random_search, num_trials=1, key=jn.simulation.run_key(0, 0))
