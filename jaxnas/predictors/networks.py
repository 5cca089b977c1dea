"""Small networks that predictors train: layers, and minibatches of the scored rows in one compiled loop."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnas import prng
from jaxnas.predictors.base import Array

BATCH_SIZE = 32
WEIGHT_DECAY = 1e-4

Layers = list[tuple[jax.Array, jax.Array]]
"""Weights and biases of a network, the first layer first."""


def new_layers(key: jax.Array, sizes: list[int]) -> Layers:
    """Returns layers with He-normal weights and zero biases."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (jax.random.normal(layer_key, shape) * (2 / shape[0]) ** 0.5, jnp.zeros(shape[1]))
        for layer_key, shape in zip(keys, itertools.pairwise(sizes), strict=True)
    ]


def hidden(layers: Layers, inputs: Array) -> jax.Array:
    """Returns the values of the last hidden layer, float32[..., W]."""
    values = jnp.asarray(inputs)
    for weights, bias in layers[:-1]:
        values = jax.nn.relu(values @ weights + bias)
    return values


def outputs(layers: Layers, inputs: Array) -> jax.Array:
    """Returns the outputs of a network, float32[..., K]."""
    weights, bias = layers[-1]
    return hidden(layers, inputs) @ weights + bias


def trained(
    key: jax.Array,
    parameters: Any,
    predict: Callable[[Any, jax.Array], jax.Array],
    targets: jax.Array,
    known: jax.Array,
    *,
    num_steps: int,
    learning_rate: float,
    batch_size: int = BATCH_SIZE,
) -> Any:
    """Returns parameters after steps of AdamW with a cosine schedule on the mean squared error.

    Args:
        parameters: the initial ones, any pytree.
        predict: `(parameters, rows int32[B]) -> float32[B]`, or [B, C].
        targets, known: float32[n], or [n, C], and bool[n]; only known rows are drawn.
    """
    schedule = optax.cosine_decay_schedule(learning_rate, num_steps)
    optimizer = optax.adamw(schedule, weight_decay=WEIGHT_DECAY)
    rows = jnp.argsort(~known, stable=True)  # the known ones first
    draws = prng.draw_index(key, jnp.maximum(known.sum(), 1), (num_steps, batch_size))

    def loss(parameters: Any, batch: jax.Array) -> jax.Array:
        errors = (predict(parameters, batch) - targets[batch]).reshape(len(batch), -1)
        return jnp.where(known[batch, None], errors**2, 0).mean()

    return descended(optimizer, loss, parameters, rows[draws])


def descended(
    optimizer: optax.GradientTransformation,
    loss: Callable[[Any, jax.Array], jax.Array],
    parameters: Any,
    batches: jax.Array,
) -> Any:
    """Returns parameters after a step on each of the batches int32[S, B], by `loss(parameters, batch) -> float32[]`."""

    def step(state: tuple[Any, Any], batch: jax.Array) -> tuple[tuple[Any, Any], None]:
        parameters, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(parameters, batch), moments, parameters)
        return (optax.apply_updates(parameters, updates), moments), None

    return jax.lax.scan(step, (parameters, optimizer.init(parameters)), batches)[0][0]
