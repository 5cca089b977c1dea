"""Perceptrons: what all architectures of a space compute is what the static network computes, and training trains."""

import functools
import math
import sys
from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.spaces.perceptrons import layout, plans
from jaxnas.spaces.perceptrons.layout import Arrays, Shapes
from jaxnas.spaces.perceptrons.network import Perceptron
from jaxnas.spaces.perceptrons.networks import PerceptronNetworks
from jaxnas.spaces.perceptrons.space import STRENGTH, MLPSpace
from jaxnas.tasks.base import Split, Task, TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training import loop
from jaxnas.training.config import config_from_dict
from jaxnas.training.networks import Applied, Variables, default_plan
from jaxnas.training.order import epoch_order, training_key
from jaxnas.training.trainer import Trainer, default_config

SPACE = MLPSpace(
    3,
    16,
    activations=("relu", "sigmoid", "tanh", "gelu", "silu"),
    initializers=("random_normal", "lecun_normal", "glorot_uniform"),
    dropout_rates=(0.0, 0.5),
    name="three",
)
FEW = MLPSpace(2, 16, ("tanh",), ("lecun_normal",), ("none", "l1", "l2"), (0.0, 0.5), name="few")
"""A space of few branches, quick to compile."""
SHAPE, NUM_CLASSES = (5, 2, 1), 3
SHAPES = Shapes(SPACE, math.prod(SHAPE), NUM_CLASSES)
ARCHS = ["8/relu/lecun_normal/none/0.0", "8-16/sigmoid/random_normal/l1/0.0", "16-16-8/tanh/glorot_uniform/l2/0.0"]
ARCHS += ["8-16-8/gelu/lecun_normal/none/0.0", "16-8/silu/lecun_normal/none/0.0"]
CONFIG = replace(PerceptronNetworks.default, num_epochs=3, batch_size=16)


def arrays_of(arch, num_seeds: int = 2) -> Arrays:
    keys = jax.random.split(jax.random.key(1), num_seeds)
    return jax.jit(jax.vmap(functools.partial(layout.make_arrays, SHAPES), (None, 0)))(arch, keys)


def network_of(arch, arrays: Arrays, seed: int) -> Perceptron:
    return Perceptron(SHAPES, arch, jax.tree.map(lambda values: values[seed], arrays))


@functools.cache
def programs(chunk: int):
    """Returns the compiled functions for chunks of this size: logits, and logits and gradients in training."""

    def step(arch, arrays, x, g, keys):
        scratch = layout.make_scratch(SHAPES, *x.shape[:2])
        logits, scratch = layout.train_logits(SHAPES, arch, arrays, x, keys, scratch)
        return logits, layout.gradients(SHAPES, arch, arrays, x, g, scratch)

    return jax.jit(functools.partial(layout.logits, SHAPES)), jax.jit(step)


@pytest.mark.nightly
@pytest.mark.parametrize(("text", "chunk"), [*((text, layout.CHUNK) for text in ARCHS), (ARCHS[2], 20)])
def test_any_architecture_computes_what_its_static_network_does(text, chunk, monkeypatch):
    monkeypatch.setattr(layout, "CHUNK", chunk)
    random = np.random.RandomState(0)
    arch = SPACE.from_str(text)
    arrays = arrays_of(arch)
    arrays = arrays._replace(biases=arrays.biases + 0.1)
    x = jnp.asarray(random.randn(2, 7, 10), jnp.float32)
    g = jnp.asarray(random.randn(2, 7, NUM_CLASSES), jnp.float32)
    logits, step = programs(chunk)
    trained, scratch = step(arch, arrays, x, g, jax.random.split(jax.random.key(2), 2))
    for seed in range(2):
        network = network_of(arch, arrays, seed)
        expected = network(x[seed])
        np.testing.assert_allclose(trained[seed], expected, atol=1e-5)
        np.testing.assert_allclose(logits(arch, arrays, x[seed])[seed], expected, atol=1e-5)

        def scalar(network, seed=seed):
            return (network(x[seed]) * g[seed]).sum()

        found = network_of(arch, scratch.gradients, seed)
        expected = nnx.grad(scalar)(network)
        for number, layer in enumerate(found.layers):
            for name, variable in expected["layers"][number].items():
                np.testing.assert_allclose(getattr(layer, name)[...], variable[...], atol=1e-5)
    spec = TaskSpec("images", "class", SHAPE, NUM_CLASSES)
    size = PerceptronNetworks(SPACE, CONFIG, spec).size(arch).num_parameters
    assert size == sum(values.size for values in jax.tree.leaves(nnx.state(network, nnx.Param)))
    assert not scratch.gradients.kernels[:, int(layout.make_layout(SHAPES, arch).size) :].any()


