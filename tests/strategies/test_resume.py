"""Promoted architectures continue their runs: which stored run answers, and what it costs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import FIDELITIES, GRID, SMALL, TINY, make_task, total

import jaxnas as jn
from jaxnas.benchmarks.base import trainings_of
from jaxnas.search.loop.journaled import journaled
from jaxnas.simulation.trials import paid_costs
from jaxnas.training.trainer import Trainer

FACTORIES = (jn.successive_halving, jn.hyperband, jn.asynchronous_halving, jn.bohb)
NUM_SEEDS = 4


@functools.cache
def bench_of(separate: bool = False, missing: bool = False) -> jn.TableBenchmark:
    """Returns a table whose scores tell architecture and run; fidelities may be separate trainings."""
    random = np.random.RandomState(0)
    scores = random.uniform(size=(GRID.num_architectures, NUM_SEEDS, len(FIDELITIES))).astype(np.float32)
    if missing:
        scores[::2, 2:] = np.nan
    fidelities = FIDELITIES
    if separate:
        fidelities = [{"name": f"{epoch}", "training": f"{epoch} epochs", "epoch": epoch} for epoch in FIDELITIES]
    table = jn.Table.from_arrays(GRID, "runs", scores, scores, fidelities, nan="missing" if missing else "failed")
    return jn.TableBenchmark(table)


def promotions(trials: jn.simulation.Trials, run: int) -> list[tuple[int, int]]:
    """Returns pairs of trials of one run, one that was promoted and the one that it became."""
    archs, fidelities = trials.query.arch[run], trials.query.fidelity[run]
    pairs = []
    for later in range(len(archs)):
        same = [t for t in range(later) if (archs[t] == archs[later]).all() and fidelities[t] < fidelities[later]]
        if same and fidelities[later] > fidelities.min():
            pairs.append((same[-1], later))
    return pairs


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
def test_a_promoted_architecture_continues_its_run_and_pays_the_difference(factory):
    strategy = factory(GRID, fidelities=FIDELITIES)
    trials = jn.run(strategy, bench_of(), num_trials=60, num_runs=3)
    found = 0
    for run in range(3):
        seed, cost = trials.observation.seed[run], trials.observation.cost[run]
        promoted = trials.query.seed[run] >= 0
        assert (trials.query.seed[run][promoted] == seed[promoted]).all()
        for before, after in promotions(trials, run):
            if promoted[after] and seed[before] == seed[after]:
                fidelities = trials.query.fidelity[run, [before, after]]
                assert cost[after] in (0, FIDELITIES[fidelities[1]] - FIDELITIES[fidelities[0]])
                found += int(cost[after] > 0)  # 0 where the same architecture was promoted before
        assert promoted.sum() == sum(promoted[after] for _, after in promotions(trials, run))
    assert found >= 20


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
def test_without_resuming_any_run_answers(factory):
    strategy = factory(GRID, fidelities=FIDELITIES, resume=False)
    trials = jn.run(strategy, bench_of(), num_trials=60, num_runs=3)
    assert (trials.query.seed == -1).all()
    assert trials.query.seed.dtype == np.int32
    again = [
        trials.observation.seed[run, before] == trials.observation.seed[run, after]
        for run in range(3)
        for before, after in promotions(trials, run)
    ]
    assert 0.05 < np.mean(again) < 0.6  # one in four by chance
    assert dict(strategy.hyperparameters)["resume"] is False


def test_a_query_for_a_run_is_answered_by_it_where_it_exists():
    bench = bench_of(missing=True)
    scores = bench.table.scores("validation")
    keys = jax.random.split(jax.random.key(0), 20)
    for row, stored in ((0, 2), (1, NUM_SEEDS)):
        arch = GRID.arch_at(row)
        ask = jax.jit(jax.vmap(lambda seed, key, arch=arch: bench.query(jn.Query(arch, -1, seed), key), (None, 0)))
        for seed in range(stored):
            answers = ask(seed, keys)
            assert (answers.seed == seed).all()
            np.testing.assert_array_equal(answers.score, np.full(20, scores[row, seed, -1]))
        anything = ask(-1, keys)
        assert set(np.asarray(anything.seed).tolist()) == set(range(stored))
        assert not np.isnan(anything.score).any()


def test_runs_that_are_not_stored_are_refused():
    strategy = jn.random_search(GRID)._replace(name="mine", ask=lambda state, t, key: jn.Query(GRID.arch_at(0), -1, 9))
    with pytest.raises(ValueError, match=r"^Expected stored runs of grid-runs, got a query of another seed from mine"):
        jn.run(strategy, bench_of(), num_trials=3, num_runs=2)


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
def test_a_training_of_its_own_is_paid_in_full(factory):
    """Fidelities of separate trainings: a promoted architecture begins anew there."""
    bench = bench_of(separate=True)
    assert len(set(trainings_of(bench).tolist())) == len(FIDELITIES)
    assert trainings_of(bench_of()).tolist() == [0] * len(FIDELITIES)
    trials = jn.run(factory(GRID, fidelities=bench.fidelities), bench, num_trials=40, num_runs=2)
    prices = np.asarray(bench.fidelities)[trials.query.fidelity]
    for run in range(2):
        for _, after in promotions(trials, run)[:5]:
            assert trials.observation.cost[run, after] == prices[run, after]


def test_workers_pay_a_separate_training_in_full_and_a_resumed_one_the_difference():
    for separate in (False, True):
        bench = bench_of(separate=separate)
        strategy = jn.asynchronous_halving(GRID, fidelities=bench.fidelities)
        options = {"num_trials": 40, "num_runs": 2, "seed": 3}
        found = jn.simulation.run_asynchronous(strategy, bench, num_workers=1, **options)
        jax.tree.map(np.testing.assert_array_equal, found.trials, jn.run(strategy, bench, **options))


def test_costs_are_those_of_one_training():
    query = jn.Query(np.zeros((1, 3, 1), np.int32), np.array([[0, 1, 2]]), np.zeros((1, 3), np.int32))
    trials = jn.simulation.Trials(
        query, jn.simulation.Observation(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3), int))
    )
    price = np.array([[1, 3, 9]], np.float32)
    np.testing.assert_array_equal(paid_costs(trials, price), [[1, 2, 6]])
    np.testing.assert_array_equal(paid_costs(trials, price, trainings=np.array([0, 0, 1])), [[1, 2, 9]])


def test_a_benchmark_that_trains_and_a_journal_resume(tmp_path, monkeypatch):
    bench = jn.benchmarks.TrainingBenchmark(Trainer(SMALL, make_task(), TINY), num_seeds=3)
    monkeypatch.setattr(
        bench, "_scores", lambda split, arch, seed, name: np.array([0.1, 0.2]) + seed
    )  # without training
    strategy = jn.successive_halving(SMALL, fidelities=(1, 2), reduction=2, num_initial=2)
    told = []
    for _ in range(2):
        kept = journaled(bench, tmp_path, {})
        loop = jn.AskTell(strategy, num_trials=3, key=jn.simulation.run_key(0, 0), num_fidelities=2)
        for _ in range(3):
            query = loop.ask()
            assert all(value.dtype == np.int32 for value in query)
            loop.tell(kept.query(query, loop.query_key()))
        kept.close()
        told.append(loop.trials())
        assert told[-1].query.seed[2] == told[-1].observation.seed[2] >= 0
    jax.tree.map(np.testing.assert_array_equal, *told)


def test_a_limit_on_the_size_keeps_the_run_that_is_asked_for():
    strategy = jn.successive_halving(GRID, fidelities=FIDELITIES)
    limited = jn.constrained(strategy, GRID, total, 20.0)
    plain, other = (jn.run(each, bench_of(), num_trials=60, num_runs=2) for each in (strategy, limited))
    jax.tree.map(np.testing.assert_array_equal, plain, other)
    small = jn.run(jn.constrained(strategy, GRID, total, 3.0), bench_of(), num_trials=60, num_runs=2)
    assert (np.asarray(jnp.sum(small.query.arch, -1)) <= 3).all()
    assert (small.query.seed >= 0).any()
