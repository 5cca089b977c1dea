"""Supernets: what one architecture computes in it is what its own network computes with the same arrays."""

import functools
import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.samples import NB201, SMALL

from jaxnas.spaces.cells import edges, mixture
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers.base import Operation
from jaxnas.spaces.perceptrons.networks import PerceptronNetworks
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import Variables

SPEC = TaskSpec("images", "class", (6, 5, 1), 3)
CONFIG = TrainConfig(batch_size=8, network=Skeleton(num_channels=2, num_stages=2))
NETWORKS = CellNetworks(SMALL, CONFIG, SPEC)
NUM_ARCHS = 50


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def parameters():
    return jax.jit(NETWORKS.init)(jax.random.key(0)).parameters


@pytest.fixture(scope="module")
def images():
    return jax.random.normal(jax.random.key(1), (8, *SPEC.shape))


@jax.jit
def measured(parameters, choice, images):
    """Returns gradients and logits of an architecture or of weights."""

    def loss(parameters):
        logits = logits_of(NETWORKS, parameters, choice, images)
        return (logits**2 * jnp.arange(1, 4)).mean(), logits

    return jax.grad(loss, has_aux=True)(parameters)


def logits_of(networks, parameters, choice, images):
    return networks.apply(Variables(parameters), choice, images, mode="train").outputs


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
        close(measured(parameters, jnp.asarray(arch), images), measured(parameters, weights_of(arch), images))


def test_a_path_is_the_static_network_with_the_same_arrays(parameters, images):
    arch = archs()[1]  # a dead edge among them, and the user's operation
    with jax.enable_x64(False):  # only the statistics are needed
        variables = NETWORKS.init(jax.random.key(2), jnp.asarray(arch))
    pruned = np.asarray(SMALL.pruned(arch))
    slots = edges.shared_slots(SMALL.operations)[pruned]
    own = {**parameters, "cells": [arrays[np.arange(3), slots] for arrays in parameters["cells"]]}
    network = NETWORKS.module(tuple(pruned.tolist()), variables._replace(parameters=own))
    definition, state = nnx.split(network)
    expected = jax.jit(lambda state: nnx.merge(definition, state, copy=True)(images, train=True))(state)
    found = measured(parameters, jnp.asarray(arch), images)[1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_idle_operations_have_no_gradient_and_used_ones_are_named(parameters, images):
    for arch in archs()[:10]:
        gradient = measured(parameters, jnp.asarray(arch), images)[0]
        used = NETWORKS.used(jnp.asarray(arch))
        for slopes, mask in zip(gradient["cells"], used["cells"], strict=True):
            assert not np.any(np.where(mask > 0, 0, slopes))
        pruned = np.asarray(SMALL.pruned(arch))
        np.testing.assert_array_equal(np.asarray(used["cells"][0])[:, 0, 0], pruned == 2)  # the only one with arrays


def test_scales_and_biases_of_normalization_are_not_trained(parameters):
    masks = NETWORKS.trained()
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
    assert CellNetworks(space, CONFIG, SPEC).trained()["cells"][0].tolist() == [[1.0, 1.0]]


def test_partial_channels_hand_the_others_on():
    x = jnp.arange(4.0)[:, None, None, None]
    joined = mixture._with_rest(10 + x[:2], x, 2)
    assert joined.ravel().tolist() == [10, 2, 11, 3]
    with pytest.raises(ValueError, match=r"^Expected a number of channels that 4 divides, got 2"):
        replace(NETWORKS, partial=4).init(jax.random.key(0))


def test_an_edge_s_weight_multiplies_all_of_its_channels_as_in_the_authors_program():
    """One cell of PC-DARTS, again in NumPy: operations on the first half of channels, weights of edges on all."""
    random = np.random.RandomState(0)
    space = CellSpace(3, ("none", "skip_connect", "nor_conv_1x1", "avg_pool_3x3"), name="mixed")
    networks = CellNetworks(space, replace(CONFIG, network=Skeleton(4, 1)), SPEC, partial=2)
    shared = jax.jit(networks.init)(jax.random.key(0)).parameters["cells"][0]
    x, logits, scores = random.randn(4, 5, 6, 3), random.randn(3, 4), random.randn(3)
    weights = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    betas = np.exp(scores) / [np.exp(scores[:1]).sum(), *[np.exp(scores[1:]).sum()] * 2]  # edges 0-1, 0-2 and 1-2
    assert space.edges == ((0, 1), (0, 2), (1, 2))

    def mixed(x, edge):
        kernel = edges.unpack(shared[edge, 0], edges.array_shapes(space.operations[2], 2)[0])["kernel"]  # [in, out]
        linear = np.einsum("io,ihwn->ohwn", kernel, np.maximum(x, 0))
        mean, variance = linear.mean((1, 2, 3), keepdims=True), linear.var((1, 2, 3), keepdims=True)
        padded, inside = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), np.pad(np.ones(x.shape[1:3]), 1)
        places = itertools.product(range(3), range(3))
        windows = [(slice(row, row + x.shape[1]), slice(column, column + x.shape[2])) for row, column in places]
        count = sum(inside[window] for window in windows)[None, :, :, None]
        pooled = sum(padded[:, *window] for window in windows) / count
        normalized = (linear - mean) / np.sqrt(variance + 1e-5)
        return np.tensordot(weights[edge, 1:], [x, normalized, pooled], 1)

    def edge(x, number):
        return betas[number] * np.stack([mixed(x[:2], number), x[2:]], 1).reshape(x.shape)  # channels shuffled

    first = edge(x, 0)
    cell = mixture.mixture_cell(space, jnp.asarray(weights), jnp.asarray(betas), 2)
    close(cell(jnp.asarray(x), shared, None)[0], edge(x, 1) + edge(first, 2))


