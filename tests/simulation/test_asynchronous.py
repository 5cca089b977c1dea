"""Runs with several workers: the order of asking and telling on the virtual clock."""

import heapq
from dataclasses import replace

import jax
import numpy as np
import pytest
from helpers.samples import FIDELITIES, GRID, tied_bench

import jaxnas as jn
from jaxnas.simulation.ask_tell import split_run_key

HALVING = jn.asynchronous_halving(GRID, fidelities=FIDELITIES)
STRATEGIES = {
    "asynchronous_halving": HALVING,
    "random_search": jn.random_search(GRID),
    "regularized_evolution": jn.regularized_evolution(GRID, population_size=5, sample_size=3),
    "reward_weighted_sampling": jn.reward_weighted_sampling(GRID),
}
NIGHTLY = [pytest.param(name, marks=pytest.mark.nightly) for name in ("random_search", "reward_weighted_sampling")]


@pytest.fixture(params=["asynchronous_halving", "regularized_evolution", *NIGHTLY])
def strategy(request) -> jn.Strategy:
    return STRATEGIES[request.param]


def assert_equal(one, other) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_one_worker_is_the_run(strategy):
    options = {"num_trials": 40, "num_runs": 3, "seed": 2}
    found = jn.simulation.run_asynchronous(strategy, tied_bench(num_seeds=2), num_workers=1, **options)
    trials = jn.run(strategy, tied_bench(num_seeds=2), **options)
    assert_equal(found.trials, trials)
    np.testing.assert_array_equal(found.number, np.tile(np.arange(40), (3, 1)))
    np.testing.assert_array_equal(found.finish, np.cumsum(trials.observation.cost, axis=1))
    np.testing.assert_array_equal(found.start, found.finish - trials.observation.cost)


def slow_run(strategy: jn.Strategy, bench, num_workers: int, num_trials: int, key: jax.Array) -> list[tuple]:
    """Returns (finish, number, start, query, observation) of each trial, by a heap of events in plain Python.

    The keys of asking and answering are those of `AskTell`, which only takes results in turn.
    """
    init_key, keys = split_run_key(key)
    state = strategy.init(init_key, num_trials)
    running, finished, paid, now = [], [], {}, 0.0
    for t in range(num_trials):
        if len(running) == num_workers:
            event = heapq.heappop(running)
            now, number, _, query, observation = event
            state = strategy.tell(state, number, query, observation)
            training = (query.arch.tobytes(), int(observation.seed))
            paid[training] = max(paid.get(training, 0), float(observation.cost))
            finished.append(event)
        state = strategy.advance(state, t, jax.random.fold_in(keys.advance, t))
        query = strategy.ask(state, t, jax.random.fold_in(keys.ask, t))
        query = query._replace(arch=np.asarray(query.arch), fidelity=np.asarray(query.fidelity) % len(FIDELITIES))
        observation = bench.query(query, jax.random.fold_in(keys.query, t))
        cost = max(float(observation.cost) - paid.get((query.arch.tobytes(), int(observation.seed)), 0), 0)
        heapq.heappush(running, (now + cost, t, now, query, observation))
    return finished + [heapq.heappop(running) for _ in range(len(running))]


@pytest.mark.parametrize("num_workers", [3, pytest.param(50, marks=pytest.mark.nightly)])
def test_several_workers_are_a_heap_of_events(strategy, num_workers):
    found = jn.simulation.run_asynchronous(
        strategy, tied_bench(0.2), num_workers=num_workers, num_trials=16, num_runs=2, seed=5
    )
    finish, number, start, query, observation = zip(
        *slow_run(strategy, tied_bench(0.2), num_workers, 16, jn.simulation.run_key(5, 1)), strict=True
    )
    assert found.finish[1].tolist() == list(finish)
    assert found.number[1].tolist() == list(number)
    assert found.start[1].tolist() == list(start)
    np.testing.assert_array_equal(found.trials.query.arch[1], np.stack([each.arch for each in query]))
    np.testing.assert_array_equal(found.trials.query.fidelity[1], np.stack([each.fidelity for each in query]))
    np.testing.assert_array_equal(found.trials.observation.score[1], np.stack([each.score for each in observation]))
    np.testing.assert_array_equal(found.trials.observation.cost[1], np.subtract(finish, start))


