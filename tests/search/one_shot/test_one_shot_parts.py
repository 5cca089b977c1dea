"""The parts of one-shot methods, against what is known exactly: enumeration, central differences, closed forms."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL

from jaxnas.search.one_shot import hypergradients, perturbations, regularizers, samplers, selection, step
from jaxnas.search.one_shot.base import Problem, Sample, SearchRecipe, Trained
from jaxnas.search.one_shot.methods import darts
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import Applied

SPEC = TaskSpec("images", "class", (6, 5, 1), 3)
NUM_DRAWS = 100_000
TABLE = jnp.asarray(np.random.RandomState(0).uniform(size=(3, 3)))
"""Scores of the nine architectures of two decisions with three choices."""


def problem(sample, training=None, validation=None, score=None, rate=0.1):
    return Problem(sample, training, validation, score, None, jnp.asarray(rate))


def mean_and_error(values):
    return values.mean(0), values.std(0) / len(values) ** 0.5


def exact_gradient(alpha):
    """Returns the gradient of the expected score by enumeration."""

    def expected(alpha):
        p = jax.nn.softmax(alpha, axis=-1)
        return sum(p[0, i] * p[1, j] * TABLE[i, j] for i, j in itertools.product(range(3), repeat=2))

    return jax.grad(expected)(alpha)


def test_the_score_function_is_unbiased():
    alpha = jnp.asarray([[0.5, -0.3, 0.1], [-1.0, 0.2, 0.4]])
    gradient = hypergradients.score_function(lambda alpha: jax.nn.log_softmax(alpha, axis=-1), entropy=0.0)

    def draw(alpha, key):
        return Sample(arch=jax.random.categorical(key, alpha))

    def one(key):
        of = problem(draw, score=lambda parameters, sample: TABLE[sample.arch[0], sample.arch[1]])
        return -gradient(of, None, alpha, jnp.float32(0.3), key)[1]

    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    mean, error = mean_and_error(jax.jit(jax.vmap(one))(keys))
    assert np.abs((mean - exact_gradient(alpha)) / error).max() < 4


KEYS = jax.random.split(jax.random.key(0), 3)
X, MAPS, TARGET = (jax.random.normal(key, shape) for key, shape in zip(KEYS, [(4,), (2, 3, 4, 4), (4,)], strict=True))


def toy(sample):
    """Returns the loss of a small network of two edges with three operations."""
    weights = jax.nn.one_hot(sample.arch, 3) if sample.weights is None else sample.weights

    def edge(number, x):
        y = weights[number] @ jnp.tanh(MAPS[number] @ x / 2)
        return y if sample.gates is None else sample.gates.scale[number] * y + sample.gates.offset[number]

    return ((edge(1, edge(0, X)) - TARGET) ** 2).mean()


@pytest.mark.parametrize(
    ("rule", "cosines"), [("selected", (0.8, 0.98)), ("reference", (-0.5, 0.5)), ("full", (0.98, 1))]
)
def test_gumbel_rules_draw_by_probability_and_have_their_own_gradients(rule, cosines):
    alpha = jnp.asarray([[0.5, -0.3, 0.1], [-1.0, 0.2, 0.4]])
    sample = samplers.gumbel_hard(rule, lambda t: 1.0)

    def one(key):
        drawn = sample(key, alpha, 0.0)
        arch = drawn.weights.argmax(-1) if drawn.arch is None else drawn.arch
        return arch, jax.grad(lambda alpha: toy(sample(key, alpha, 0.0)))(alpha)

    archs, gradients = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 20_000))
    shares = jax.nn.one_hot(archs, 3).mean(0)
    p = jax.nn.softmax(alpha, axis=-1)
    assert np.abs((shares - p) / np.sqrt(p * (1 - p) / len(archs))).max() < 4

    def expected(alpha):
        p = jax.nn.softmax(alpha, axis=-1)
        pairs = itertools.product(range(3), repeat=2)
        return sum(p[0, i] * p[1, j] * toy(Sample(arch=jnp.asarray([i, j]))) for i, j in pairs)

    exact, found = jax.grad(expected)(alpha).ravel(), gradients.mean(0).ravel()
    cosine = exact @ found / jnp.linalg.norm(exact) / jnp.linalg.norm(found)
    assert cosines[0] < cosine < cosines[1], cosine
    np.testing.assert_allclose(gradients.sum(-1), 0, atol=1e-5)  # adding to all choices changes nothing


def test_the_reference_rule_counts_what_does_not_run_as_ones():
    """On outputs less one it has the gradient of the rule that counts it as zeros; on maps whose sum is read as zero,
    as after a normalization, both are the same.
    """
    alpha, costs = jax.random.normal(KEYS[0], (2, 3)), jax.random.normal(KEYS[1], (2, 3))
    maps, read = jax.random.normal(KEYS[2], (2, 3, 4)), jnp.asarray([1.0, -2.0, 0.5, 0.5])

    def gradient(rule, outputs, key):
        def loss(alpha):
            drawn = samplers.gumbel_hard(rule, lambda t: 0.7)(key, alpha, 0.0)
            own = outputs[jnp.arange(2), drawn.arch]
            scale, offset = (each.reshape(2, *[1] * (own.ndim - 1)) for each in drawn.gates)
            return ((scale * own + offset).sum(0) @ read if own.ndim > 1 else (scale * own + offset).sum()).sum()

        return jax.grad(loss)(alpha)

    for key in jax.random.split(jax.random.key(3), 20):
        np.testing.assert_allclose(gradient("reference", costs, key), gradient("selected", costs - 1, key), atol=1e-6)
        np.testing.assert_allclose(gradient("reference", maps, key), gradient("selected", maps, key), atol=1e-5)


def test_a_hard_sample_has_gates_of_one_and_zero():
    for rule in ("selected", "reference"):
        drawn = samplers.gumbel_hard(rule, lambda t: 0.1)(jax.random.key(0), jnp.ones((4, 5)), 0.0)
        assert (drawn.gates.scale == 1).all()
        assert (drawn.gates.offset == 0).all()
    with pytest.raises(ValueError, match="Did you mean full"):
        samplers.gumbel_hard("ful", lambda t: 1.0)


def test_fair_paths_have_each_choice_once():
    archs = samplers.latin_square(SMALL)(jax.random.key(0))
    assert archs.shape == (5, 3)
    assert all(sorted(column) == list(range(5)) for column in np.asarray(archs).T.tolist())


class Lines(NamedTuple):
    """Networks of two choices, whose outputs are linear: what `gradient_of_paths` asks of a supernet."""

    def apply(self, variables, choice, inputs, *, mode):
        return Applied(inputs @ variables.parameters[choice[0]])

    def used(self, arch):
        return jax.nn.one_hot(arch[0], 2)[:, None, None]


@pytest.mark.parametrize("distils", [False, True])
def test_gradients_of_paths_are_added_up(distils):
    """FairNAS and the sandwich rule: one step, again in NumPy."""
    random = np.random.RandomState(0)
    parameters, x, labels = random.randn(2, 4, 3), random.randn(6, 4), random.randint(0, 3, 6)
    archs = [1, 0, 1]
    method = darts(SMALL)._replace(distils=distils)
    setting = step.Setting(method, Lines())

    def loss(parameters, sample, batch):
        outputs = step.outputs_of(setting, parameters, sample, batch[0])
        return GOALS["class"].loss(outputs, batch[1])

    batch = jnp.asarray(x), jnp.asarray(labels)
    gradient, used, _ = step._gradient_of_paths(
        setting, jnp.asarray(parameters), jnp.asarray(archs)[:, None], batch, loss
    )

    def chances(arch):
        outputs = np.exp(x @ parameters[arch])
        return outputs / outputs.sum(1, keepdims=True)

    expected = np.zeros_like(parameters)
    for number, arch in enumerate(archs):
        target = chances(archs[0]) if distils and number else np.eye(3)[labels]
        expected[arch] += x.T @ (chances(arch) - target) / len(x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)
    assert used.min() == 1


def test_uniform_paths_are_classes():
    draw = jax.jit(jax.vmap(samplers.uniform(SMALL)))
    archs = np.unique(draw(jax.random.split(jax.random.key(0), 5000)), axis=0)
    rows = np.sort([int(SMALL.index(arch)) for arch in archs])
    np.testing.assert_array_equal(rows, np.unique(SMALL.classes()))


def test_the_unrolled_gradient_of_a_supernet_is_a_central_difference(monkeypatch):
    """With a smooth activation: kinks make the derivative of a step in the weights jump."""
    monkeypatch.setattr(jax.nn, "relu", jax.nn.gelu)
    space = CellSpace(3, ("none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3"), name="smooth")
    config = TrainConfig(batch_size=8, network=Skeleton(num_channels=2, num_stages=1))
    with jax.enable_x64(True):
        networks = CellNetworks(space, config, SPEC)
        setting = step.Setting(darts(space)._replace(recipe=SearchRecipe(clip=1e9)), networks)
        state = jax.jit(step.initial, static_argnums=0)(setting, jax.random.key(0))
        keys = jax.random.split(jax.random.key(1), 3)
        halves = [(jax.random.normal(key, (8, *SPEC.shape)), jnp.arange(8) % 3) for key in keys[:2]]
        alpha = jax.random.normal(keys[2], (3, 4))
        momentum = jax.tree.map(lambda each: 0.01 * jnp.ones_like(each), state.momentum)
        of = step.make_problem(
            setting, halves, momentum, jnp.asarray(0.1), lambda alpha, key: samplers.softmax_mixture(key, alpha, 0.0)
        )
        given = jax.random.key(0)
        measured = jax.jit(lambda alpha: hypergradients.unrolled(of, state.parameters, alpha, 0.0, given)[:2])
        gradient = measured(alpha)[1]
        for number in range(3):
            direction = jax.random.normal(jax.random.key(number), alpha.shape)
            ahead, behind = (measured(alpha + sign * 1e-4 * direction)[0] for sign in (1, -1))
            expected = (gradient * direction).sum()
            assert abs((ahead - behind) / 2e-4 - expected) < 1e-6 * max(abs(expected), 1)
        np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-12)


def test_adversarial_weights_never_do_better_and_stay_on_the_simplex():
    target = jax.nn.softmax(jax.random.normal(jax.random.key(0), (3, 4)))

    def loss(weights):
        return jnp.sin(5 * (weights - target)).sum() + ((weights - target) ** 2).sum()

    def one(key):
        weights = jax.nn.softmax(jax.random.normal(key, (3, 4)))
        worse = perturbations.adversarial(lambda t: 0.3)(key, weights, loss, 0.5)
        return loss(worse) - loss(weights), worse, perturbations.random(lambda t: 2.0)(key, weights, loss, 0.5)

    gains, *moved = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), 100))
    assert (gains >= 0).all()
    assert (gains > 0).mean() > 0.9
    for weights in moved:
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)


def test_adversarial_weights_are_the_last_of_seven_projected_steps():
    slopes = jnp.asarray([[3.0, -1, -2, 0.5], [-1, -1, -1, -1]])
    weights = jnp.asarray([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    key, bound = jax.random.key(0), 0.2
    found = perturbations.adversarial(lambda t: bound)(key, weights, lambda weights: (weights * slopes).sum(), 0.5)

    def projected(moved):
        clipped = np.maximum(moved, 0)
        return clipped / clipped.sum(1, keepdims=True)

    moved = projected(np.asarray(weights + bound * jax.random.uniform(key, weights.shape, minval=-1, maxval=1)))
    for _ in range(7):
        ahead = moved + 2 * bound / 7 * np.sign(slopes)
        moved = projected(weights + np.clip(ahead - weights, -bound, bound))
    np.testing.assert_allclose(found, moved, atol=1e-6)
    np.testing.assert_allclose(found[0, [1, 2]], 0.1 / 0.9 * np.asarray([1, 0]), atol=0.02)
    np.testing.assert_allclose(perturbations.on_simplex(jnp.asarray([[-2.0, -1, -3]])), [[0, 1, 0]])


def test_regularizers_have_their_gradients():
    alpha = jnp.asarray([[0.5, -0.3, 0.1], [-1.0, 0.2, 0.4]])
    decay = jax.grad(regularizers.beta_decay(50.0))(alpha, 0.5)
    np.testing.assert_allclose(decay, 25 * jax.nn.softmax(alpha) / 2, rtol=1e-6)
    assert float(regularizers.entropy(2.0)(jnp.zeros((1, 4)), 0.5)) == pytest.approx(np.log(4))


def chosen_by(select, best):
    """Returns what a selection takes where the score of an architecture is how often it agrees with the best."""

    def mixture_scores(weights):
        return weights[:, np.arange(3), best].sum(-1)

    def trained(probabilities):
        def scores(archs, num_examples=None):
            return (np.asarray(archs) == best).mean(-1)

        return Trained(SMALL, probabilities, scores, mixture_scores, lambda fixed, steps: trained(probabilities), 10)

    probabilities = np.random.RandomState(0).dirichlet(np.full(5, 20), 3).astype(np.float32)
    return select(trained(probabilities), np.random.default_rng(0)), probabilities


@pytest.mark.parametrize(
    "select", [selection.best_of(400), selection.evolved(150), selection.best_drawn(2000), selection.by_perturbation]
)
def test_selections_take_the_best(select):
    best = np.asarray([3, 1, 4])
    np.testing.assert_array_equal(SMALL.canonical(chosen_by(select, best)[0]), SMALL.canonical(best))


def test_the_most_probable_choices_are_taken():
    found, probabilities = chosen_by(selection.most_probable, np.asarray([0, 0, 0]))
    np.testing.assert_array_equal(found, probabilities.argmax(1))
    fixed = selection.fixed_weights(probabilities, np.asarray([-1, 2, -1]))
    np.testing.assert_array_equal(fixed[1], [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(fixed[[0, 2]], probabilities[[0, 2]])
