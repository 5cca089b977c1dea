"""Confirmed incumbents: which trials hold them, what they cost, and that they are chosen without the lucky run."""

import numpy as np
import pytest
from helpers.samples import GRID, MIXED, make_bench

import jaxnas as jn

NUM_RUNS = 5


def noisy_bench(noise: float, space: jn.SearchSpace = MIXED) -> jn.TableBenchmark:
    """Returns a table whose runs are an architecture's mean and noise; test scores are without noise."""
    random = np.random.RandomState(0)
    means = random.permutation(np.linspace(0.4, 0.6, space.num_architectures)).astype(np.float32)
    test = np.broadcast_to(means[:, None, None], (len(means), NUM_RUNS, 2))
    validation = test + noise * random.randn(*test.shape).astype(np.float32)
    return make_bench(space, validation, test, (1, 3))


def trials_of(bench, num_trials=12, num_runs=20, **options) -> jn.simulation.Trials:
    return jn.run(jn.random_search(MIXED, replacement=True), bench, num_trials=num_trials, num_runs=num_runs, **options)


def by_loops(trials, bench, m, k) -> tuple[np.ndarray, np.ndarray]:
    """Returns what `confirmed` returns, written with loops, for trials at one fidelity."""
    scores = bench.table.scores("validation")[..., -1].astype(float)
    rows, seeds = bench.rows(trials.query.arch), np.asarray(trials.observation.seed)
    priority = np.random.default_rng(0).random((len(rows), 1, NUM_RUNS))[:, 0]
    numbers, costs = np.empty(rows.shape, int), np.empty(rows.shape)
    for run, told in enumerate(np.asarray(trials.observation.score)):
        for last in range(rows.shape[1]):
            best = {}
            for trial in sorted(range(last + 1), key=lambda trial: (-told[trial], trial)):
                best.setdefault(rows[run, trial], trial)
            held = list(best.values())[:m]
            means = []
            for trial in held:
                order = [each for each in priority[run].argsort() if each != seeds[run, trial]]
                means.append(scores[rows[run, trial], order[:k]].mean())
            numbers[run, last] = held[int(np.argmax(means))]
            costs[run, last] = len(held) * k * bench.fidelities[-1]
    return numbers, costs


@pytest.mark.parametrize(("m", "k"), [(1, 1), (1, 4), (3, 2), (5, 4)])
def test_it_is_what_loops_find(m, k):
    bench = noisy_bench(0.1)
    trials = trials_of(bench)
    numbers, costs = by_loops(trials, bench, m, k)
    found = jn.analysis.confirmed(trials, bench, (m, k))
    np.testing.assert_array_equal(found.numbers, numbers)
    np.testing.assert_allclose(found.costs, costs)
    if m == 1:
        np.testing.assert_array_equal(found.numbers, jn.analysis.incumbents(trials))


def test_a_confirmation_chooses_better_where_runs_are_noisy():
    bench = noisy_bench(0.1, GRID)
    trials = jn.run(jn.random_search(GRID), bench, num_trials=60, num_runs=400)
    plain, confirmed = (jn.regret(trials, bench, confirm=confirm)[:, -1].mean() for confirm in (None, (10, 4)))
    assert confirmed < 0.8 * plain


def test_a_higher_fidelity_starts_the_list_again_and_failures_never_enter():
    bench = noisy_bench(0.01)
    query = jn.Query(np.array([[[0, 0, 0], [1, 2, 1], [0, 1, 0], [1, 1, 1]]]), np.array([[0, 0, 1, 1]]))
    told = jn.simulation.Observation(
        np.array([[0.9, 0.8, 0.3, np.nan]], np.float32), np.ones((1, 4)), np.zeros((1, 4), int)
    )
    found = jn.analysis.confirmed(jn.simulation.Trials(query, told), bench, (3, 2))
    assert found.numbers[0, 2:].tolist() == [2, 2]
    assert found.costs[0].tolist() == [6, 12, 6, 6]
    failed = told._replace(score=np.full((1, 4), np.nan, np.float32))
    nothing = jn.analysis.confirmed(jn.simulation.Trials(query, failed), bench, (3, 2))
    assert (nothing.numbers == -1).all()
    assert not nothing.costs.any()


def test_an_objective_is_part_of_the_choice():
    bench = noisy_bench(0.0)
    table = bench.table.with_columns({"latency": (np.arange(12, dtype=np.float32), "milliseconds")})
    weighted = jn.penalized(jn.TableBenchmark(table), 1.0, "latency")
    trials = trials_of(weighted, 30, 10)
    found = jn.analysis.confirmed(trials, weighted, (4, 3))
    np.testing.assert_array_equal(found.numbers, jn.analysis.incumbents(trials))
    assert (jn.regret(trials, weighted, confirm=(4, 3))[:, -1] == 0).all()


def test_wrong_arguments_say_what_was_expected():
    bench = noisy_bench(0.1)
    trials = trials_of(bench)
    with pytest.raises(ValueError, match=r"^Expected k of at most 4 further runs in .*, got 5"):
        jn.analysis.confirmed(trials, bench, (3, 5))
    with pytest.raises(ValueError, match=r"^Expected m to be an int of at least 1, got 0"):
        jn.analysis.confirmed(trials, bench, (0, 1))
    function = jn.benchmarks.FunctionBenchmark(MIXED, lambda arch: arch.sum())
    with pytest.raises(ValueError, match=r"^Expected a benchmark with a table, got"):
        jn.analysis.confirmed(trials, function, (1, 1))
