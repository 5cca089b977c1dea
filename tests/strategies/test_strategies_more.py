"""Strategies beyond the first three: what each one is said to do, and that it beats random search where it should."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import MIXED, SMALL
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas.strategies.reward_weighted_sampling import _draw

SHORT = {
    "genetic_algorithm": {"population_size": 6, "sample_size": 2, "crossover_rate": 0.5, "mutation_rate": 0.5},
    "simulated_annealing": {"initial_temperature": 0.5, "final_temperature": 0.01},
    "cross_entropy": {"batch_size": 8, "elite_share": 0.25, "smoothing": 0.5},
    "reinforce": {"learning_rate": 0.1, "baseline_decay": 0.5},
    "reward_weighted_sampling": {"num_initial": 3, "marginals": ((1, 2), (1, 1, 0), (0.5, 0.5))},
}
"""Hyperparameters with which a short run reaches all phases; the marginals are for MIXED."""

LINE = jn.SearchSpace("line", (jn.Decision("arm", range(5)),))
CORNERS = np.repeat(np.arange(5, dtype=np.int32)[:, None], 6, axis=1)
"""Architectures of NB201 that differ in every decision, so that a child shows its parents."""


@functools.cache
def smooth_bench(space=jn.NB201, failed: float = 0.0) -> jn.TableBenchmark:
    """Returns a table whose scores are sums over the decisions, with a little noise; a part of the trainings failed."""
    random = np.random.RandomState(0)
    sizes = [len(decision.values) for decision in space.decisions]
    archs = np.indices(sizes).reshape(len(sizes), -1).T
    parts = random.uniform(size=(len(sizes), max(sizes)))
    means = parts[np.arange(len(sizes)), archs].mean(1)[:, None, None]
    scores = (means + 0.01 * random.randn(len(archs), 3, 1)).astype(np.float32)
    validation = np.where(random.uniform(size=scores.shape) < failed, np.float32(np.nan), scores)
    return jn.TableBenchmark(jn.Table.from_arrays(space, "smooth", validation, scores, [1]), space=space)


def told(strategy: jn.Strategy, archs, scores, num_trials: int = 100):
    """Returns the state after it was told the scores of architectures, with `advance` before each."""
    state = strategy.init(jax.random.key(0), num_trials)
    for t, (arch, score) in enumerate(zip(archs, scores, strict=True)):
        state = strategy.advance(state, t, jax.random.key(t))
        query = jn.Query(jnp.asarray(arch, jnp.int32))
        state = strategy.tell(state, t, query, jn.Observation(jnp.float32(score), 1, 0))
    return state


def asked(strategy: jn.Strategy, state, t: int, number: int) -> np.ndarray:
    """Returns what the strategy asks in a state, for many keys: int32[number, D]."""
    keys = jax.random.split(jax.random.key(1), number)
    return np.asarray(jax.jit(jax.vmap(lambda key: strategy.ask(state, t, key).arch))(keys))


@pytest.fixture(params=SHORT)
def name(request) -> str:
    return request.param


@pytest.mark.parametrize("failed", [0.0, 0.5])
def test_plain_calls_give_what_compiled_ones_give_in_all_phases(name, failed):
    strategy, bench = jn.strategy(name)(MIXED, **SHORT[name]), smooth_bench(MIXED, failed)
    plain = jn.run(strategy._replace(jittable=False), bench, num_trials=30, num_runs=1)
    compiled = jn.run(strategy, bench, num_trials=30, num_runs=2)
    jax.tree.map(lambda one, two: np.testing.assert_array_equal(one, two[:1]), plain, compiled)


def test_it_beats_random_search_on_a_smooth_table(name):
    bench = smooth_bench()
    found, drawn = (
        jn.regret(jn.run(strategy, bench, num_trials=300, num_runs=200), bench)[:, -1]
        for strategy in (jn.strategy(name)(bench.space), jn.random_search(bench.space))
    )
    error = np.hypot(found.std(), drawn.std()) / np.sqrt(200)
    assert found.mean() < drawn.mean() - 3 * error
    assert found.mean() < 0.8 * drawn.mean()


def test_a_search_where_half_of_the_trainings_fail_still_beats_random_search(name):
    bench = smooth_bench(failed=0.5)
    found, drawn = (
        jn.regret(jn.run(strategy, bench, num_trials=300, num_runs=200), bench)[:, -1].mean()
        for strategy in (jn.strategy(name)(bench.space), jn.random_search(bench.space))
    )
    assert found < drawn


# Simulated annealing


def annealed(losses: np.ndarray, temperature: float, number: int) -> np.ndarray:
    """Returns the share of trials, over many keys, that are accepted though they are worse by the losses."""
    strategy = jn.simulated_annealing(LINE, initial_temperature=temperature, final_temperature=temperature)
    state = told(strategy, [[0]], [0.5])

    def accepted(key, loss):
        observation = jn.Observation(jnp.float32(0.5) - loss, 1, 0)
        return strategy.tell(strategy.advance(state, 1, key), 1, jn.Query(jnp.array([3])), observation).arch[0] == 3

    keys = jax.random.split(jax.random.key(2), number)
    return np.asarray(jax.vmap(lambda loss: jax.vmap(lambda key: accepted(key, loss))(keys).mean())(losses))


def test_annealing_accepts_everything_when_hot_and_only_improvements_when_cold():
    losses = np.array([-0.1, 0.0, 0.01, 0.4], np.float32)
    np.testing.assert_array_equal(annealed(losses, 1e9, 2000), [1, 1, 1, 1])
    np.testing.assert_array_equal(annealed(losses, 1e-9, 2000), [1, 1, 0, 0])


def test_annealing_accepts_a_loss_with_the_probability_of_metropolis():
    losses, number = np.array([0.02, 0.1, 0.3], np.float32), 20_000
    chances = np.exp(-losses / 0.1)
    error = np.sqrt(chances * (1 - chances) / number)
    assert (abs(annealed(losses, 0.1, number) - chances) < 4 * error).all()


def test_annealing_cools_geometrically_from_the_first_trial_to_the_last():
    strategy, key = jn.simulated_annealing(LINE, initial_temperature=0.5, final_temperature=0.002), jax.random.key(3)
    state = strategy.init(key, 41)
    exponential = float(jax.random.exponential(key))
    temperatures = [float(strategy.advance(state, t, key).allowed_loss) / exponential for t in range(41)]
    np.testing.assert_allclose(temperatures, np.geomspace(0.5, 0.002, 41), rtol=1e-5)
    alone = strategy.advance(strategy.init(key, 1), 0, key)  # one trial: there is nothing to cool
    np.testing.assert_allclose(float(alone.allowed_loss), 0.5 * exponential, rtol=1e-6)


def test_annealing_asks_for_uniform_neighbors_of_the_current_architecture():
    strategy = jn.simulated_annealing(MIXED)
    state = told(strategy, [[0, 2, 1]], [0.5])
    rows = jax.vmap(MIXED.index)(asked(strategy, state, 1, 4000))
    counts = np.bincount(rows, minlength=12)
    around = [int(MIXED.index(arch)) for arch in MIXED.neighbors(jnp.array([0, 2, 1]))]
    assert set(np.flatnonzero(counts)) == set(around)
    assert chisquare(counts[around]).pvalue > 1e-3


def test_annealing_never_stays_at_a_failed_trial():
    strategy = jn.simulated_annealing(LINE, initial_temperature=1e9, final_temperature=1e9)
    assert told(strategy, [[2], [3]], [0.5, np.nan]).arch == 2
    rows = asked(strategy, told(strategy, [[2], [3]], [np.nan, np.nan]), 2, 4000)[:, 0]
    assert chisquare(np.bincount(rows, minlength=5)).pvalue > 1e-3  # still uniform draws


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), None])
def test_annealing_refuses_temperatures_that_are_not_positive_numbers(value):
    with pytest.raises(ValueError, match=rf"^Expected initial_temperature to be a number above 0, got {value}"):
        jn.simulated_annealing(LINE, initial_temperature=value)
    with pytest.raises(ValueError, match=r"above 0 and of at most 0.1, got 0.2"):
        jn.simulated_annealing(LINE, initial_temperature=0.1, final_temperature=0.2)


# Genetic algorithm


def bred(scores, space=jn.NB201, number: int = 4000, **hyperparameters) -> np.ndarray:
    """Returns children of a population of corners with these scores."""
    strategy = jn.genetic_algorithm(space, population_size=len(scores), **hyperparameters)
    return asked(strategy, told(strategy, CORNERS[: len(scores)], scores), len(scores), number)


def test_a_child_takes_each_decision_from_one_of_two_parents():
    children = bred([0.2, 0.9, 0.5, 0.4], sample_size=1, crossover_rate=1.0, mutation_rate=0.0)
    parents = [set(child) for child in children.tolist()]
    assert max(map(len, parents)) == 2
    assert set.union(*parents) == {0, 1, 2, 3}
    share = np.mean([len(each) == 2 for each in parents])
    assert abs(share - 3 / 4 * (1 - 2**-5)) < 0.03  # two different parents, and not all six decisions of one
    crossed = children[[len(each) == 2 for each in parents]]
    counts = (crossed == crossed.max(1, keepdims=True)).sum(0)
    assert (abs(counts / len(crossed) - 0.5) < 0.05).all()  # every decision of either parent alike


def test_a_mutated_child_differs_in_one_decision_from_a_mix_of_two_parents():
    children = bred([0.2, 0.9, 0.5, 0.4], sample_size=1, crossover_rate=1.0, mutation_rate=1.0)
    counts = np.stack([(children == value).sum(1) for value in range(5)], axis=1)
    assert (np.sort(counts, axis=1)[:, -2:].sum(1) >= 5).all()
    assert (counts[:, 4] > 0).any()  # a value that no parent has


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_rates_are_the_shares_of_crossed_and_of_mutated_children(rate):
    scores, number = [0.2, 0.9, 0.5, 0.4], 4000
    crossed = bred(scores, sample_size=1, crossover_rate=rate, mutation_rate=0.0, number=number)
    mixed = np.mean([len(set(child)) == 2 for child in crossed.tolist()])
    assert abs(mixed - rate * 3 / 4 * (1 - 2**-5)) <= 0.03 * (rate > 0)
    mutated = bred(scores, sample_size=1, crossover_rate=0.0, mutation_rate=rate, number=number)
    changed = np.mean([len(set(child)) == 2 for child in mutated.tolist()])
    assert abs(changed - rate) <= 0.03 * (rate > 0)


def test_each_parent_is_the_best_of_its_sample():
    copies = bred([0.2, 0.9, 0.5, 0.4], sample_size=2, crossover_rate=0.0, mutation_rate=0.0)
    counts = np.bincount(copies[:, 0], minlength=4)
    assert chisquare(counts[[1, 2, 3, 0]], 4000 * np.array([7, 5, 3, 1]) / 16).pvalue > 1e-3
    crossed = bred([0.2, 0.9, 0.5, 0.4], sample_size=2, crossover_rate=1.0, mutation_rate=0.0)
    counts = np.bincount(crossed[:, 0], minlength=4)  # the second parent as well
    assert chisquare(counts[[1, 2, 3, 0]], 4000 * np.array([7, 5, 3, 1]) / 16).pvalue > 1e-3


def test_the_worst_member_leaves_for_a_child_that_is_not_worse():
    strategy = jn.genetic_algorithm(jn.NB201, population_size=3)
    better = told(strategy, CORNERS[:4], [0.5, 0.2, 0.4, 0.3])
    np.testing.assert_array_equal(better.archs[:, 0], [0, 3, 2])
    np.testing.assert_allclose(better.scores, [0.5, 0.3, 0.4])
    for score in (0.1, np.nan):
        np.testing.assert_array_equal(told(strategy, CORNERS[:4], [0.5, 0.2, 0.4, score]).archs[:, 0], [0, 1, 2])


def test_failed_trials_never_join_and_draws_stay_uniform_until_the_population_is_full():
    strategy = jn.genetic_algorithm(SMALL, population_size=3)
    archs, scores = CORNERS[[0, 1, 2, 3], :3], [np.nan, 0.2, np.nan, 0.4]
    state = told(strategy, archs, scores)
    np.testing.assert_array_equal(state.archs[:2, 0], [1, 3])
    rows = jax.vmap(SMALL.index)(asked(strategy, state, 4, 5000))
    assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3
    full = told(strategy, [*archs, CORNERS[4, :3]], [*scores, 0.1])
    np.testing.assert_array_equal(full.archs[:, 0], [1, 3, 4])
    assert not (asked(strategy, full, 5, 2000) == 0).all(1).any()


def test_a_child_of_rows_is_a_neighbor_of_a_parent():
    rows = SMALL.enumerated()
    strategy = jn.genetic_algorithm(rows, population_size=3)
    state = told(strategy, [[0], [31], [62]], [0.1, 0.2, 0.3])  # 000, 111, 222
    children = np.stack(np.unravel_index(asked(strategy, state, 3, 500)[:, 0], (5, 5, 5)), axis=1)
    distances = (children[:, None] != CORNERS[:3, :3]).sum(-1)
    assert (distances.min(1) == 1).all()


def test_crossover_reaches_every_decision_of_a_long_architecture():
    space = jn.SearchSpace("long", tuple(jn.Decision(f"d{number}", range(2)) for number in range(70)))
    strategy = jn.genetic_algorithm(space, population_size=2, sample_size=1, crossover_rate=1.0, mutation_rate=0.0)
    children = asked(strategy, told(strategy, np.repeat([[0], [1]], 70, axis=1), [0.1, 0.2]), 2, 4000)
    mixed = children[children.std(1) > 0]
    assert abs(len(mixed) / 4000 - 0.5) < 0.04
    assert (abs(mixed.mean(0) - 0.5) < 0.06).all()
    assert (abs(np.corrcoef(mixed.T) - np.eye(70)) < 0.12).all()


# Cross-entropy


def test_marginals_are_the_frequencies_of_the_elite():
    strategy = jn.cross_entropy(MIXED, batch_size=4, elite_share=0.5, smoothing=1.0)
    state = told(strategy, [[0, 2, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1]], [0.3, 0.9, 0.1, 0.8])
    before = strategy.advance(state, 3, jax.random.key(0)).marginals
    np.testing.assert_allclose(before, [[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0]], rtol=1e-6)
    after = strategy.advance(state, 4, jax.random.key(0)).marginals  # the elite: [1, 0, 0] and [0, 1, 1]
    np.testing.assert_allclose(after, [[0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]], atol=1e-7)


def test_marginals_are_smoothed():
    strategy = jn.cross_entropy(MIXED, batch_size=2, elite_share=0.5, smoothing=0.6)
    state = told(strategy, [[0, 2, 1], [1, 0, 0]], [0.3, 0.9])
    marginals = strategy.advance(state, 2, jax.random.key(0)).marginals
    np.testing.assert_allclose(marginals, [[0.2, 0.8, 0], [11 / 15, 2 / 15, 2 / 15], [0.8, 0.2, 0]], rtol=1e-6)


def test_failed_trials_are_never_elite():
    strategy = jn.cross_entropy(MIXED, batch_size=3, elite_share=1.0, smoothing=1.0)
    state = told(strategy, [[0, 2, 1], [1, 0, 0], [0, 1, 1]], [np.nan, 0.1, np.nan])
    marginals = strategy.advance(state, 3, jax.random.key(0)).marginals
    np.testing.assert_array_equal(marginals, [[0, 1, 0], [1, 0, 0], [1, 0, 0]])
    lost = told(strategy, [[0, 2, 1], [1, 0, 0], [0, 1, 1]], [np.nan] * 3)
    np.testing.assert_array_equal(strategy.advance(lost, 3, jax.random.key(0)).marginals, lost.marginals)


def test_draws_follow_the_marginals():
    strategy = jn.cross_entropy(MIXED)
    marginals = jnp.array([[0.3, 0.7, 0], [0.2, 0, 0.8], [1, 0, 0]])
    state = strategy.init(jax.random.key(0), 10)._replace(marginals=marginals)
    archs = asked(strategy, state, 0, 20_000)
    assert (archs[:, 1] != 1).all()
    assert (archs[:, 2] == 0).all()
    pairs = np.bincount(archs[:, 0] * 2 + archs[:, 1] // 2, minlength=4)
    assert chisquare(pairs, 20_000 * np.outer([0.3, 0.7], [0.2, 0.8]).ravel()).pvalue > 1e-3


def test_the_refit_stays_a_branch_in_the_compiled_program():
    bench, keys = smooth_bench(MIXED), jax.vmap(lambda number: jn.run_key(0, number))(jnp.arange(3))

    def program(strategy):
        return str(jax.make_jaxpr(lambda keys: jn.simulate(strategy, bench, 30, keys).observation.score)(keys))

    assert "cond[" in program(jn.cross_entropy(MIXED, **SHORT["cross_entropy"]))
    assert "cond[" not in program(jn.random_search(MIXED))


@pytest.mark.parametrize("argument", ["elite_share", "smoothing"])
@pytest.mark.parametrize("value", [0, -0.5, 1.5, None])
def test_cross_entropy_refuses_shares_outside_of_0_to_1(argument, value):
    with pytest.raises(ValueError, match=rf"^Expected {argument} to be a number above 0 and of at most 1, got {value}"):
        jn.cross_entropy(MIXED, **{argument: value})


# REINFORCE


def test_reinforce_starts_uniform_and_concentrates_on_the_best_arm():
    space = jn.SearchSpace("arms", (jn.Decision("arm", range(7)),))
    scores = jnp.array([0.1, 0.2, 0.5, 0.3, 0.9, 0.4, 0.0])
    bench = jn.FunctionBenchmark(space, lambda arch: scores[arch[0]])
    strategy = jn.reinforce(space, learning_rate=0.05)
    arms = jn.run(strategy, bench, num_trials=500, num_runs=200).query.arch[..., 0]
    assert chisquare(np.bincount(arms[:, 0], minlength=7)).pvalue > 1e-3
    assert (arms[:, -100:] == 4).mean() > 0.9


def test_a_step_of_reinforce_is_adam_on_the_score_above_the_moving_average():
    strategy = jn.reinforce(MIXED, learning_rate=0.1, baseline_decay=0.75)
    first = told(strategy, [[0, 1, 0]], [0.5])
    assert first.baseline == 0.5
    np.testing.assert_array_equal(first.logits, [[0, 0, -np.inf], [0, 0, 0], [0, 0, -np.inf]])  # no advantage yet
    for score, sign in ((0.9, 1), (0.1, -1)):
        second = told(strategy, [[0, 1, 0], [1, 2, 0]], [0.5, score])
        np.testing.assert_allclose(second.baseline, 0.75 * 0.5 + 0.25 * score, rtol=1e-6)
        moved = np.array([[-1, 1, 0], [-1, -1, 1], [1, -1, 0]]) * sign
        np.testing.assert_array_equal(np.sign(np.nan_to_num(second.logits, neginf=0)), moved)
        assert not np.isnan(second.logits).any()


def test_reinforce_is_unmoved_by_failed_trials():
    strategy = jn.reinforce(MIXED)
    archs, scores = [[0, 1, 0], [1, 2, 0], [1, 0, 1]], [0.5, 0.9, 0.4]
    state = told(strategy, archs, scores)
    failed = told(strategy, [[1, 1, 1], archs[0], [0, 0, 0], *archs[1:]], [np.nan, scores[0], np.nan, *scores[1:]])
    jax.tree.map(np.testing.assert_array_equal, state, failed)


# Reward-weighted sampling

ROOTS = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]])
"""Architectures of SMALL; a mutation keeps two decisions, which show the parent."""


def parents(strategy, scores) -> np.ndarray:
    """Returns how often each root is the parent of 4,000 mutations, after it was told their scores in turn."""
    state = told(strategy, ROOTS[: len(scores)], scores, num_trials=40)
    children = asked(strategy, state, len(scores), 4000)
    assert ((children[:, None] == ROOTS).sum(-1).max(1) == 2).all()
    return np.bincount(np.median(children, axis=1).astype(int), minlength=5)


def test_parents_are_drawn_in_proportion_to_their_score_above_the_lowest():
    counts = parents(jn.reward_weighted_sampling(SMALL, num_initial=2), [0.5, 0.4, 0.8, np.nan, 0.45])
    np.testing.assert_array_equal(counts[[1, 3]], 0)  # the lowest and the failed one
    assert chisquare(counts[[0, 2, 4]], 4000 * np.array([10, 40, 5]) / 55).pvalue > 1e-3


def test_parents_are_drawn_in_proportion_to_the_prior_too():
    marginals = ((1, 1, 4, 1, 1), (1, 1, 1, 1, 0), (2, 2, 2, 2, 2))
    strategy = jn.reward_weighted_sampling(SMALL, num_initial=2, marginals=marginals)
    counts = parents(strategy, [0.5, 0.4, 0.8, 0.6, 0.9])
    np.testing.assert_array_equal(counts[[1, 4]], 0)
    assert chisquare(counts[[0, 2, 3]], 4000 * np.array([10, 4 * 40, 20]) / 190).pvalue > 1e-3


def test_draws_in_blocks_follow_the_weights():
    weights = np.random.RandomState(0).uniform(size=96) * (np.arange(96) % 3 > 0)
    weights[16:48] = 0  # two whole blocks
    draw = jax.jit(jax.vmap(lambda key: _draw(key, jnp.asarray(weights, jnp.float32))))
    counts = np.bincount(draw(jax.random.split(jax.random.key(5), 100_000)), minlength=96)
    assert (counts[weights == 0] == 0).all()
    assert chisquare(counts[weights > 0], 100_000 * weights[weights > 0] / weights.sum()).pvalue > 1e-3


@pytest.mark.parametrize("scores", [[0.3, 0.3, 0.3], [np.nan, np.nan, np.nan], [0.3, np.nan, np.nan]])
def test_draws_are_uniform_where_no_architecture_has_a_weight(scores):
    strategy = jn.reward_weighted_sampling(SMALL, num_initial=1)
    rows = jax.vmap(SMALL.index)(asked(strategy, told(strategy, ROOTS[:3], scores), 3, 5000))
    assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3


def test_the_first_draws_are_uniform():
    strategy = jn.reward_weighted_sampling(SMALL, num_initial=4)
    rows = jax.vmap(SMALL.index)(asked(strategy, told(strategy, ROOTS[:3], [0.1, 0.2, 0.9]), 3, 5000))
    assert chisquare(np.bincount(rows, minlength=125)).pvalue > 1e-3


@pytest.mark.parametrize(
    "marginals", [((1, 1),), ((1, 1), (1, 1), (1, 1)), ((1, 1), (1, -1, 1), (1, 1)), ((1, 1), (0, 0, 0), (1, 1)), 3]
)
def test_marginals_that_do_not_fit_are_refused(marginals):
    with pytest.raises(ValueError, match=r"^Expected marginals of 2, 3, 2 probabilities for the decisions, got "):
        jn.reward_weighted_sampling(MIXED, marginals=marginals)