def test_initial_kernels_have_the_spread_of_their_initializer():
    shapes = Shapes(replace(SPACE, max_units=128), 64, 10)
    make = jax.jit(functools.partial(layout.make_arrays, shapes))
    spreads = {
        "random_normal": lambda before, after: 0.05,
        "lecun_normal": lambda before, after: before**-0.5,
        "glorot_uniform": lambda before, after: (2 / (before + after)) ** 0.5,
    }
    for name, spread in spreads.items():
        arch = shapes.space.from_str(f"128-32/relu/{name}/none/0.0")
        arrays = make(arch, jax.random.key(3))
        start = 0
        for before, after in ((32, 10), (128, 32), (64, 128)):  # the output first
            kernel = np.asarray(arrays.kernels[start : start + before * after])
            assert kernel.std() == pytest.approx(spread(before, after), rel=0.1)
            assert abs(kernel.mean()) < 0.2 * kernel.std()
            start += before * after
        assert not arrays.kernels[start:].any()
        assert not arrays.biases.any()


def test_units_are_dropped_at_their_rate_and_the_others_scaled_up():
    arch, random = SPACE.from_str("16/relu/lecun_normal/none/0.5"), np.random.RandomState(0)
    arrays, x = arrays_of(arch), jnp.asarray(random.randn(2, 400, 10), jnp.float32)
    keys = jax.random.split(jax.random.key(2), 2)
    step = jax.jit(
        lambda keys: layout.train_logits(SHAPES, arch, arrays, x, keys, layout.make_scratch(SHAPES, 2, 400))[1]
    )
    scratch, other = step(keys), step(keys[::-1])
    whole = jax.nn.relu(jnp.einsum("sni,sij->snj", x, arrays.kernels[:, 48 : 48 + 160].reshape(2, 10, 16)))
    positive = np.asarray(whole) > 1e-4
    ratios = np.asarray(scratch.outputs[0])[positive] / np.asarray(whole)[positive]
    assert set(np.unique(ratios.round(3))) == {0.0, 2.0}
    assert ratios.mean() == pytest.approx(1, abs=0.04)
    np.testing.assert_array_equal(scratch.slopes[0] > 0, scratch.outputs[0] > 0)
    assert (np.asarray(other.outputs[0]) != np.asarray(scratch.outputs[0])).any()


def reference(arch, task, config, seed: int):
    """Returns validation counts and losses of the training of a static network by optax, one epoch after another."""
    init_key, order_key, _ = jax.random.split(training_key(arch, seed), 3)
    networks = PerceptronNetworks(FEW, CONFIG, task.spec)
    network = networks.module(arch, networks.init(init_key, jnp.asarray(arch)))
    num_steps = len(task.train.labels) // config.batch_size
    schedule = optax.cosine_decay_schedule(config.learning_rate, config.num_epochs * num_steps)
    optimizer = nnx.Optimizer(network, optax.sgd(schedule, momentum=config.momentum, nesterov=True), wrt=nnx.Param)
    penalty = {"none": lambda kernel: 0, "l1": jnp.abs, "l2": jnp.square}[FEW.decode(arch)["regularizer"]]

    @nnx.jit
    def step(network, optimizer, images, labels):
        def function(network):
            loss = optax.softmax_cross_entropy_with_integer_labels(network(images), labels).mean()
            kernels = [layer.kernel[...] for layer in network.layers]
            return loss + STRENGTH * sum(jnp.sum(penalty(kernel)) for kernel in kernels), loss

        (_, loss), gradients = nnx.value_and_grad(function, has_aux=True)(network)
        optimizer.update(network, gradients)
        return loss

    counts, losses = [], []
    for epoch in range(config.num_epochs):
        key = jax.random.fold_in(order_key, epoch)
        indices, views = epoch_order(key, task.train, num_steps, config.batch_size)
        batches = zip(task.train.inputs[views, indices], task.train.labels[indices], strict=True)
        losses.append(np.mean([step(network, optimizer, *batch) for batch in batches]))
        counts.append(int((network(task.validation.inputs[0]).argmax(-1) == task.validation.labels).sum()))
    return counts, losses


def test_training_is_that_of_the_static_network_by_optax(task, monkeypatch):
    for module in (plans, sys.modules[__name__]):
        monkeypatch.setattr(module, "STRENGTH", 1e-2)  # a strong one shows
    strong = replace(FEW, name="strong")  # compiled anew
    archs = [
        np.asarray(FEW.from_str(f"{widths}/0.0")) for widths in ("16-8/tanh/lecun_normal/l1", "8/tanh/lecun_normal/l2")
    ]
    curves = Trainer(strong, task, CONFIG).curves(archs, [4])
    for number, arch in enumerate(archs):
        counts, losses = reference(arch, task, CONFIG, 4)
        np.testing.assert_allclose(curves.loss[number, 0], losses, rtol=1e-4)
        np.testing.assert_array_equal(curves.validation[number, 0], counts)
    assert curves.first_gradient_norm.min() > 0


