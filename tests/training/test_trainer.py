"""Training: a training depends on its class, its seed and its configuration, and on nothing else."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from helpers.samples import SMALL, TINY

from jaxnas.spaces.cells import plans
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.tasks.base import Split, TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training import loop
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.networks import Applied, Networks, Variables
from jaxnas.training.order import epoch_order, training_key
from jaxnas.training.recorder import SILENT
from jaxnas.training.trainer import Trainer

CONFIG = TrainConfig(num_epochs=12, batch_size=11, learning_rate=0.2, network=Skeleton(2, num_stages=1))
SEEDS = (0, 1, 2)
CONVOLUTIONS = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_3x3~1|"
TEXTS = (
    CONVOLUTIONS,
    "|tanh~0|+|skip_connect~0|avg_pool_3x3~1|",
    "|none~0|+|nor_conv_3x3~0|tanh~1|",  # one class with the next two
    "|skip_connect~0|+|nor_conv_3x3~0|none~1|",
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|",
    "|none~0|+|none~0|skip_connect~1|",  # the output is not reached
)
ARCHS = [SMALL.from_str(text) for text in TEXTS]


@pytest.fixture(scope="module")
def curves(task) -> Curves:
    return Trainer(SMALL, task, CONFIG).curves(ARCHS, SEEDS)


def assert_equal(found: Curves, expected: Curves):
    """Compares counts exactly, and losses up to the order of sums, which the compiler may choose for each program."""
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in ("loss", "first_loss", "first_gradient_norm"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, err_msg=name)


def test_curves_have_axes_of_architectures_seeds_and_epochs(curves, task):
    shape = (len(ARCHS), len(SEEDS), CONFIG.num_epochs)
    for name in ("train", "validation", "test", "loss"):
        assert getattr(curves, name).shape == shape
    assert curves.first_loss.shape == curves.first_gradient_norm.shape == shape[:2]
    for name in ("train", "validation", "test"):
        counts = getattr(curves, name)
        assert counts.dtype == np.int32
        assert counts.min() >= 0
        assert counts.max() <= getattr(task, name).num_examples


def test_seeds_trained_alone_equal_seeds_trained_together(curves, task):
    for position in (0, 2):
        alone = Trainer(SMALL, task, CONFIG).curves(ARCHS[:2], SEEDS[position : position + 1])
        assert_equal(alone, jax.tree.map(lambda values, p=position: values[:2, p : p + 1], curves))


@pytest.mark.parametrize(
    ("num_channels", "batch_size", "num_seeds", "expected"),
    [(4, 64, 5, 5), (4, 64, 9, 3), (4, 64, 11, 1), (8, 128, 4, 2), (8, 128, 5, 1), (16, 128, 3, 1)],
)
def test_as_many_seeds_train_together_as_fit_the_cache_and_divide_theirs(num_channels, batch_size, num_seeds, expected):
    config = TrainConfig(batch_size=batch_size, network=Skeleton(num_channels))
    networks = CellNetworks(SMALL, config, TaskSpec("images", "class", (8, 8, 1), 3))
    assert plans.num_seeds_together(networks, num_seeds) == expected


def test_seeds_trained_one_after_another_equal_seeds_trained_together(curves, task, monkeypatch):
    monkeypatch.setattr(plans, "CACHE_SIZE", 1)
    found = Trainer(SMALL, task, CONFIG).curves(ARCHS[:1], SEEDS)
    assert_equal(found, jax.tree.map(lambda values: values[:1], curves))


def test_order_and_number_of_architectures_do_not_matter(curves, task):
    order = [5, 0, 1, 0]
    found = Trainer(SMALL, task, CONFIG).curves([ARCHS[number] for number in order], SEEDS)
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, other[order]), found, curves)


def test_members_of_a_class_share_their_curves(curves):
    classes = SMALL.classes()[[int(SMALL.index(arch)) for arch in ARCHS]]
    assert classes[2] == classes[3] == classes[4]
    jax.tree.map(lambda values: np.testing.assert_array_equal(values[2:4], values[3:5]), curves)


def test_seeds_and_classes_have_trainings_of_their_own(curves):
    losses = curves.first_loss[:3]
    assert len(np.unique(losses)) == losses.size


def test_one_compilation_serves_all_architectures(task):
    traced = []

    class Counted(Networks):
        def cells(self):
            return CellNetworks(self.space, self.config, self.spec)

        def init(self, key, arch):
            return self.cells().init(key, arch)

        def apply(self, variables, choice, inputs, *, mode, recorder=SILENT):
            traced.append(mode)
            return self.cells().apply(variables, choice, inputs, mode=mode)

        module = size = None

    splits = jax.device_put((task.train, task.validation, task.test))
    archs = [np.asarray(SMALL.canonical(SMALL.arch_at(row))) for row in (7, 31, 100)]
    parts = loop.sequential_plan("counted").train(Counted(SMALL, TINY, task.spec), archs, jnp.asarray([0]), splits)
    next(parts)
    num_traced = len(traced)
    assert num_traced > 0
    assert len(list(parts)) == 2
    assert len(traced) == num_traced


def test_training_learns(curves, task):
    assert (curves.loss[0, :, -1] < curves.loss[0, :, 0] / 2).all()
    assert (curves.validation[0, :, -1] > 0.8 * task.validation.num_examples).all()  # a third by chance
    assert (curves.train[0, :, -1] > curves.train[0, :, 0]).all()


def test_training_without_a_path_to_the_output_guesses_one_label(curves, task):
    for name in ("validation", "test"):
        assert set(getattr(curves, name)[-1].flat) <= set(np.bincount(getattr(task, name).labels))


def test_fit_is_the_training_of_evaluate_and_returns_its_network(curves, task):
    classify = nnx.jit(lambda network, images: network(images).argmax(-1))
    for number in (0, 4):
        network, found = Trainer(SMALL, task, CONFIG).network(ARCHS[number], seed=1)
        assert_equal(found, jax.tree.map(lambda values, n=number: values[n, 1], curves))
        assert network.arch == tuple(SMALL.canonical(ARCHS[number]).tolist())
        for name in ("validation", "test"):
            images, labels = getattr(task, name)
            assert int((classify(network, images[0]) == labels).sum()) == getattr(found, name)[-1]


def test_training_is_a_plain_loop_over_a_static_network(curves, task):
    # SGD with Nesterov momentum and weight decay as in the papers, step by step, for the first epochs
    arch = tuple(SMALL.canonical(ARCHS[0]).tolist())
    init_key, order_key = jax.random.split(training_key(jnp.asarray(arch), 2))
    networks = CellNetworks(SMALL, CONFIG, task.spec)
    network = networks.module(arch, networks.init(init_key, jnp.asarray(arch)))
    num_steps = len(task.train.labels) // CONFIG.batch_size
    total = CONFIG.num_epochs * num_steps

    classify = nnx.jit(lambda network, images: network(images).argmax(-1))

    @nnx.jit
    def gradients_of(network, images, labels):
        def loss(network):
            logits = network(images, train=True)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean(), (logits.argmax(-1) == labels).sum()

        return nnx.value_and_grad(loss, has_aux=True)(network)

    @nnx.jit
    def add_statistics(network, images, momentum):
        network(images, train=True, momentum=momentum)

    momentum, step = None, 0
    for epoch in range(4):
        order, _ = epoch_order(jax.random.fold_in(order_key, epoch), task.train, num_steps, CONFIG.batch_size)
        losses, counts = [], []
        for indices in np.asarray(order):
            (loss, count), gradients = gradients_of(network, task.train.inputs[0, indices], task.train.labels[indices])
            if step == 0:
                np.testing.assert_allclose(curves.first_loss[0, 2], loss, rtol=1e-4)
                norm = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(gradients)))
                np.testing.assert_allclose(curves.first_gradient_norm[0, 2], norm, rtol=1e-4)
            rate = 0.5 * CONFIG.learning_rate * (1 + np.cos(np.pi * step / total))
            parameters = nnx.state(network, nnx.Param)
            decayed = jax.tree.map(lambda g, p: g + CONFIG.weight_decay * p, gradients, parameters)
            momentum = decayed if momentum is None else jax.tree.map(lambda m, d: 0.9 * m + d, momentum, decayed)
            nnx.update(
                network, jax.tree.map(lambda p, m, d, r=rate: p - r * (0.9 * m + d), parameters, momentum, decayed)
            )
            losses.append(float(loss))
            counts.append(int(count))
            step += 1
        np.testing.assert_allclose(curves.loss[0, 2, epoch], np.mean(losses), rtol=3e-5)
        assert curves.train[0, 2, epoch] == sum(counts)
        for number, indices in enumerate(np.asarray(order)[: loop.STATISTICS_BATCHES]):
            add_statistics(network, task.train.inputs[0, indices], number / (number + 1))
        correct = (classify(network, task.validation.inputs[0]) == task.validation.labels).sum()
        assert curves.validation[0, 2, epoch] == int(correct)


def test_the_final_statistics_are_means_over_the_first_batches_of_the_last_epoch(task):
    network, _ = Trainer(SMALL, task, CONFIG).network(ARCHS[0], seed=1)
    _, order_key = jax.random.split(training_key(jnp.asarray(network.arch), 1))
    last_key = jax.random.fold_in(order_key, CONFIG.num_epochs - 1)
    order, _ = epoch_order(last_key, task.train, len(task.train.labels) // CONFIG.batch_size, CONFIG.batch_size)

    @nnx.jit
    def statistics_of(network, images):
        network = nnx.clone(network)
        network(images, train=True, momentum=0.0)
        return nnx.state(network, nnx.BatchStat)

    batches = [statistics_of(network, task.train.inputs[0, indices]) for indices in np.asarray(order)[:4]]
    expected = jax.tree.map(lambda *values: np.mean(values, axis=0), *batches)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5),
        nnx.state(network, nnx.BatchStat),
        expected,
    )


def test_an_epoch_shows_each_image_at_most_once_in_views_of_equal_chance():
    split = Split(np.zeros((3, 103, 1, 1, 1), np.float32), np.zeros(103, np.int32))
    seen = []
    for number in range(20):
        indices, views = epoch_order(jax.random.key(number), split, 10, 10)
        assert indices.shape == views.shape == (10, 10)
        assert len(np.unique(indices)) == 100
        assert 0 <= indices.min() <= indices.max() < 103
        seen.append(np.asarray(views))
    counts = np.bincount(np.ravel(seen), minlength=3)
    assert len(counts) == 3
    assert (abs(counts - 2_000 / 3) < 90).all()  # more than four standard deviations


@pytest.mark.parametrize("num_images", [1, 171, 256, 257, 700])
def test_every_view_of_every_image_is_counted_once(num_images):
    labels = np.random.RandomState(0).randint(0, 3, num_images)
    wrong = np.random.RandomState(1).rand(2, num_images) < 0.4
    images = np.where(wrong, (labels + 1) % 3, labels).astype(np.float32)[..., None, None, None]

    def apply(variables, images, mode):  # reads the label from the image
        return Applied(jax.nn.one_hot(images[:, 0, 0, 0].astype(int), 3))

    whole, first_view = (Split(jnp.asarray(images[:count]), jnp.asarray(labels)) for count in (2, 1))
    evaluation = loop.evaluation_batches((whole, first_view))
    for tested in ("all", "last"):
        num_batches = loop.num_batches_of(TrainConfig(num_epochs=3, test=tested), whole, evaluation.labels.shape)
        for number in range(3):
            counts = loop.evaluated(apply, Variables(()), GOALS["class"], evaluation, num_batches(number))
            assert counts[0] == (~wrong).sum()
            if tested == "all" or number == 2:
                assert counts[1] == (~wrong[0]).sum()
    assert num_batches(1) < len(evaluation.labels) or num_images < 65


def test_a_test_of_the_last_epoch_alone_is_the_same_training(curves, task):
    last = Trainer(SMALL, task, dataclasses.replace(CONFIG, test="last")).curves(ARCHS, SEEDS)
    assert_equal(last, curves._replace(test=curves.test[..., -1:]))
    scores = last._replace(loss=np.where(np.arange(CONFIG.num_epochs) > 0, np.nan, last.loss)).scores("test", 40)
    assert scores.shape == last.test.shape
    assert np.isnan(scores).all()


def test_training_keys_depend_on_architecture_and_seed():
    keys = [
        jax.random.key_data(training_key(arch, seed)).tolist()
        for arch in ([0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1])
        for seed in (0, 1)
    ]
    assert len({tuple(key) for key in keys}) == 8
    again = jax.jit(training_key)(jnp.asarray([1, 1, 1]), 1)
    assert jax.random.key_data(again).tolist() == keys[-1]


def test_a_diverged_training_is_kept_though_only_its_outputs_show_it(task):
    config = dataclasses.replace(CONFIG, num_epochs=1, batch_size=48, learning_rate=1e38)  # one step
    found = Trainer(SMALL, task, config).curves(ARCHS[:2], (0,))
    assert np.isnan(found.loss).all()
    assert np.isfinite(found.first_loss).all()
    assert found.test.shape == (2, 1, 1)
    assert np.isnan(found.scores("validation", 24)).all()


def test_progress_is_told_after_each_architecture(curves, task):
    told = []
    Trainer(SMALL, task, CONFIG).curves(ARCHS[:3], SEEDS, progress=lambda: told.append(1))
    assert len(told) == 3


@pytest.mark.parametrize("archs", [[], [[0, 1]], [0, 1, 2], np.zeros((2, 4), int), np.zeros((1, 2, 3), int)], ids=str)
def test_architectures_of_a_wrong_shape_are_refused(archs, task):
    with pytest.raises(ValueError, match=r"^Expected architectures of shape \[A, 3\], got \["):
        Trainer(SMALL, task, TINY).curves(archs)


def test_a_batch_larger_than_the_data_is_refused(task):
    config = dataclasses.replace(TINY, batch_size=49)
    for call in (
        lambda: Trainer(SMALL, task, config).curves(ARCHS),
        lambda: Trainer(SMALL, task, config).network(ARCHS[0]),
    ):
        with pytest.raises(ValueError, match=r"^Expected a batch_size up to the 48 training examples, got 49"):
            call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_epochs": 0}, "Expected num_epochs of 1 or more, got 0"),
        ({"batch_size": 0}, "Expected batch_size of 1 or more, got 0"),
        ({"learning_rate": 0.0}, "Expected a finite learning_rate above 0, got 0.0"),
        ({"learning_rate": float("nan")}, "Expected a finite learning_rate above 0, got nan"),
        ({"learning_rate": float("inf")}, "Expected a finite learning_rate above 0, got inf"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        TrainConfig(**change)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [((), "Expected one or more seeds, got none"), ((0, -1), "Expected a seed that is a whole number")],
)
def test_no_seeds_and_negative_seeds_are_refused(seeds, message, task):
    with pytest.raises(ValueError, match=message):
        Trainer(SMALL, task, CONFIG).curves(ARCHS[:1], seeds)


def test_a_space_without_networks_is_refused(task):
    space = SMALL.enumerated()
    with pytest.raises(ValueError, match="Expected a space with networks"):
        Trainer(space, task, CONFIG).curves([[0]])
    with pytest.raises(ValueError, match="Expected a space with networks"):
        Trainer(space, task, CONFIG).network([0])
