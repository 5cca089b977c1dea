"""Two objectives: fronts, ranks and hypervolumes against plain references; strategies; constraints; weighted scores."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import jaxnas as jn
from jaxnas.analysis import fronts
from jaxnas.benchmarks.penalized import Objective, objective_of
from jaxnas.strategies.parts.domination import crowding_distances, domination_ranks
from jaxnas.strategies.wrappers.constrained import constrained

FEW_VALUES = st.integers(0, 6).map(float)
POINTS = st.integers(1, 25).flatmap(lambda size: arrays(np.float32, (2, size), elements=FEW_VALUES))


@pytest.fixture(scope="module")
def bench() -> jn.TableBenchmark:
    random = np.random.RandomState(0)
    shape = (SMALL.num_architectures, 3, 2)
    validation, test = random.uniform(size=(2, *shape)).astype(np.float32)
    table = jn.Table.from_arrays(SMALL, "noise", validation, test, [1, 3])
    sizes = random.permutation(len(table.representatives)) + 10
    table = table.with_columns(
        {"num_parameters": (sizes, "parameters"), "num_flops": (7 * sizes, "multiply-accumulates")}
    )
    return jn.TableBenchmark(table, space=SMALL)


def dominates(one, other) -> bool:
    """Returns whether a point (score, size) is no worse than another in both and better in one."""
    return one != other and one[0] >= other[0] and one[1] <= other[1]


def plain_ranks(points: list[tuple[float, float]]) -> list[int]:
    ranks, left, number = {}, set(range(len(points))), 0
    while left:
        front = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        ranks |= dict.fromkeys(front, number)
        left -= front
        number += 1
    return [ranks[i] for i in range(len(points))]


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_ranks_are_those_of_peeling_fronts_off(values):
    scores, sizes = values
    assert domination_ranks(scores, sizes).tolist() == plain_ranks(list(zip(*values.tolist(), strict=True)))


def test_crowding_is_the_span_of_the_neighbors_on_the_front():
    scores, sizes = np.float32([1, 2, 4, 5, 0]), np.float32([1, 2, 3, 9, 9])
    ranks = domination_ranks(scores, sizes)
    assert ranks.tolist() == [0, 0, 0, 0, 1]
    found = crowding_distances(scores, sizes, ranks)
    np.testing.assert_allclose(found, [np.inf, 3 / 5 + 2 / 8, 3 / 5 + 7 / 8, np.inf, np.inf], rtol=1e-6)


def test_failures_are_the_last_front_and_crowd_nobody():
    scores, sizes = np.float32([-np.inf, 1, 2, 3, -np.inf]), np.float32([np.inf, 1, 2, 3, np.inf])
    ranks = domination_ranks(scores, sizes)
    assert ranks.tolist() == [1, 0, 0, 0, 1]
    assert not np.isnan(crowding_distances(scores, sizes, ranks)).any()


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_a_front_is_what_nothing_dominates_and_its_area_is_counted(values):
    scores, sizes = values
    points = list(zip(*values.tolist(), strict=True))
    expected = {point for point in points if not any(dominates(other, point) for other in points)}
    front = fronts.on_front(scores, sizes)
    assert sorted(zip(scores[front].tolist(), sizes[front].tolist(), strict=True)) == sorted(expected)
    cells = itertools.product(range(6), range(7))
    area = sum(any(score > low and size <= left for score, size in points) for low, left in cells)
    assert fronts.hypervolume(scores, sizes, 0.0, 7.0) == pytest.approx(area)


def test_failed_points_are_on_no_front():
    assert fronts.on_front(np.float32([np.nan, 1]), np.float32([0, 5])).tolist() == [False, True]


def test_the_distance_to_a_front_counts_what_is_worse_only():
    front = np.float32([0, 10]), np.float32([0, 100])
    assert fronts.distance_to_front(*front, *front) == 0
    better = np.float32([2, 20]), np.float32([0, 50])
    assert fronts.distance_to_front(*better, *front) == 0
    assert fronts.distance_to_front(np.float32([0]), np.float32([0]), *front) == pytest.approx(0.5)
    assert fronts.distance_to_front(np.float32([]), np.float32([]), *front) == float("inf")


def test_sizes_are_those_of_the_table(bench):
    archs = jax.vmap(SMALL.sample)(jax.random.split(jax.random.key(0), 20))
    rows = np.asarray(jax.vmap(SMALL.index)(archs))
    for name, stored in (
        ("parameters", bench.table.columns["num_parameters"].values),
        ("flops", bench.table.columns["num_flops"].values),
    ):
        expected = stored[bench.table.class_of[rows]]
        np.testing.assert_array_equal(bench.sizes(name, archs), expected)
        np.testing.assert_array_equal(jax.vmap(bench.size(name))(archs), expected)
        np.testing.assert_array_equal(jax.vmap(bench.size(name))(rows[:, None]), expected)
        assert bench.size(name) is bench.size(name)
    with pytest.raises(ValueError, match=r"^'seconds' is unknown. Expected a size of flops, parameters, got 'seconds'"):
        bench.size("seconds")


@pytest.mark.parametrize("factory", [jn.nsga2, jn.multi_objective_evolution])
@pytest.mark.parametrize("rows", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_a_whole_front_counts_one_and_more_trials_never_less(factory, rows, bench):
    space = bench.space.enumerated() if rows else bench.space
    strategy = factory(space, size=bench.size("parameters"), population_size=8)
    trials = jn.run(strategy, bench, num_trials=60, num_runs=4)
    assert jn.run(strategy, bench, num_trials=60, num_runs=2).observation.score.tolist() == (
        trials.observation.score[:2].tolist()
    )
    volumes, distances = fronts.front_quality(trials, bench, "parameters", np.asarray([1, 10, 60]))
    assert volumes.shape == distances.shape == (4, 3)
    assert (volumes <= 1).all()
    assert np.isfinite(distances).all()
    everything = np.arange(SMALL.num_architectures)
    front = fronts.true_front(bench, "parameters")
    scores, sizes = bench.held_out.scores(everything[:, None]), bench.sizes("parameters", everything[:, None])
    assert set(zip(scores[front], sizes[front], strict=True)) == {
        point
        for point in zip(scores.tolist(), sizes.tolist(), strict=True)
        if not any(dominates(other, point) for other in zip(scores.tolist(), sizes.tolist(), strict=True))
    }


def plain_nsga2_parents(scores, sizes, population_size: int) -> list[set[int]]:
    """Returns the trials that are parents after each generation, by NSGA-II's selection, ties apart."""
    parents, generations = set(), []
    for start in range(0, len(scores), population_size):
        candidates = sorted(parents | set(range(start, start + population_size)))
        ranks = plain_ranks([(scores[i], sizes[i]) for i in candidates])
        by_rank = [[c for c, rank in zip(candidates, ranks, strict=True) if rank == r] for r in range(max(ranks) + 1)]
        kept = []
        for front in by_rank:
            if len(kept) + len(front) <= population_size:
                kept += front
            else:
                gaps = plain_crowding(front, candidates, scores, sizes)
                kept += sorted(front, key=lambda i, gaps=gaps: -gaps[i])[: population_size - len(kept)]
        parents = set(kept)
        generations.append(parents)
    return generations