def test_trainings_do_not_depend_on_what_else_is_trained(task):
    names = ("8/tanh/lecun_normal/none/0.0", "8-16/tanh/lecun_normal/l1/0.5", "16/tanh/lecun_normal/l2/0.5")
    archs = [FEW.from_str(name) for name in names]
    together = Trainer(FEW, task, CONFIG).curves(archs, [0, 1])
    assert together.train.shape == (3, 2, CONFIG.num_epochs)
    for number, arch in enumerate(archs):
        member = arch.at[-1].set(1) if arch[0] == 0 else arch  # of the same class
        for values, whole in zip(Trainer(FEW, task, CONFIG).curves([member], [0, 1]), together, strict=True):
            np.testing.assert_array_equal(values[0], whole[number])
    assert (together.first_loss[:, 0] != together.first_loss[:, 1]).all()


@pytest.mark.parametrize("num_test", [20, 0])
def test_a_network_fitted_to_vectors_scores_as_its_curves_say(num_test):
    random = np.random.RandomState(0)
    labels = np.arange(150) % 3
    features = random.randn(150, 6) + 2 * np.eye(3)[labels].repeat(2, axis=1)
    parts = np.split(np.arange(130 + num_test), [90, 130])
    splits = [Split(features[part][None].astype(np.float32), labels[part].astype(np.int32)) for part in parts]
    task = Task("vectors", *splits, 3, "")
    arch = FEW.from_str("16-8/tanh/lecun_normal/none/0.0")
    network, curves = Trainer(FEW, task, CONFIG).network(arch)
    for split in ("validation", "test"):
        images, labels = getattr(task, split)
        assert (network(images[0]).argmax(-1) == labels).sum() == getattr(curves, split)[-1]
    assert curves.validation[-1] > 30
    bench = jn.benchmarks.TrainingBenchmark(jn.Trainer(FEW, task, CONFIG))
    found = jn.run(jn.random_search(FEW), bench, num_trials=2, num_runs=1).query.arch
    assert (np.isnan(bench.held_out.scores(found)) == (num_test == 0)).all()


def test_an_empty_split_has_no_correct_images_for_cells_either():
    empty = Split(np.zeros((1, 0, 6, 5, 1), np.float32), np.zeros(0, np.int32))

    def apply(variables, images, mode):
        return Applied(jnp.zeros((len(images), 3)))

    evaluation = loop.evaluation_batches((empty, empty))
    assert loop.evaluated(apply, Variables(()), GOALS["class"], evaluation, 1) == (0, 0, False)


def test_perceptrons_have_a_configuration_and_a_plan_of_their_own(task):
    assert default_config(SPACE).network is None
    assert default_config(SPACE).weight_decay == 0
    assert default_config(SPACE, task).batch_size == 32
    assert default_plan(PerceptronNetworks) == "sequential"
    assert config_from_dict(asdict(CONFIG), PerceptronNetworks.default) == CONFIG
    with pytest.raises(ValueError, match=r"^Expected a plan of sequential, got 'packed'"):
        Trainer(SPACE, task, CONFIG).curves([SPACE.from_str(ARCHS[0])], plan="packed")


@pytest.mark.nightly
def test_a_small_space_is_searched_shown_and_built_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("import jaxnas as jn\nSPACE = jn.MLPSpace(2, 8, ('relu',), ('lecun_normal',), ('l2',), (0, 0.5))\n")
    space, out = f"{path}:SPACE", str(tmp_path / "out")
    arguments = ["--space", space, "--task", "digits", "--epochs", "1", "--out", out]
    assert main(["search", *arguments, "--strategy", "regularized_evolution", "--trials", "3"]) == 0
    printed = capsys.readouterr().out
    assert "best of 3 trials" in printed
    assert (tmp_path / "out" / "best.svg").read_text().startswith("<svg")
    assert main(["show", "8-8/relu/lecun_normal/l2/0.5", "--space", space]) == 0
    assert f"parameters    {65 * 8 + 9 * 8 + 9 * 10} (for" in capsys.readouterr().out
    assert main(["show", "8/relu/he_normal/l2/0.0", "--space", "mlp"]) == 0
    assert "row" not in capsys.readouterr().out
    assert main(["show", "8/relu/he_normal/l2/0.0", "--space", "mlp", "--out", str(tmp_path / "a.svg")]) == 0
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert main(["build", *arguments, "--limit", "3", "--processes", "1"]) == 0
    assert "network" not in (tmp_path / "out" / "README.md").read_text().split("## Columns")[0].split("trained |")[1]
    assert main(["verify", out, "--sample", "2"]) == 2  # its name is that of another space
    assert "Expected the space that" in capsys.readouterr().err
    assert main(["verify", out, "--sample", "2", "--space", space]) == 0