def test_costs_of_choices_are_those_of_one_hot_cells():
    networks = CellNetworks(NB201, CONFIG, SPEC)
    fixed, choices = networks.flops()
    arch = (3, 2, 3, 1, 4, 2)  # no dead edge
    assert fixed + choices[np.arange(6), arch].sum() == networks.size(arch).num_flops


def test_a_narrow_perceptron_is_a_part_of_the_widest():
    space = MLPSpace(2, activations=("relu", "tanh"), widths=(2, 4), name="narrow")
    spec = TaskSpec("vectors", "class", (3,), 2)
    networks = PerceptronNetworks(space, CONFIG, spec)
    parameters = jax.jit(networks.init)(jax.random.key(0)).parameters
    x = jax.random.normal(jax.random.key(1), (5, 3))
    arch = jnp.asarray([1, 1, 0, 0, 0, 0, 1])  # two layers of 2 and 4 units, tanh

    def loss(parameters):
        logits = logits_of(networks, parameters, arch, x)
        return (logits**2).sum(), logits

    gradient, logits = jax.jit(jax.grad(loss, has_aux=True))(parameters)
    first, second = (np.asarray(kernel) for kernel in parameters["kernels"])
    hidden = np.tanh(np.tanh(x @ first[:, :2]) @ second[:2] * np.sqrt(2))
    np.testing.assert_allclose(logits, hidden @ parameters["last"], atol=1e-12)

    used = networks.used(arch)
    jax.tree.map(lambda g, mask: np.testing.assert_array_equal(np.asarray(g) * (1 - mask), 0), gradient, used)


def test_a_mixture_of_pointwise_convolutions_and_a_users_operation_is_their_path():
    def init(key, num_channels):
        return {"bias": jnp.arange(1.0, num_channels + 1)}, {}

    def shifted(x, parameters, statistics, train):
        return x + parameters["bias"][:, None, None, None], statistics

    space = CellSpace(3, ("none", "nor_conv_1x1", Operation("shifted", shifted, init)), name="mine")
    config = TrainConfig(batch_size=8, network=Skeleton(num_channels=2, num_stages=1))
    networks = CellNetworks(space, config, SPEC)
    parameters = jax.jit(networks.init)(jax.random.key(0)).parameters
    images = jax.random.normal(jax.random.key(1), (8, *SPEC.shape))
    logits = jax.jit(functools.partial(logits_of, networks))
    for arch in ([2, 1, 1], [1, 2, 0], [2, 0, 2]):
        hot = jnp.eye(3)[jnp.asarray(arch)]
        close(logits(parameters, jnp.asarray(arch), images), logits(parameters, hot, images))
