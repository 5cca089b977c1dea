"""Networks: the static and the traced form are one function, one program serves a space, sizes are counted right."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from helpers.samples import NB201, SMALL, make_task

from jaxnas.spaces.cells import family
from jaxnas.spaces.cells.network import Network, Skeleton, specialize
from jaxnas.spaces.cells.size import size as size_of
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import convolution
from jaxnas.tasks.base import TaskSpec
from jaxnas.training import loop
from jaxnas.training.config import TrainConfig

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


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def initial(space, skeleton, shape, arch, key):
    network = Network(space, skeleton, shape, NUM_CLASSES, arch, key=key)
    return nnx.state(network, nnx.Param), nnx.state(network, nnx.BatchStat)


@functools.cache
def template(space, skeleton, shape) -> Network:
    """Returns a traced network of any values."""
    arch = jnp.zeros(len(space.decisions), jnp.int32)
    abstract = nnx.eval_shape(lambda: Network(space, skeleton, shape, NUM_CLASSES, arch, key=jax.random.key(0)))
    definition, state = nnx.split(abstract)
    return nnx.merge(definition, jax.tree.map(lambda value: jnp.zeros(value.shape), state))


def with_arrays(network: Network, *states) -> Network:
    network = nnx.clone(network)
    nnx.update(network, *states)
    return network


@functools.partial(jax.jit, static_argnums=(0, 1))
def measure(definition, train, parameters, statistics, arch, images, labels):
    """Returns logits, gradients, and statistics after the call."""

    def loss(parameters):
        network = nnx.merge(definition, parameters, statistics, copy=True)
        logits = network(images, arch, train=train)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), (logits, nnx.state(network, nnx.BatchStat))

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
    random = np.random.RandomState(1)
    states = jax.tree.map(
        lambda value: value + random.uniform(0.1, 0.5, value.shape).astype(np.float32),
        initial(space, skeleton, shape, space.pruned(jnp.asarray(arch)), jax.random.key(0)),
    )
    traced = template(space, skeleton, shape)
    images, labels = images_of(shape)
    logits, gradients, changed = measure(nnx.graphdef(traced), train, *states, jnp.asarray(arch), images, labels)
    static = specialize(with_arrays(traced, *states), arch)
    definition, *arrays = nnx.split(static, nnx.Param, nnx.BatchStat)
    expected = measure(definition, train, *arrays, None, images, labels)
    np.testing.assert_allclose(logits, expected[0], rtol=1e-4, atol=1e-5)
    mapped = specialize(with_arrays(traced, gradients, changed), arch)
    assert_states_close(nnx.state(mapped, nnx.Param), expected[1], rtol=1e-3, atol=1e-5)
    assert_states_close(nnx.state(mapped, nnx.BatchStat), expected[2], rtol=1e-4, atol=1e-5)
    # the arrays that the static network lacks have no gradient
    np.testing.assert_allclose(optax.tree.norm(gradients), optax.tree.norm(expected[1]), rtol=1e-4)
    before, after = jax.tree.leaves(arrays[1]), jax.tree.leaves(expected[2])
    assert {bool((old != new).any()) for old, new in zip(before, after, strict=True)} == {train}


@pytest.mark.parametrize("train", [True, False])
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


@pytest.mark.parametrize("text", ARCHS)
def test_a_static_network_has_the_initial_arrays_of_the_traced_one(text):
    shape, key, arch = (6, 5, 1), jax.random.key(3), choices(SMALL, text)
    states = initial(SMALL, SKELETON, shape, jnp.asarray(arch), key)
    mapped = specialize(with_arrays(template(SMALL, SKELETON, shape), *states), arch)
    static = Network(SMALL, SKELETON, shape, NUM_CLASSES, arch, key=key)
    assert_states_close(nnx.state(mapped), nnx.state(static), rtol=1e-6)


def test_cells_edges_and_keys_have_arrays_of_their_own():
    arch = choices(SMALL, "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|")
    skeleton = Skeleton(2, num_stages=1, cells_per_stage=2)
    kernels = [
        np.asarray(cell.edges[name].parameters["kernel"][...])
        for seed in (0, 1)
        for cell in Network(SMALL, skeleton, (6, 5, 1), 3, arch, key=jax.random.key(seed)).cells
        for name in ("0-1", "0-2", "1-2")
    ]
    assert len({kernel.tobytes() for kernel in kernels}) == 12


def test_every_image_has_the_same_logits_where_the_output_is_not_reached():
    shape, arch = (6, 5, 1), choices(SMALL, NOTHING)
    images, labels = images_of(shape)
    states = initial(SMALL, SKELETON, shape, jnp.asarray(arch), jax.random.key(0))
    traced = measure(nnx.graphdef(template(SMALL, SKELETON, shape)), False, *states, jnp.asarray(arch), images, labels)
    static = Network(SMALL, SKELETON, shape, NUM_CLASSES, arch, key=jax.random.key(0))(images)
    for logits in (traced[0], static):
        np.testing.assert_array_equal(logits, jnp.broadcast_to(logits[0], logits.shape))


def test_an_array_as_architecture_makes_a_static_network():
    """`space.arch_at(row)` is an array of JAX, a result's `arch` one of NumPy."""
    images, arch = images_of((6, 5, 1))[0], choices(SMALL, ARCHS[0])
    expected = Network(SMALL, SKELETON, (6, 5, 1), NUM_CLASSES, arch, key=jax.random.key(0))(images)
    given = Network(SMALL, SKELETON, (6, 5, 1), NUM_CLASSES, np.asarray(arch), key=jax.random.key(0))
    np.testing.assert_array_equal(given(images), expected)
    traced = Network(SMALL, SKELETON, (6, 5, 1), NUM_CLASSES, jnp.asarray(arch), key=jax.random.key(0))
    with pytest.raises(ValueError, match="got none; a tuple of ints makes a static one"):
        traced(images)