def plain_crowding(front, candidates, scores, sizes) -> dict[int, float]:
    gaps = dict.fromkeys(front, 0.0)
    for values in (scores, sizes):
        span = max(values[i] for i in candidates) - min(values[i] for i in candidates)
        ordered = sorted(front, key=lambda i, values=values: values[i])
        for place, i in enumerate(ordered):
            inside = 0 < place < len(ordered) - 1
            gaps[i] += (values[ordered[place + 1]] - values[ordered[place - 1]]) / span if inside else float("inf")
    return gaps


def test_nsga2_keeps_the_better_half_of_parents_and_children():
    random = np.random.RandomState(3)
    space, size = 8, 48
    scores, sizes = random.uniform(size=(2, size)).astype(np.float32)  # continuous, so that there are no ties
    rows = jn.SearchSpace("numbers", (jn.Decision("number", tuple(range(size))),))
    strategy = jn.nsga2(rows, size=lambda arch: jnp.asarray(sizes)[arch[0]], population_size=space)
    state = strategy.init(jax.random.key(0), size)
    for t in range(size):
        observation = jn.simulation.Observation(jnp.float32(scores[t]), jnp.float32(1), jnp.int32(0))
        state = strategy.tell(state, t, jn.Query(jnp.asarray([t])), observation)
        if (t + 1) % space == 0:
            found = set(np.asarray(state.parents.archs)[:, 0].tolist())
            assert found == plain_nsga2_parents(scores, sizes, space)[t // space]


def test_multi_objective_strategies_find_more_of_the_front_than_random_search():
    space = jn.SearchSpace("bits", tuple(jn.Decision(f"bit {i}", (0, 1)) for i in range(10)))
    bits = np.asarray(list(itertools.product((0, 1), repeat=10)))
    scores = (bits * np.arange(1, 11)).sum(1) / 55
    table = jn.Table.from_arrays(space, "bits", *(2 * [scores[:, None, None].astype(np.float32)]), [1])
    sizes = bits.sum(1)
    table = table.with_columns({"num_parameters": (sizes, "parameters"), "num_flops": (sizes, "multiply-accumulates")})
    bench = jn.TableBenchmark(table, space=space)
    found = {}
    for name, strategy in {
        "random": jn.random_search(space),
        "nsga2": jn.nsga2(space, size=bench.size("parameters"), population_size=20),
        "evolution": jn.multi_objective_evolution(space, size=bench.size("parameters"), population_size=20),
    }.items():
        trials = jn.run(strategy, bench, num_trials=200, num_runs=20)
        found[name] = fronts.front_quality(trials, bench, "parameters", np.asarray([200]))[0].mean()
    assert found["random"] + 0.02 < min(found["nsga2"], found["evolution"])


@pytest.mark.parametrize("factory", [jn.random_search, jn.local_search, jn.regularized_evolution])
@pytest.mark.parametrize("rows", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_constrained_strategies_stay_small_and_are_left_alone_within_the_limit(factory, rows, bench):
    space = bench.space.enumerated() if rows else bench.space
    strategy, size = factory(space), bench.size("parameters")
    limit = float(np.quantile(bench.table.columns["num_parameters"].values, 0.1))
    trials = jn.run(constrained(strategy, space, size, limit), bench, num_trials=30, num_runs=5)
    assert (bench.sizes("parameters", trials.query.arch) <= limit).all()
    free = jn.run(constrained(strategy, space, size, float("inf")), bench, num_trials=30, num_runs=2)
    jax.tree.map(np.testing.assert_array_equal, free, jn.run(strategy, bench, num_trials=30, num_runs=2))


def test_an_impossible_constraint_is_refused(bench):
    with pytest.raises(ValueError, match=r"^Expected a maximum that some architecture keeps to, got 1, below .* 10\.$"):
        constrained(jn.random_search(SMALL), SMALL, bench.size("parameters"), 1)


def test_a_strategy_in_python_is_constrained_in_the_same_way(bench):
    size, limit = bench.size("parameters"), float(np.quantile(bench.table.columns["num_parameters"].values, 0.3))
    trials = [
        jn.run(
            constrained(jn.random_search(SMALL)._replace(jittable=jittable), SMALL, size, limit),
            bench, num_trials=10, num_runs=2,
        )
        for jittable in (True, False)
    ]  # fmt: skip
    jax.tree.map(np.testing.assert_array_equal, *trials)


def test_a_weighted_objective_is_the_score_less_the_weighted_size(bench):
    objective = jn.penalized(bench, 0.01, "flops")
    trials = jn.run(jn.random_search(bench.space), objective, num_trials=20, num_runs=3)
    plain = jn.run(jn.random_search(bench.space), bench, num_trials=20, num_runs=3)
    sizes = bench.sizes("flops", trials.query.arch)
    np.testing.assert_allclose(trials.observation.score, plain.observation.score - 0.01 * sizes, rtol=1e-5)
    everything = np.arange(bench.space.num_architectures)[:, None]
    expected = bench.held_out.scores(everything) - 0.01 * bench.sizes("flops", everything)
    np.testing.assert_allclose(objective.held_out.scores(everything), expected)
    assert (objective.held_out.optimum, objective.held_out.worst) == pytest.approx((expected.max(), expected.min()))
    trials = jn.run(jn.local_search(bench.space), objective, num_trials=20, num_runs=3)
    assert (jn.regret(trials, objective, optimum_from="maximum") >= 0).all()
    with pytest.raises(ValueError, match=r"^Expected weight to be a number of at least 0, got -1"):
        jn.penalized(bench, -1)


# Objectives as texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("perplexity", Objective("perplexity")),
        ("perplexity, latency_raspi4", Objective("perplexity,latency_raspi4", "latency_raspi4")),
        ("perplexity - 0.5 * flops", Objective("perplexity-0.5*flops", "flops", 0.5)),
        ("perplexity-1e-6*flops", Objective("perplexity-1e-6*flops", "flops", 1e-6)),
        ("perplexity-2E+3*flops", Objective("perplexity-2E+3*flops", "flops", 2000.0)),
        ("perplexity,log-flops", Objective("perplexity,log-flops", "flops", log=True)),
        ("perplexity, flops <= 1e6", Objective("perplexity,flops<=1e6", "flops", maximum=1e6)),
    ],
)
def test_an_objective_is_of_the_metric_and_the_sizes_of_a_benchmark(text, expected):
    assert objective_of(text, ("flops", "latency_raspi4"), "perplexity") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^Expected an objective such as accuracy, accuracy,flops, accuracy,log-flops, .*, got ''"),
        ("accuracy+1*flops", r"^Expected an objective such as"),
        ("accuracy-x*flops", r"^Expected an objective such as"),
        ("accuracy-1.2.3*flops", r"^Expected an objective such as"),
        ("acuracy", r"^Did you mean accuracy.*Expected a metric of accuracy, got 'acuracy'"),
        ("flops", r"^A size is a second objective: accuracy,flops\. Expected a metric of accuracy, got 'flops'"),
        ("accuracy,flop", r"^Did you mean flops.*Expected a size of energy, flops, got 'flop'"),
        ("accuracy-1*latency", r"^Did you mean energy\? Expected a size of energy, flops, got 'latency'"),
    ],
)
def test_other_objectives_are_refused_with_the_nearest_name(text, message):
    with pytest.raises(ValueError, match=message):
        objective_of(text, ("flops", "energy"), "accuracy")


