"""Perceptrons: what all architectures of a space compute is what the static network computes, and training trains."""

import functools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxnas as jn
from jaxnas import perceptrons
from jaxnas.network import mlp
from jaxnas.network.mlp import Arrays, Perceptron, Shapes
from jaxnas.spaces.mlp import MLPSpace

SPACE = MLPSpace(
    3,
    16,
    activations=("relu", "sigmoid", "tanh", "gelu", "silu"),
    initializers=("random_normal", "lecun_normal", "glorot_uniform"),
    dropout_rates=(0.0, 0.5),
    name="three",
)
SHAPE, NUM_CLASSES = (5, 2, 1), 3
SHAPES = Shapes(SPACE, math.prod(SHAPE), NUM_CLASSES)
ARCHS = ["8/relu/lecun_normal/none/0.0", "8-16/sigmoid/random_normal/l1/0.0", "16-16-8/tanh/glorot_uniform/l2/0.0"]
ARCHS += ["8-16-8/gelu/lecun_normal/none/0.0", "16-8/silu/lecun_normal/none/0.0"]
CONFIG = replace(perceptrons.DEFAULT_CONFIG, num_epochs=3, batch_size=16)


def arrays_of(arch, num_seeds: int = 2) -> Arrays:
    keys = jax.random.split(jax.random.key(1), num_seeds)
    return jax.jit(jax.vmap(functools.partial(mlp.make_arrays, SHAPES), (None, 0)))(arch, keys)


def network_of(arch, arrays: Arrays, seed: int) -> Perceptron:
    network = Perceptron(SPACE, SHAPE, NUM_CLASSES, arch, key=jax.random.key(0))
    network.assign(jax.tree.map(lambda values: values[seed], arrays))
    return network


@functools.cache
def programs():
    """Returns the compiled functions: logits, and logits and gradients in training."""

    def step(arch, arrays, x, g, keys):
        scratch = mlp.make_scratch(SHAPES, *x.shape[:2])
        logits, scratch = mlp.train_logits(SHAPES, arch, arrays, x, keys, scratch)
        return logits, mlp.gradients(SHAPES, arch, arrays, x, g, scratch)

    return jax.jit(functools.partial(mlp.logits, SHAPES)), jax.jit(step)


@pytest.mark.parametrize("text", ARCHS)
def test_any_architecture_computes_what_its_static_network_does(text):
    random = np.random.RandomState(0)
    arch = SPACE.from_str(text)
    arrays = arrays_of(arch)
    arrays = arrays._replace(biases=arrays.biases + 0.1)
    x = jnp.asarray(random.randn(2, 7, 10), jnp.float32)
    g = jnp.asarray(random.randn(2, 7, NUM_CLASSES), jnp.float32)
    logits, step = programs()
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
    size = jn.network_size(SPACE, None, SHAPE, NUM_CLASSES, arch).num_parameters
    assert size == sum(values.size for values in jax.tree.leaves(nnx.state(network, nnx.Param)))
    assert not scratch.gradients.kernels[:, int(mlp.make_layout(SHAPES, arch).size) :].any()