def test_one_trace_serves_all_architectures():
    traces = []

    def counted(x, parameters, statistics, train):
        traces.append(1)
        return x**2, statistics

    space = CellSpace(3, ("none", counted, "nor_conv_1x1"), name="counted")
    skeleton, shape = Skeleton(2, num_stages=1), (4, 4, 1)
    definition = nnx.graphdef(template(space, skeleton, shape))
    images, labels = images_of(shape)
    found, counts = [], []
    for arch in [(0, 1, 0), (1, 0, 1), (0, 2, 0)]:
        states = initial(space, skeleton, shape, jnp.asarray(arch), jax.random.key(0))
        found.append(measure(definition, True, *states, jnp.asarray(arch), images, labels)[0])
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
    static = family.init, family.apply, 2, SMALL, config, task.spec
    program = loop.train_seeds.lower(*static, *arguments).compile().as_text()
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

    arch = choices(space, text)

    def make():
        return Network(space, skeleton, shape, 10, arch, key=jax.random.key(0))

    size = size_of(space, TrainConfig(network=skeleton), TaskSpec("images", "class", shape, 10), arch)
    assert size.num_parameters == num_parameters(make)
    program = jax.make_jaxpr(lambda images: make()(images))(jnp.zeros((1, *shape)))
    assert size.num_flops == multiply_accumulates(program.jaxpr) + 10  # the bias of the head


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
    size = size_of(NB201, TrainConfig(network=OFFICIAL), spec, choices(NB201, text))
    assert (size.num_parameters / 1e6, size.num_flops / 1e6) == PUBLISHED[text]


def test_running_statistics_move_by_one_less_the_momentum():
    images, _ = images_of((6, 5, 1))
    moved = {}
    for momentum in (0.0, 0.9):
        network = Network(SMALL, SKELETON, (6, 5, 1), NUM_CLASSES, choices(SMALL, ARCHS[0]), key=jax.random.key(0))
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
