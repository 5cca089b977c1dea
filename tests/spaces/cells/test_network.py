"""Networks: the static and the traced form are one function, one program serves a space, sizes are counted right."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from helpers.samples import NB201, SMALL, make_task

from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import convolution
from jaxnas.tasks.base import TaskSpec
from jaxnas.training import loop
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import Variables
from jaxnas.training.trainer import Trainer

NUM_CLASSES = 3
SKELETON = Skeleton(num_channels=2, num_stages=2)
OFFICIAL = Skeleton(num_channels=16, num_stages=3, cells_per_stage=5)
NOTHING = "|none~0|+|none~0|skip_connect~1|"  # the output is not reached
ARCHS = (
    "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_3x3~1|",
    "|avg_pool_3x3~0|+|skip_connect~0|tanh~1|",
    "|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|",  # one dead convolution
    NOTHING,
)


def choices(space, text: str) -> tuple[int, ...]:
    return tuple(space.from_str(text).tolist())


def networks_of(space, skeleton, shape) -> CellNetworks:
    return CellNetworks(space, TrainConfig(network=skeleton), TaskSpec("images", "class", shape, NUM_CLASSES))


@functools.partial(jax.jit, static_argnums=0)
def initial(networks, arch, key) -> Variables:
    return networks.init(key, arch)


def mean_loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@functools.partial(jax.jit, static_argnums=(0, 1))
def measure(networks, mode, variables, arch, images, labels):
    """Returns logits, gradients, and statistics after the call."""

    def loss(parameters):
        applied = networks.apply(variables._replace(parameters=parameters), arch, images, mode=mode)
        return mean_loss(applied.outputs, labels), applied

    gradients, (logits, changed) = jax.grad(loss, has_aux=True)(variables.parameters)
    return logits, gradients, changed


@functools.partial(jax.jit, static_argnums=(0, 1))
def measure_static(definition, train, parameters, statistics, images, labels):
    """Returns what `measure` does, of a network of one architecture."""

    def loss(parameters):
        network = nnx.merge(definition, parameters, statistics, copy=True)
        logits = network(images, train, 0.0)
        return mean_loss(logits, labels), (logits, nnx.state(network, nnx.BatchStat))

    gradients, (logits, changed) = jax.grad(loss, has_aux=True)(parameters)
    return logits, gradients, changed


def images_of(shape, number: int = 8):
    random = np.random.RandomState(0)
    return jnp.asarray(random.standard_normal((number, *shape))), jnp.asarray(random.randint(0, NUM_CLASSES, number))


def assert_states_close(found, expected, **tolerance):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, **tolerance), found, expected)


def assert_static_is_traced(space, skeleton, shape, arch: tuple[int, ...], train: bool):
    """Compares logits, gradients and changed statistics of both forms, for arrays as after some training."""
    random, networks = np.random.RandomState(1), networks_of(space, skeleton, shape)
    variables = jax.tree.map(
        lambda value: value + random.uniform(0.1, 0.5, value.shape).astype(np.float32),
        initial(networks, jnp.asarray(arch), jax.random.key(0)),
    )
    images, labels = images_of(shape)
    mode = "train" if train else "evaluate"
    logits, gradients, changed = measure(networks, mode, variables, jnp.asarray(arch), images, labels)
    definition, *arrays = nnx.split(networks.module(arch, variables), nnx.Param, nnx.BatchStat)
    expected = measure_static(definition, train, *arrays, images, labels)
    np.testing.assert_allclose(logits, expected[0], rtol=1e-4, atol=1e-5)
    mapped = networks.module(arch, Variables(gradients, changed))
    assert_states_close(nnx.state(mapped, nnx.Param), expected[1], rtol=1e-3, atol=1e-5)
    assert_states_close(nnx.state(mapped, nnx.BatchStat), expected[2], rtol=1e-4, atol=1e-5)
    # the arrays that the static network lacks have no gradient
    np.testing.assert_allclose(optax.tree.norm(gradients), optax.tree.norm(expected[1]), rtol=1e-4)
    before, after = jax.tree.leaves(arrays[1]), jax.tree.leaves(expected[2])
    assert {bool((old != new).any()) for old, new in zip(before, after, strict=True)} == {train}


@pytest.mark.parametrize("train", [True, pytest.param(False, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("text", ARCHS)
def test_static_and_traced_networks_agree(text, train):
    assert_static_is_traced(SMALL, SKELETON, (6, 5, 1), choices(SMALL, text), train)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "text",
    [
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
        "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|none~2|",
    ],
)
def test_static_and_traced_networks_of_nb201_agree(text):
    assert_static_is_traced(NB201, SKELETON, (6, 5, 1), choices(NB201, text), True)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("shape", "skeleton"),
    [((7, 9, 3), Skeleton(2, num_stages=2, cells_per_stage=2)), ((28, 28, 1), Skeleton(2, num_stages=1))],
    ids=["7x9x3, two cells a stage", "28x28x1"],
)
def test_static_and_traced_networks_agree_on_other_images(shape, skeleton):
    arch = choices(SMALL, "|nor_conv_3x3~0|+|tanh~0|nor_conv_3x3~1|")
    assert_static_is_traced(SMALL, skeleton, shape, arch, True)


def test_an_edge_has_the_initial_arrays_of_its_operation_alone():
    key, arch = jax.random.key(3), choices(SMALL, ARCHS[0])
    networks = networks_of(SMALL, SKELETON, (6, 5, 1))
    network = networks.module(arch, initial(networks, jnp.asarray(arch), key))
    cell_key = jax.random.fold_in(jax.random.fold_in(jax.random.split(key, 3)[2], 1), 0)
    for number, name in enumerate(("0-1", "0-2", "1-2")):
        arrays = SMALL.operations[arch[number]].arrays(jax.random.fold_in(cell_key, number), 2 * SKELETON.num_channels)
        layer = network.cells[1].edges[name]
        for found, expected in zip((layer.parameters, layer.statistics), arrays, strict=True):
            assert_states_close(nnx.to_pure_dict(nnx.state(found)), expected, rtol=1e-6)


def test_cells_edges_and_keys_have_arrays_of_their_own():
    arch = choices(SMALL, "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|")
    networks = networks_of(SMALL, Skeleton(2, num_stages=1, cells_per_stage=2), (6, 5, 1))
    kernels = [
        np.asarray(cell.edges[name].parameters["kernel"][...])
        for seed in (0, 1)
        for cell in networks.module(arch, initial(networks, jnp.asarray(arch), jax.random.key(seed))).cells
        for name in ("0-1", "0-2", "1-2")
    ]
    assert len({kernel.tobytes() for kernel in kernels}) == 12


def test_every_image_has_the_same_logits_where_the_output_is_not_reached():
    shape, arch = (6, 5, 1), choices(SMALL, NOTHING)
    networks, (images, labels) = networks_of(SMALL, SKELETON, shape), images_of(shape)
    variables = initial(networks, jnp.asarray(arch), jax.random.key(0))
    traced = measure(networks, "evaluate", variables, jnp.asarray(arch), images, labels)
    static = networks.module(arch, variables)(images)
    for logits in (traced[0], static):
        np.testing.assert_array_equal(logits, jnp.broadcast_to(logits[0], logits.shape))


def test_an_untrained_network_is_made_of_any_kind_of_vector():
    """`space.arch_at(row)` is an array of JAX, a result's `arch` one of NumPy."""
    images, arch = images_of((6, 5, 1))[0], choices(SMALL, ARCHS[0])
    trainer = Trainer(SMALL, make_task(), TrainConfig(batch_size=16, network=SKELETON))
    expected = trainer.untrained(arch)(images)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(trainer.untrained(np.asarray(arch))(images), expected)
    np.testing.assert_array_equal(trainer.untrained(jnp.asarray(arch))(images), expected)
    assert (trainer.untrained(arch, seed=1)(images) != expected).any()


