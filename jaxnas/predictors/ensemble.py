"""An ensemble of small neural networks that predict scores from encoded architectures."""

import itertools

import jax
import jax.numpy as jnp
import optax

from jaxnas import prng

NUM_LAYERS = 3
MINIBATCH_SIZE = 32

Layers = list[tuple[jax.Array, jax.Array]]
"""Weights and biases of a network, the first layer first."""


def fitted(
    optimizer: optax.GradientTransformation,
    num_steps: int,
    width: int,
    key: jax.Array,
    features: jax.Array,
    scores: jax.Array,
    t: jax.Array,
) -> Layers:
    """Returns a network, as a list of layers, trained on the successful ones of the first t trials.

    Args:
        features, scores: of the trials, float32[T, F] and float32[T]; -inf for failed or to come.
    """
    init_key, batch_key = jax.random.split(key)
    layers = _new_layers(init_key, [features.shape[1], *[width] * NUM_LAYERS, 1])
    succeeded = scores > -jnp.inf
    targets = standardized(scores, succeeded)
    draws = prng.draw_index(batch_key, t, (num_steps, MINIBATCH_SIZE))

    def loss(layers: Layers, rows: jax.Array) -> jax.Array:
        errors = jnp.abs(predicted(layers, features[rows]) - targets[rows])
        return jnp.where(succeeded[rows], errors, 0).mean()

    def step(state: tuple[Layers, optax.OptState], rows: jax.Array) -> tuple[tuple[Layers, optax.OptState], None]:
        layers, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(layers, rows), moments)
        return (optax.apply_updates(layers, updates), moments), None

    return jax.lax.scan(step, (layers, optimizer.init(layers)), draws)[0][0]


def standardized(scores: jax.Array, succeeded: jax.Array) -> jax.Array:
    """Returns the scores with mean 0 and standard deviation 1 over the successful ones, 0 for others, float32[T]."""
    count = jnp.maximum(succeeded.sum(), 1)
    centered = jnp.where(succeeded, scores - jnp.where(succeeded, scores, 0).sum() / count, 0)
    deviation = jnp.sqrt((centered**2).sum() / count)
    return centered / jnp.where(deviation > 0, deviation, 1)


def predicted(layers: Layers, features: jax.Array) -> jax.Array:
    """Returns the outputs of a network, float32[N], for features float32[N, F]."""
    for weights, bias in layers[:-1]:
        features = jax.nn.relu(features @ weights + bias)
    weights, bias = layers[-1]
    return (features @ weights + bias)[:, 0]


def _new_layers(key: jax.Array, sizes: list[int]) -> Layers:
    """Returns layers with He-normal weights and zero biases."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (jax.random.normal(layer_key, shape) * (2 / shape[0]) ** 0.5, jnp.zeros(shape[1]))
        for layer_key, shape in zip(keys, itertools.pairwise(sizes), strict=True)
    ]