def test_a_query_lasts_as_long_as_its_architecture_costs():
    seconds = np.random.RandomState(1).randint(1, 40, GRID.num_architectures) / np.float32(4)
    table = tied_bench(0.2).table.with_columns({"seconds": (seconds, "seconds")})
    default = table.manifest["protocols"]["default"] | {"price": "seconds"}
    manifest = table.manifest | {"protocols": {"default": default}}
    bench = jn.TableBenchmark(replace(table, manifest=manifest), space=GRID)
    options = {"num_trials": 24, "num_runs": 2, "seed": 5}
    found = jn.simulation.run_asynchronous(HALVING, bench, num_workers=3, **options)
    finish, number, *_, observation = zip(*slow_run(HALVING, bench, 3, 24, jn.simulation.run_key(5, 1)), strict=True)
    assert found.finish[1].tolist() == list(finish)
    assert found.number[1].tolist() == list(number)
    listed = bench.price(found.trials.query.arch, found.trials.query.fidelity)
    np.testing.assert_array_equal(listed[1], [each.cost for each in observation])
    assert (found.trials.observation.cost == 0).any()  # a promotion, already paid for
    one_worker = jn.simulation.run_asynchronous(HALVING, bench, num_workers=1, **options).trials
    assert_equal(one_worker, jn.run(HALVING, bench, **options))


def test_queries_are_asked_before_earlier_ones_are_told_and_workers_are_never_idle():
    found = jn.simulation.run_asynchronous(HALVING, tied_bench(), num_workers=4, num_trials=80, num_runs=3)
    again = jn.simulation.run_asynchronous(HALVING, tied_bench(), num_workers=4, num_trials=80, num_runs=3)
    assert_equal(found, again)
    assert (np.diff(found.finish, axis=1) >= 0).all()
    for run in range(3):
        start, finish = (values[run][np.argsort(found.number[run])] for values in (found.start, found.finish))
        overtaken = [t for t in range(1, 80) if (finish[:t] > start[t]).any()]
        assert len(overtaken) > 60
        for time in np.unique(start):
            assert ((start <= time) & (finish > time)).sum() <= 4
            at_work = ((start <= time) & (finish >= time)).sum()
            assert at_work >= 4


def test_more_workers_finish_earlier():
    times = [
        jn.simulation.run_asynchronous(HALVING, tied_bench(), num_workers=number, num_trials=60, num_runs=4)
        .finish[:, -1]
        .mean()
        for number in (1, 4)
    ]
    assert times[1] < times[0] / 2


def test_a_strategy_that_is_not_jittable_runs_the_same():
    options = {"num_workers": 3, "num_trials": 20, "num_runs": 1}
    plain = jn.simulation.run_asynchronous(HALVING._replace(jittable=False), tied_bench(), **options)
    assert_equal(plain, jn.simulation.run_asynchronous(HALVING, tied_bench(), **options))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": jn.hyperband(GRID, fidelities=FIDELITIES)}, "^Expected a strategy with parallel=True, such as"),
        ({"strategy": "random_search"}, "^Expected a Strategy, such as"),
        ({"num_workers": 0}, "^Expected num_workers of 1 or more, got 0"),
        ({"num_trials": 0}, "^Expected num_trials of 1 or more, got 0"),
        ({"num_runs": 0}, "^Expected num_runs of 1 or more, got 0"),
        ({"strategy": jn.random_search(jn.NB201)}, "^Expected an architecture of the benchmark's space"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        jn.simulation.run_asynchronous(
            **{"strategy": HALVING, "bench": tied_bench(), "num_workers": 2, "num_trials": 3, "num_runs": 2} | change
        )