def test_one_trace_serves_all_architectures():
    traces = []

    def counted(x, parameters, statistics, train):
        traces.append(1)
        return x**2, statistics

    space = CellSpace(3, ("none", counted, "nor_conv_1x1"), name="counted")
    skeleton, shape = Skeleton(2, num_stages=1), (4, 4, 1)
    networks, (images, labels) = networks_of(space, skeleton, shape), images_of(shape)
    found, counts = [], []
    for arch in [(0, 1, 0), (1, 0, 1), (0, 2, 0)]:
        variables = initial(networks, jnp.asarray(arch), jax.random.key(0))
        found.append(measure(networks, "train", variables, jnp.asarray(arch), images, labels)[0])
        counts.append(len(traces))
    assert counts[0] > 0
    assert counts == [counts[0]] * 3
    assert not np.allclose(found[0], found[1])
    assert not np.allclose(found[1], found[2])


def test_conditionals_survive_in_the_compiled_training_of_several_seeds():
    # were the architecture batched too, every operation would run on every edge
    task = make_task()
    config = TrainConfig(num_epochs=2, batch_size=16, network=Skeleton(2, num_stages=1))
    splits = jax.device_put((task.train, task.validation, task.test))
    arguments = jnp.asarray([1, 2, 3]), jnp.arange(2), splits
    networks = CellNetworks(SMALL, config, task.spec)
    program = loop.train_seeds.lower(networks, 2, *arguments).compile().as_text()
    assert program.count(" conditional(") >= 3 * len(SMALL.edges)  # forward, backward, evaluation
    assert program.count("feature_group_count") == 0


