"""Supernets: what one architecture computes in it is what its own network computes with the same arrays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.samples import NB201, SMALL

from jaxnas.spaces.cells import shared
from jaxnas.spaces.cells.network import Network, Skeleton, specialize
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers.base import Operation
from jaxnas.spaces.perceptrons import shared as shared_perceptrons
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig

SPEC = TaskSpec("images", "class", (6, 5, 1), 3)
CONFIG = TrainConfig(batch_size=8, network=Skeleton(num_channels=2, num_stages=2))
NUM_ARCHS = 50


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def parameters():
    return jax.jit(functools.partial(shared.init, SMALL, CONFIG, SPEC))(jax.random.key(0))


@pytest.fixture(scope="module")
def images():
    return jax.random.normal(jax.random.key(1), (8, *SPEC.shape))


@functools.cache
def measured(kind):
    """Returns a function of parameters, an architecture or weights, and images that gives logits and gradients."""
    apply = {"path": shared.path, "mixture": shared.mixture}[kind]

    def loss(parameters, value, images):
        logits = apply(SMALL, CONFIG, SPEC, parameters, value, images)
        return (logits**2 * jnp.arange(1, 4)).mean(), logits

    return jax.jit(jax.grad(loss, has_aux=True))


def archs():
    """Returns architectures: none but zeros, others with dead edges, and random ones, int32[50, 3]."""
    drawn = np.random.RandomState(0).randint(0, 5, (NUM_ARCHS - 3, 3))
    return np.concatenate([[[0, 0, 0], [0, 3, 4], [2, 3, 0]], drawn]).astype(np.int32)


def weights_of(arch):
    return jnp.eye(5)[jnp.asarray(arch)]


def close(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), one, other)


def test_a_path_is_a_mixture_with_one_choice_an_edge(parameters, images):
    for arch in archs():
        path = measured("path")(parameters, jnp.asarray(arch), images)
        close(path, measured("mixture")(parameters, weights_of(arch), images))


def test_a_path_is_the_static_network_with_the_same_arrays(parameters, images):
    arch = archs()[1]  # a dead edge among them, and the user's operation
    with jax.enable_x64(False):  # only the arrays' places are needed, and these programs are known to other tests
        traced = Network(SMALL, CONFIG.network, SPEC.shape, 3, jnp.asarray(arch), key=jax.random.key(2))
    layers = [(traced.stem, parameters["stem"]), (traced.head, parameters["head"])]
    for layer, arrays in [*layers, *zip(traced.reductions, parameters["reductions"], strict=True)]:
        for name, values in arrays.items():
            layer.parameters[name].set_value(values)
    pruned = np.asarray(SMALL.pruned(arch))
    for cell, arrays in zip(traced.cells, parameters["cells"], strict=True):
        cell.parameters.set_value(arrays[np.arange(3), shared.slots(SMALL)[pruned]])
    definition, state = nnx.split(specialize(traced, tuple(map(int, pruned))))
    expected = jax.jit(lambda state: nnx.merge(definition, state, copy=True)(images, train=True))(state)
    found = measured("path")(parameters, jnp.asarray(arch), images)[1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_idle_operations_have_no_gradient_and_used_ones_are_named(parameters, images):
    for arch in archs()[:10]:
        gradient = measured("path")(parameters, jnp.asarray(arch), images)[0]
        used = shared.used(SMALL, CONFIG, SPEC, jnp.asarray(arch))
        for slopes, mask in zip(gradient["cells"], used["cells"], strict=True):
            assert not np.any(np.where(mask > 0, 0, slopes))
        pruned = np.asarray(SMALL.pruned(arch))
        np.testing.assert_array_equal(np.asarray(used["cells"][0])[:, 0, 0], pruned == 2)  # the only one with arrays


def test_scales_and_biases_of_normalization_are_not_trained(parameters):
    masks = shared.trained(SMALL, CONFIG, SPEC)
    assert jax.tree.structure(masks) == jax.tree.structure(parameters)
    assert masks["stem"] == {"kernel": 1, "scale": 0, "bias": 0}
    assert masks["head"]["offset"] == masks["head"]["kernel"] == 1
    assert masks["head"]["scale"] == masks["reductions"][0]["a_bias"] == 0
    channels = CONFIG.network.num_channels
    assert masks["cells"][0].sum() == 9 * channels**2


def test_parameters_of_a_users_own_operation_are_trained_whatever_their_names():
    def init(key, num_channels):
        return {"bias": jnp.zeros(num_channels)}, {}

    def shifted(x, parameters, statistics, train):
        return x + parameters["bias"][:, None, None, None], statistics

    space = CellSpace(2, ("none", Operation("shifted", shifted, init)), name="mine")
    assert shared.trained(space, CONFIG, SPEC)["cells"][0].tolist() == [[1.0, 1.0]]


def test_partial_channels_hand_the_others_on():
    x = jnp.arange(4.0)[:, None, None, None]
    joined = shared._with_rest(10 + x[:2], x, 2)
    assert joined.ravel().tolist() == [10, 2, 11, 3]
    with pytest.raises(ValueError, match=r"^Expected a number of channels that 4 divides, got 2"):
        shared.init(SMALL, CONFIG, SPEC, jax.random.key(0), partial=4)


def test_costs_of_choices_are_those_of_one_hot_cells():
    from jaxnas.spaces.cells.size import size

    fixed, choices = shared.flops(NB201, CONFIG, SPEC)
    arch = (3, 2, 3, 1, 4, 2)  # no dead edge
    assert fixed + choices[np.arange(6), arch].sum() == size(NB201, CONFIG, SPEC, arch).num_flops


def test_a_narrow_perceptron_is_a_part_of_the_widest():
    space = MLPSpace(2, activations=("relu", "tanh"), widths=(2, 4), name="narrow")
    spec = TaskSpec("vectors", "class", (3,), 2)
    place = space, CONFIG, spec
    parameters = jax.jit(functools.partial(shared_perceptrons.init, *place))(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (5, 3))
    arch = jnp.asarray([1, 1, 0, 0, 0, 0, 1])  # two layers of 2 and 4 units, tanh

    def loss(parameters):
        logits = shared_perceptrons.path(*place, parameters, arch, x)
        return (logits**2).sum(), logits

    gradient, logits = jax.jit(jax.grad(loss, has_aux=True))(parameters)
    first, second = (np.asarray(kernel) for kernel in parameters["kernels"])
    hidden = np.tanh(np.tanh(x @ first[:, :2]) @ second[:2] * np.sqrt(2))
    np.testing.assert_allclose(logits, hidden @ parameters["last"], atol=1e-12)

    used = shared_perceptrons.used(*place, arch)
    jax.tree.map(lambda g, mask: np.testing.assert_array_equal(np.asarray(g) * (1 - mask), 0), gradient, used)


def test_a_mixture_of_pointwise_convolutions_and_a_users_operation_is_their_path():
    def init(key, num_channels):
        return {"bias": jnp.arange(1.0, num_channels + 1)}, {}

    def shifted(x, parameters, statistics, train):
        return x + parameters["bias"][:, None, None, None], statistics

    space = CellSpace(3, ("none", "nor_conv_1x1", Operation("shifted", shifted, init)), name="mine")
    config = TrainConfig(batch_size=8, network=Skeleton(num_channels=2, num_stages=1))
    place = space, config, SPEC
    parameters = jax.jit(functools.partial(shared.init, *place))(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (8, *SPEC.shape))
    path, mixture = (jax.jit(functools.partial(apply, *place)) for apply in (shared.path, shared.mixture))
    for arch in ([2, 1, 1], [1, 2, 0], [2, 0, 2]):
        hot = jnp.eye(3)[jnp.asarray(arch)]
        close(path(parameters, jnp.asarray(arch), images), mixture(parameters, hot, images))
