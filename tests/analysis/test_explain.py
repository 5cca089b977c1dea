"""Explanations: sums and planted effects exactly, what errors are of, and networks without an edge."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import GRID, MIXED, SMALL, TINY, all_archs, make_bench, make_task
from scipy import stats

import jaxnas as jn
from jaxnas.analysis.explanation.attribution import importance
from jaxnas.analysis.explanation.counterfactuals import best_within, chance_better, half_the_size, smallest_loss
from jaxnas.analysis.explanation.explain import explained_by_table
from jaxnas.analysis.explanation.motifs import insertion, rows_with
from jaxnas.analysis.explanation.score_models import scored_by_table, scored_by_trials
from jaxnas.analysis.landscape import variance_shares
from jaxnas.report.figures.network import network_parts
from jaxnas.report.sentences import explanation_texts
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.tasks.metrics import ACCURACY
from jaxnas.training.fitted import FittedModel
from jaxnas.training.inputs import Inputs

ONE_STAGE = replace(TINY, network=Skeleton(num_channels=2, num_stages=1))
BEST, START = np.asarray([3, 2, 1, 3]), np.asarray([0, 1, 1, 2])


def bench_of(scores: np.ndarray, space=GRID, num_runs: int = 1, noise: float = 0.0) -> jn.TableBenchmark:
    """Returns a table of mean scores [A], with runs around them."""
    random = np.random.RandomState(1)
    errors = noise * random.normal(size=(len(scores), num_runs, 1))
    values = (scores[:, None, None] + errors - errors.mean(1, keepdims=True)).astype(np.float32)
    return make_bench(space, values, values)


@pytest.fixture(scope="module")
def coefficients() -> np.ndarray:
    return np.random.RandomState(0).uniform(size=(4, 4)) / 8


@pytest.fixture(scope="module")
def additive(coefficients):
    """Returns the scores of a table whose score is a sum over its decisions."""
    return scored_by_table(bench_of(coefficients[np.arange(4), all_archs(GRID)].sum(1)))


@pytest.fixture(scope="module")
def rough():
    """Returns the scores of a table without any structure, of two runs."""
    return scored_by_table(bench_of(np.random.RandomState(3).uniform(size=256), num_runs=2, noise=0.05))


def test_values_and_paths_recover_the_coefficients_of_an_additive_table(additive, coefficients):
    expected = coefficients[np.arange(4), BEST] - coefficients[np.arange(4), START]
    found = jn.analysis.shapley(additive, BEST, START)
    assert found.exact
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    path = jn.analysis.ablation_path(additive, BEST, START)
    assert [step.decisions[0] for step in path] == [each for each in np.argsort(-expected) if START[each] != BEST[each]]
    for step in path:
        np.testing.assert_allclose(step.gain, expected[step.decisions[0]], atol=1e-6)
    grid = coefficients[np.arange(4), all_archs(GRID)].sum(1)
    shares = [effect.var() / grid.var() for effect in variance_shares(grid.reshape(4, 4, 4, 4))[0]]
    found = importance(additive)
    np.testing.assert_allclose(found.shares, shares, rtol=1e-5)
    assert not found.standard_errors.any()


def test_importance_is_exact_on_a_complete_grid_and_within_its_error_elsewhere(rough):
    grid = rough.means(all_archs(GRID)).reshape(4, 4, 4, 4)
    exact = [grid.var(axis=decision).mean() / grid.var() for decision in range(4)]
    np.testing.assert_allclose(importance(rough).shares, exact, rtol=1e-12)
    drawn = [importance(rough._replace(exact=False), seed=seed) for seed in range(40)]
    off = np.asarray([(each.shares - exact) / each.standard_errors for each in drawn])
    assert 0.7 < off.std() < 1.3
    np.testing.assert_allclose(off.mean(), 0, atol=0.5)


def test_values_and_paths_sum_to_the_difference(rough):
    difference = np.subtract(*rough.means(np.stack([BEST, START])))
    found = jn.analysis.shapley(rough, BEST, START)
    np.testing.assert_allclose(found.values.sum(), difference, rtol=1e-12)
    assert found.values[2] == found.standard_errors[2] == 0  # it does not differ
    path = jn.analysis.ablation_path(rough, BEST, START)
    np.testing.assert_allclose(sum(step.gain for step in path), difference, rtol=1e-12)
    assert path[-1].arch.tolist() == BEST.tolist()
    assert jn.analysis.ablation_path(rough, BEST, BEST) == []


def test_values_are_the_mean_gain_over_all_orders_with_its_error(rough):
    orders = list(itertools.permutations([0, 1, 3]))
    gains, weights = np.zeros(4), {}
    for order in orders:
        arch = START.copy()
        for decision in order:
            before = arch.copy()
            arch[decision] = BEST[decision]
            gains[decision] += np.subtract(*rough.means(np.stack([arch, before]))) / len(orders)
            for each, sign in ((arch, 1), (before, -1)):
                key = (decision, tuple(each.tolist()))
                weights[key] = weights.get(key, 0) + sign / len(orders)
    found = jn.analysis.shapley(rough, BEST, START)
    np.testing.assert_allclose(found.values, gains, rtol=1e-12)
    nothing = np.asarray(BEST)[None]
    own = {arch: rough.errors(np.asarray([arch]), np.ones((1, 1)))[0] for _, arch in weights}
    expected = sum(weight**2 * own[arch] ** 2 for (decision, arch), weight in weights.items() if decision == 0)
    np.testing.assert_allclose(found.standard_errors[0], np.sqrt(expected))
    assert rough.pair_errors(BEST, nothing)[0] == 0


def test_many_decisions_are_attributed_by_drawn_orders_that_sum_as_well():
    space = jn.SearchSpace("long", tuple(jn.Decision(str(each), range(2)) for each in range(14)))
    parts = np.random.RandomState(0).uniform(size=14) / 20
    bench = make_bench(space, *[(all_archs(space) @ parts).astype(np.float32)[:, None, None]] * 2)
    found = jn.analysis.shapley(scored_by_table(bench), np.ones(14, int), np.zeros(14, int))
    assert not found.exact
    np.testing.assert_allclose(found.values, parts, atol=1e-6)
    np.testing.assert_allclose(found.values.sum(), parts.sum(), rtol=1e-6)


def test_a_model_of_trials_finds_what_matters_and_says_what_it_does_not_know(coefficients):
    random = np.random.RandomState(0)
    archs = all_archs(GRID)[random.permutation(256)[:120]]
    scores = coefficients[np.arange(4), archs].sum(1) + 0.002 * random.normal(size=120)
    scores[3] = np.nan
    scored = scored_by_trials(GRID, archs, scores)
    expected = coefficients[np.arange(4), BEST] - coefficients[np.arange(4), START]
    found = jn.analysis.shapley(scored, BEST, START)
    differences = np.subtract(*scored.means(np.stack([BEST, START])))
    np.testing.assert_allclose(found.values.sum(), differences, rtol=1e-9)
    assert np.corrcoef(found.values, expected)[0, 1] > 0.95
    pair = scored.errors(np.stack([BEST, START]), np.asarray([[1.0, -1.0]]))[0]
    np.testing.assert_allclose(scored.pair_errors(BEST, START[None])[0], pair, rtol=1e-6)
    few = scored_by_trials(GRID, archs[:12], np.nan_to_num(scores[:12]))
    assert few.pair_errors(BEST, START[None])[0] > pair > 0
    with pytest.raises(ValueError, match=r"^Expected two trials or more that succeeded, got 0"):
        scored_by_trials(GRID, archs[:3], np.full(3, np.nan))


def test_counterfactuals_are_those_of_all_architectures(rough):
    archs, sizes = all_archs(GRID), np.random.RandomState(5).uniform(1, 10, 256)
    means = rough.means(archs)
    best_arch = archs[means.argsort()[-4]]
    own, size = rough.means(best_arch[None])[0], 12.0
    changes = (archs != best_arch).sum(1)
    near = (sizes <= 6) & (own - means < np.where(means > own, np.inf, rough.pair_errors(best_arch, archs)))
    found = half_the_size(rough, best_arch, archs, sizes, size)
    assert len(found.decisions) == changes[near].min()
    best = best_within(rough, best_arch, archs, sizes, size)
    assert best.difference == pytest.approx(means[sizes <= 6].max() - own)
    loss = smallest_loss(rough, best_arch, archs, loss=0.3)
    worse = own - means >= 0.3
    assert len(loss.decisions) == changes[worse].min()
    assert loss.difference == pytest.approx((means - own)[worse & (changes == changes[worse].min())].min())
    assert smallest_loss(rough, best_arch, archs, loss=2.0) is None
    assert half_the_size(rough, best_arch, archs, sizes + 100, size) is None


def test_the_chance_of_the_runner_up_is_that_of_students_test():
    first, second = [0.9, 0.92, 0.91, np.nan], [0.91, 0.9, 0.89]
    expected = stats.ttest_ind(first[:3], second, alternative="greater").pvalue
    assert chance_better(first, second) == pytest.approx(expected)
    assert np.isnan(chance_better([0.9], [0.8]))
    assert chance_better([0.9, 0.9], [0.8]) == 0


def test_a_planted_motif_is_found_with_the_effect_of_inserting_it():
    """Cells that have a live convolution anywhere are better by 0.2, whatever else they have."""
    labels, _ = jax.vmap(SMALL.labeled)(jax.vmap(SMALL.arch_at)(np.arange(125)))
    has = (np.asarray(labels) == SMALL.label_names.index("nor_conv_3x3")).any(1)
    bench = bench_of(0.5 + 0.2 * has + 0.001 * np.random.RandomState(0).normal(size=125), SMALL, 2, 0.001)
    first = jn.analysis.motifs(bench, number=3, num_bootstraps=20)[0]
    assert (first.name, first.reads) == ("nor_conv_3x3", None)
    assert first.low < first.effect < first.high
    assert first.effect > 0.1  # the rest is that of motifs which contain it
    assert first.stability == 1
    np.testing.assert_array_equal(rows_with(bench, first), has)
    inserted = insertion(bench, has)
    assert 0.19 < inserted.low < inserted.effect < inserted.high < 0.21
    archs = all_archs(SMALL)
    placed = insertion(bench, archs[:, 1] == 2)  # on the edge 0-2 alone
    assert placed.low > 0
    assert insertion(bench, np.ones(125, bool)) is None


def test_a_table_is_explained_as_pages_need_it():
    scores = np.random.RandomState(0).uniform(size=12)
    found = explained_by_table(bench_of(scores, MIXED, 3, 0.05), int(scores.argmax()))
    assert found["reference"]["score"] == pytest.approx(np.sort(scores)[6])
    assert 0 < found["runner_up"]["chance"] < 0.5
    lines = explanation_texts(found, ACCURACY)
    assert f"{100 * (scores.max() - np.sort(scores)[6]):.2f} percentage points better than" in lines[0]
    assert lines[-1].startswith("The chance that the runner-up is ")
    assert sum(each["value"] for each in found["values"]) == pytest.approx(scores.max() - np.sort(scores)[6], abs=1e-6)


def test_a_lesion_of_a_dead_edge_changes_nothing_and_one_of_the_only_path_what_is_predicted():
    task = make_task()
    arch = tuple(int(each) for each in SMALL.from_str("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|"))
    networks = CellNetworks(SMALL, ONE_STAGE, task.spec)
    network = networks.module(arch, networks.init(jax.random.key(1), jnp.asarray(arch)))
    inputs = Inputs(task.spec, task.mean, task.deviation, np.asarray(["a", "b", "c"]))
    model = FittedModel(network, SMALL, arch, ONE_STAGE, inputs, task)
    X, y = task.test.inputs[0] * task.deviation + task.mean, inputs.classes[task.test.labels]  # noqa: N806
    found = jn.analysis.explain_network(model, X, y)
    dead, only, zeros = found.lesions
    assert [each.live for each in found.lesions] == [False, True, False]
    assert dead.operation == only.operation == "nor_conv_3x3"
    assert all(each.loss == each.changed == each.standard_error == 0 for each in (dead, zeros))
    assert only.changed > 0
    assert found.confusion.sum() == len(y)
    assert found.accuracy == pytest.approx(np.trace(found.confusion) / len(y)) == model.score(X, y)
    assert found.saliency.shape == task.shape
    assert len(network_parts(found).axes) == 3
    with pytest.raises(ValueError, match=r"^Expected classes of a, b, c, got 'd'"):
        jn.analysis.explain_network(model, X, ["d"] * len(y))