def num_parameters(make) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(make), nnx.Param)))


def multiply_accumulates(jaxpr) -> int:
    """Returns the products in all matrix products and convolutions of a program, those in inner programs included."""
    total = 0
    for equation in jaxpr.eqns:
        shapes = [variable.aval.shape for variable in equation.invars]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += equation.outvars[0].aval.size * int(np.prod([shapes[0][axis] for axis in contracted]))
        if equation.primitive.name == "conv_general_dilated":
            features = equation.params["dimension_numbers"].rhs_spec[0]
            total += equation.outvars[0].aval.size * int(np.prod(shapes[1])) // shapes[1][features]
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                total += multiply_accumulates(inner) if hasattr(inner, "eqns") else 0
    return total


SIZED = [
    (SMALL, SKELETON, (6, 5, 1), "|nor_conv_3x3~0|+|tanh~0|nor_conv_3x3~1|"),
    (SMALL, Skeleton(3, num_stages=3, cells_per_stage=2), (7, 9, 3), "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|"),
    (SMALL, SKELETON, (6, 5, 1), NOTHING),
    (NB201, Skeleton(4), (8, 8, 1), "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"),
]


@pytest.mark.parametrize(("space", "skeleton", "shape", "text"), SIZED)
def test_sizes_are_those_of_the_network(space, skeleton, shape, text, monkeypatch):
    monkeypatch.setattr(convolution, "convolution_form", lambda height, width: "direct")

    networks, arch = networks_of(space, skeleton, shape), choices(space, text)

    def make():
        return networks.module(arch, networks.init(jax.random.key(0), jnp.asarray(arch)))

    size = networks.size(arch)
    assert size.num_parameters == num_parameters(make)
    program = jax.make_jaxpr(lambda images: make()(images))(jnp.zeros((1, *shape)))
    assert size.num_flops == multiply_accumulates(program.jaxpr) + NUM_CLASSES  # the bias of the head


PUBLISHED = {
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": (
        0.129306,
        15.64737,
    ),
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|": (0.802426, 113.95137),
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|": (0.101306, 11.71521),
}


@pytest.mark.parametrize("text", PUBLISHED)
def test_sizes_are_the_published_ones(text):
    spec = TaskSpec("images", "class", (32, 32, 3), 10)
    size = CellNetworks(NB201, TrainConfig(network=OFFICIAL), spec).size(choices(NB201, text))
    assert (size.num_parameters / 1e6, size.num_flops / 1e6) == PUBLISHED[text]


def test_running_statistics_move_by_one_less_the_momentum():
    images, _ = images_of((6, 5, 1))
    moved = {}
    for momentum in (0.0, 0.9):
        networks, arch = networks_of(SMALL, SKELETON, (6, 5, 1)), choices(SMALL, ARCHS[0])
        network = networks.module(arch, initial(networks, jnp.asarray(arch), jax.random.key(0)))
        network(images, train=True, momentum=momentum)
        moved[momentum] = network.stem.statistics["mean"][...]
    batch = convolution.convolve(jnp.transpose(images, (3, 1, 2, 0)), network.stem.parameters["kernel"][...]).mean(
        (1, 2, 3)
    )
    np.testing.assert_allclose(moved[0.0], batch, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moved[0.9], 0.1 * batch, rtol=1e-4, atol=1e-6)  # they were zero
    network(images)
    np.testing.assert_array_equal(network.stem.statistics["mean"][...], moved[0.9])


@pytest.mark.parametrize("name", ["num_channels", "num_stages", "cells_per_stage"])
def test_empty_skeletons_are_refused(name):
    with pytest.raises(ValueError, match=f"^Expected {name} of 1 or more, got 0"):
        Skeleton(**{name: 0})
