"""Local search: every neighbor of the center once, in random order, then a restart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL, SPACES, assert_equal_trials, random_bench, rows_of
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas.strategies.parts import visited


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
    """Follows one run of local search by its rules. Returns the number of moves and the centers it ended at.

    Raises AssertionError where a query is no untried neighbor of the center, though there is one.
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
def test_local_search_tries_each_neighbor_of_its_center_once_then_restarts(space_name, noise, failed, improvement):
    space, bench = SPACES[space_name], random_bench(space_name, noise, failed)
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
        if noise == "mean" and failed == 0 and ends:  # later climbs may end next to what was tried before
            around = np.array(list(neighbors(ends[0], plain)))
            assert mean[rows_of(np.array(ends[0]), plain)] > mean[rows_of(around, plain)].max()
    assert min(all_moves, all_ends) >= 5


@pytest.mark.parametrize("space_name", ["nb201", "nb201-rows"])
def test_local_search_asks_for_no_architecture_twice(space_name):
    trials = jn.run(jn.local_search(SPACES[space_name]), random_bench(space_name), num_trials=300, num_runs=20)
    rows = rows_of(trials.query.arch, SPACES[space_name])
    assert all(len(set(run.tolist())) == 300 for run in rows)


def test_the_record_of_a_large_space_is_a_list_and_acts_alike(monkeypatch):
    strategy = jn.local_search.__wrapped__(SMALL)
    bench = random_bench("small")
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
    state = strategy.tell(state, 0, jn.Query(center), jn.simulation.Observation(jnp.float32(0.5), 1, 0))
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
    state = strategy.tell(state, 0, start, jn.simulation.Observation(jnp.float32(np.nan), 1, 0))
    keys = jax.random.split(jax.random.key(1), 5000)
    asked = jax.jit(jax.vmap(lambda key: SMALL.index(strategy.ask(state, 1, key).arch)))(keys)
    others = np.delete(np.bincount(asked, minlength=125), 7)
    assert chisquare(others).pvalue > 1e-3  # a fresh uniform draw
    assert others.sum() > 4990