def test_without_sizes_there_is_one_objective():
    with pytest.raises(ValueError, match=r"^Expected the objective accuracy where sizes are not known, got"):
        objective_of("accuracy,flops", (), "accuracy")


# Penalties on other benchmarks


def test_a_function_with_sizes_is_penalized():
    space = jn.SearchSpace("bits", tuple(jn.Decision(f"bit {i}", (0, 1)) for i in range(6)))
    bench = jn.benchmarks.FunctionBenchmark(
        space,
        lambda arch: arch.sum(),
        test_function=lambda archs: archs.sum(-1) + 0.5,
        optimum=6.5,
        worst=0.5,
        sizes={"last": lambda arch: 10.0 * arch[-1]},
    )
    found = jn.penalized(bench, 0.25, "last")
    trials = jn.run(jn.random_search(space), found, num_trials=20, num_runs=2)
    np.testing.assert_allclose(trials.observation.score, trials.query.arch.sum(-1) - 2.5 * trials.query.arch[..., -1])
    assert (found.held_out.optimum, found.held_out.worst) == (5.5, -1.0)
    np.testing.assert_allclose(found.validation_scores(np.eye(6, dtype=int)), [1, 1, 1, 1, 1, -1.5])
    assert (jn.regret(trials, found) >= 0).all()
    assert found.size("last") is bench.size("last")
    twice = jn.penalized(found, 1.0, "last")
    np.testing.assert_allclose(twice.validation_scores(np.ones(6, int)), 6 - 2.5 - 10)
    with pytest.raises(ValueError, match=r"^'parameters' is unknown. Expected a size of last, got 'parameters'"):
        jn.penalized(bench, 0.25)


def test_a_function_without_sizes_is_not_penalized():
    bench = jn.benchmarks.FunctionBenchmark(
        jn.SearchSpace("one", (jn.Decision("only", (0, 1)),)), lambda arch: arch[0], id="one"
    )
    with pytest.raises(ValueError, match=r"^Expected a benchmark with sizes of its architectures, got one without"):
        jn.penalized(bench, 1.0)


def test_benchmarks_of_one_shape_share_a_compilation_although_penalties_differ(bench, compiled):
    strategy = jn.random_search(bench.space)
    jn.run(strategy, jn.penalized(bench, 0.1), num_trials=7, num_runs=2)
    other = jn.penalized(bench, 0.2, "flops")
    compiled.clear()
    jn.run(strategy, other, num_trials=7, num_runs=2)
    assert compiled == []
