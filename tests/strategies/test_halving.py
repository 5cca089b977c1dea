"""Strategies over several fidelities, against plain Python: what is trained how long, and what is promoted."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import FIDELITIES, GRID, MIXED, tied_bench
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas.strategies import bohb
from jaxnas.strategies.parts.rungs import choose_rungs

RUNGS = {2: [0, 1, 3, 5], 3: [0, 2, 5], 5: [1, 5]}
"""The rungs of FIDELITIES for each reduction: epochs 1, 2, 4, 10; 1, 3, 10; 2, 10."""
NUM_RUNS, NUM_TRIALS = 4, 90
FACTORIES = {
    "successive_halving": jn.successive_halving,
    "hyperband": jn.hyperband,
    "asynchronous_halving": jn.asynchronous_halving,
    "bohb": jn.bohb,
}


def best_first(trials: list[int], scores: np.ndarray) -> list[int]:
    """Returns trials by score, failed ones last, the earlier of equal ones first."""
    return sorted(trials, key=lambda trial: (np.isnan(scores[trial]), -scores[trial], trial))


def halving_sizes(num_initial: int, num_rungs: int, reduction: int) -> list[list[int]]:
    sizes = [num_initial]
    while len(sizes) < num_rungs:
        sizes.append(max(1, math.floor(num_initial / reduction ** len(sizes))))
    return [sizes]


def hyperband_sizes(num_rungs: int, eta: int) -> list[list[int]]:
    """Returns the n_i of Algorithm 1 of Li et al., for s = s_max, ..., 0."""
    brackets = []
    for s in reversed(range(num_rungs)):
        n = math.ceil(num_rungs / (s + 1) * eta**s)
        brackets.append([math.floor(n * eta**-i + 1e-9) for i in range(s + 1)])
    return brackets


def follow_brackets(brackets: list[list[int]], rungs: list[int], archs, fidelities, scores) -> int:
    """Follows one run by the rules, and returns the number of promotions. Raises AssertionError where it differs."""
    trials, promotions = iter(range(len(scores))), 0
    for sizes in itertools.cycle(brackets):
        before = []
        for rung, size in zip(rungs[len(rungs) - len(sizes) :], sizes, strict=True):
            promoted_trials = best_first(before, scores)[:size]
            rung_trials = list(itertools.islice(trials, size))
            for place, trial in enumerate(rung_trials):
                assert fidelities[trial] == rung
                if before:
                    assert archs[trial].tolist() == archs[promoted_trials[place]].tolist()
                    promotions += 1
            if len(rung_trials) < size:
                return promotions
            before = rung_trials
    raise AssertionError


@pytest.mark.parametrize("failed", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(
    ("strategy", "brackets", "rungs"),
    [
        (jn.successive_halving(GRID, fidelities=FIDELITIES), halving_sizes(27, 3, 3), RUNGS[3]),
        (
            jn.successive_halving(GRID, fidelities=FIDELITIES, reduction=2, num_initial=9),
            halving_sizes(9, 4, 2),
            RUNGS[2],
        ),
        (
            jn.successive_halving(GRID, fidelities=FIDELITIES, reduction=5, num_initial=1),
            halving_sizes(1, 2, 5),
            RUNGS[5],
        ),
        (jn.successive_halving(GRID, fidelities=(1, 2, 3), reduction=4), [[27]], [2]),
        (jn.hyperband(GRID, fidelities=FIDELITIES), hyperband_sizes(3, 3), RUNGS[3]),
        (jn.hyperband(GRID, fidelities=FIDELITIES, reduction=2), hyperband_sizes(4, 2), RUNGS[2]),
        (jn.bohb(GRID, fidelities=FIDELITIES, num_candidates=4), hyperband_sizes(3, 3), RUNGS[3]),
    ],
    ids=["halving", "halving-2", "halving-5", "halving-one-rung", "hyperband", "hyperband-2", "bohb"],
)
def test_brackets_are_those_of_the_papers_and_the_best_of_each_rung_are_promoted(strategy, brackets, rungs, failed):
    trials = jn.run(strategy, tied_bench(failed), num_trials=NUM_TRIALS, num_runs=NUM_RUNS)
    for archs, fidelities, scores in zip(*trials.query[:2], trials.observation.score, strict=True):
        promotions = follow_brackets(brackets, rungs, archs, fidelities, scores)
        assert promotions > 10 or len(rungs) == 1
    fresh = trials.query.arch[:, : brackets[0][0]].reshape(-1, 4)
    assert len(np.unique(fresh, axis=0)) > len(fresh) / 2  # new ones are drawn, not one again and again


def test_the_sizes_of_hyperband_are_those_of_table_1_of_the_paper():
    assert hyperband_sizes(5, 3) == [[81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]


@pytest.mark.parametrize(
    ("fidelities", "reduction", "epochs"),
    [
        (range(1, 7), 3, [2, 6]),
        (range(1, 11), 3, [1, 3, 10]),
        (range(1, 13), 3, [1, 4, 12]),
        (range(1, 201), 3, [2, 7, 22, 66, 200]),
        ((4, 12, 36, 108), 3, [4, 12, 36, 108]),
        ((12, 200), 3, [12, 200]),
        (range(1, 7), 2, [1, 3, 6]),
        ((5, 6), 2, [6]),
        ((1,), 2, [1]),
    ],
)
def test_rungs_are_geometric_and_end_with_the_last_fidelity(fidelities, reduction, epochs):
    assert [fidelities[index] for index in choose_rungs(tuple(fidelities), reduction)] == epochs


# Asynchronous halving


@pytest.mark.parametrize("name", ["successive_halving", "hyperband", "asynchronous_halving", "bohb"])
def test_a_strategy_with_one_rung_warns_that_it_is_a_simpler_one(name):
    factory = getattr(jn, name)
    with pytest.warns(UserWarning, match=f"^{name}: no fidelity is low enough for a second rung") as warned:
        strategy = factory(GRID, fidelities=(7,))
    same_as = "its density model alone" if name == "bohb" else "equal to random search"
    assert strategy.note.endswith(f", so it is {same_as}")
    assert len(warned) == 1
    assert factory(GRID, fidelities=(2, 7)).note == ""


def follow_asynchronous(rungs: list[int], reduction: int, archs, fidelities, scores, told_before) -> int:
    """Follows one run, trials in the order in which they were asked for, and returns the number of promotions.

    `told_before(t)`: the trials that were told before trial t was asked for.
    """
    promoted, highest = set(), 0
    for t in range(len(scores)):
        parent, told = None, told_before(t)
        for number, rung in reversed(list(enumerate(rungs[:-1]))):
            finished = [trial for trial in told if fidelities[trial] == rung]
            candidates = best_first(finished, scores)[: len(finished) // reduction]
            candidates = [trial for trial in candidates if trial not in promoted and not np.isnan(scores[trial])]
            if parent is None and candidates:
                parent, target = candidates[0], rungs[number + 1]
        if parent is None:
            assert fidelities[t] == rungs[0]
            continue
        promoted.add(parent)
        assert fidelities[t] == target
        assert archs[t].tolist() == archs[parent].tolist()
        highest = max(highest, target)
    assert highest in (rungs[-1], 0)
    return len(promoted)


@pytest.mark.parametrize("failed", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("num_workers", "reduction"), [(1, 3), (1, 2), (5, 3)])
def test_asynchronous_halving_promotes_whatever_is_among_the_best_of_its_rung(num_workers, reduction, failed):
    strategy = jn.asynchronous_halving(GRID, fidelities=FIDELITIES, reduction=reduction)
    found = jn.simulation.run_asynchronous(
        strategy, tied_bench(failed), num_workers=num_workers, num_trials=NUM_TRIALS, num_runs=NUM_RUNS
    )
    back = np.argsort(found.number, axis=1)
    for run in range(NUM_RUNS):
        archs, fidelities = (values[run][back[run]] for values in found.trials.query[:2])
        scores = found.trials.observation.score[run][back[run]]

        def told_before(t, order=found.number[run]):
            return order[: max(0, t - num_workers + 1)].tolist()

        promotions = follow_asynchronous(RUNGS[reduction], reduction, archs, fidelities, scores, told_before)
        assert promotions == 0 if failed == 1 else promotions > 10


# BOHB


def kernel_density(points: np.ndarray, at: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    chance = len(points) ** (-1 / (4 + len(sizes)))
    equal = (at[:, None] == points).astype(float)
    return ((1 - chance) * equal + chance / sizes).prod(-1).mean(1)


def history(number: int, space, failed: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(1)
    sizes = [len(decision.values) for decision in space.decisions]
    archs = np.stack([random.randint(0, size, number) for size in sizes], axis=1).astype(np.int32)
    scores = random.uniform(size=number).astype(np.float32)
    return archs, np.where(random.uniform(size=number) < failed, np.float32(np.nan), scores)


def test_the_density_is_that_of_numpy_sums_to_one_and_is_what_candidates_are_drawn_from():
    sizes = np.array([2, 3, 2])
    everything = np.indices(sizes).reshape(3, -1).T.astype(np.int32)
    points = history(7, MIXED)[0]
    listed = np.concatenate([points, points[::-1] * 0])
    members = np.arange(len(listed)) < 7
    found = np.exp(bohb.log_density(jnp.asarray(everything), jnp.asarray(listed), jnp.asarray(members), MIXED))
    np.testing.assert_allclose(found, kernel_density(points, everything, sizes), rtol=1e-5)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-5)
    drawn = bohb.draw_candidates(jax.random.key(0), jnp.asarray(listed), 7, 5000, MIXED)
    counts = np.bincount(np.ravel_multi_index(np.asarray(drawn).T, sizes), minlength=12)
    assert chisquare(counts, 5000 * kernel_density(points, everything, sizes)).pvalue > 1e-3


@pytest.mark.parametrize(("number", "good_share"), [(7, 0.15), (12, 0.15), (60, 0.15), (60, 0.5), (60, 1.0)])
def test_bohb_asks_for_the_candidate_with_the_largest_ratio_of_densities(number, good_share):
    """One rung: every earlier trial is an observation of the model."""
    strategy = jn.bohb(GRID, fidelities=(1,), random_share=0.0, good_share=good_share, num_candidates=16)
    archs, scores = history(number, GRID)
    state = strategy.init(jax.random.key(0), 70)
    state = state._replace(archs=state.archs.at[:number].set(archs), scores=state.scores.at[:number].set(scores))
    state = state._replace(scores=jnp.where(jnp.isnan(state.scores), -jnp.inf, state.scores))
    keys = jax.random.split(jax.random.key(3), 20)
    asked = np.asarray(jax.jit(jax.vmap(lambda key: strategy.ask(state, number, key).arch))(keys))
    order, fewest, sizes = best_first(range(number), scores), 5, np.array([4] * 4)
    num_good = max(fewest, int(good_share * number))
    good = np.array([archs[trial] for trial in order[:num_good] if not np.isnan(scores[trial])])
    bad = archs[order[number - max(fewest, number - num_good) :]]
    for key, arch in zip(keys, asked, strict=True):
        candidates = np.asarray(
            bohb.draw_candidates(jax.random.fold_in(key, 0), jnp.asarray(archs[order]), len(good), 16, GRID)
        )
        ratios = kernel_density(good, candidates, sizes) / kernel_density(bad, candidates, sizes)
        own = ratios[(candidates == arch).all(1)]
        assert len(own)
        np.testing.assert_allclose(own[0], ratios.max(), rtol=1e-4)


def test_bohb_models_the_highest_rung_with_enough_trials_and_before_that_draws_uniformly():
    plan = bohb.plan_trials(((9, 3), (4,)), 60)  # rungs: nine low, seven high a cycle
    highest, sizes = bohb._modeled(plan, 7)
    assert highest[:7].tolist() == [-1] * 7
    assert set(highest[7:16].tolist()) == {0}
    assert sizes[7:16].tolist() == [7, 8, 9, 9, 9, 9, 9, 9, 9]
    assert set(highest[16:].tolist()) == {1}
    assert sizes[16:32].tolist() == [7] * 10 + [8, 9, 10, 11, 12, 13]


def test_bohb_without_a_model_or_a_success_is_uniform():
    for share, failed in ((1.0, 0.0), (0.0, 1.0)):
        strategy = jn.bohb(MIXED, fidelities=(1,), random_share=share)
        archs, scores = history(20, MIXED, failed)
        state = strategy.init(jax.random.key(0), 30)
        state = state._replace(archs=state.archs.at[:20].set(archs))
        state = state._replace(scores=state.scores.at[:20].set(np.where(np.isnan(scores), -np.inf, scores)))
        keys = jax.random.split(jax.random.key(1), 2000)
        asked = np.asarray(jax.jit(jax.vmap(lambda key, now=strategy, at=state: now.ask(at, 20, key).arch))(keys))
        counts = np.bincount(np.ravel_multi_index(asked.T, (2, 3, 2)), minlength=12)
        assert chisquare(counts).pvalue > 1e-3


# All of them


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("successive_halving", {"reduction": 2}),
        ("successive_halving", {"num_initial": 20}),
        ("successive_halving", {"fidelities": (1, 2, 4, 5, 9, 10)}),
        ("hyperband", {"reduction": 2}),
        ("asynchronous_halving", {"reduction": 2}),
        ("bohb", {"reduction": 2}),
        ("bohb", {"random_share": 0.9}),
        ("bohb", {"good_share": 0.5}),
        ("bohb", {"num_candidates": 3}),
    ],
)
def test_every_hyperparameter_has_an_effect(name, change):
    arguments = {"fidelities": FIDELITIES}
    one, other = (
        jn.run(FACTORIES[name](GRID, **(arguments | more)), tied_bench(), num_trials=60, num_runs=2)
        for more in ({}, change)
    )
    assert not (
        np.array_equal(one.query.fidelity, other.query.fidelity)
        and np.array_equal(*(trials.query.arch for trials in (one, other)))
    )


@pytest.mark.parametrize("name", FACTORIES)
def test_promoted_trainings_pay_for_the_further_epochs_only_and_are_the_incumbents(name):
    strategy = FACTORIES[name](GRID, fidelities=FIDELITIES)
    trials = jn.run(strategy, tied_bench(0.2), num_trials=NUM_TRIALS, num_runs=NUM_RUNS)
    np.testing.assert_array_equal(
        trials.observation.score,
        tied_bench(0.2).table.scores("validation")[
            tied_bench().rows(trials.query.arch), trials.observation.seed, trials.query.fidelity
        ],
    )
    for run in range(NUM_RUNS):
        paid, best = {}, None
        for t, (arch, fidelity) in enumerate(zip(trials.query.arch[run], trials.query.fidelity[run], strict=True)):
            before = paid.get(arch.tobytes(), 0)
            assert trials.observation.cost[run, t] == max(FIDELITIES[fidelity] - before, 0)
            paid[arch.tobytes()] = max(FIDELITIES[fidelity], before)
            score = trials.observation.score[run, t]
            if not np.isnan(score) and (best is None or (fidelity, score) > best[:2]):
                best = (fidelity, score, t)
            assert jn.analysis.incumbents(trials)[run, t] == (-1 if best is None else best[2])


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.parametrize("fidelities", [(), (3, 1), (0, 1), (1, 1), (1, float("inf")), (1, float("nan")), 3, "12"])
def test_wrong_fidelities_are_refused(name, fidelities):
    with pytest.raises(ValueError, match=r"^Expected fidelities of ascending positive numbers, such as .*, got "):
        FACTORIES[name](GRID, fidelities=fidelities)


def test_fidelities_that_the_benchmark_lacks_are_refused():
    strategy = jn.hyperband(GRID, fidelities=tuple(range(1, 28)))
    with pytest.raises(ValueError, match=r"^Expected one of 6 fidelities, got another from hyperband"):
        jn.run(strategy, tied_bench(), num_trials=40, num_runs=2)
