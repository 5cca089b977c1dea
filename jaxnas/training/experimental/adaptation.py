"""Hyperparameters that adapt while a network is trained, by the gradient of the loss with respect to them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.training.recipe import Recipe

SMALLEST_NORM = 1e-12


class AdaptiveState(NamedTuple):
    """The state of SGD that adapts its learning rate and its weight decay.

    Attributes:
        num_steps: steps so far, int32[].
        log_rate, log_decay: logarithms of the factors on the recipe's learning rate and weight decay, float32[].
        velocity: the velocity of the momentum.
        direction: the direction against which the parameters moved in the last step.
    """

    num_steps: jax.Array
    log_rate: jax.Array
    log_decay: jax.Array
    velocity: Any
    direction: Any


def adaptive_sgd(recipe: Recipe, schedule: optax.Schedule, step: float) -> optax.GradientTransformation:
    """Returns SGD with Nesterov momentum whose learning rate and weight decay follow their hypergradients.

    The derivative of a step's loss with respect to the logarithm of the last learning rate is minus the inner product
    of the gradient and the last direction; for the weight decay, minus the inner product of the gradient and the
    parameters. Both logarithms take steps against their derivatives, divided by the norms of both vectors: a step has
    the size of a cosine. Baydin, Cornish, Rubio, Schmidt and Wood, "Online Learning Rate Adaptation with Hypergradient
    Descent", ICLR 2018; the multiplicative rule.

    Args:
        recipe: the initial learning rate and weight decay.
        schedule: from the number of a step to a factor on the learning rate.
        step: the largest change of a logarithm in a step of SGD.
    """

    def init(parameters: Any) -> AdaptiveState:
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return AdaptiveState(jnp.int32(0), jnp.float32(0), jnp.float32(0), zeros, zeros)

    def update(gradients: Any, state: AdaptiveState, parameters: Any = None) -> tuple[Any, AdaptiveState]:
        log_rate = state.log_rate + step * _cosine(gradients, state.direction)
        log_decay = state.log_decay + jnp.where(state.num_steps > 0, step * _cosine(gradients, parameters), 0)
        decay = recipe.weight_decay * jnp.exp(log_decay)
        slopes = jax.tree.map(lambda gradient, values: gradient + decay * values, gradients, parameters)
        velocity = jax.tree.map(lambda old, slope: recipe.momentum * old + slope, state.velocity, slopes)
        direction = jax.tree.map(lambda new, slope: recipe.momentum * new + slope, velocity, slopes)
        rate = recipe.learning_rate * jnp.exp(log_rate) * schedule(state.num_steps)
        updates = jax.tree.map(lambda values: -rate * values, direction)
        return updates, AdaptiveState(state.num_steps + 1, log_rate, log_decay, velocity, direction)

    return optax.GradientTransformation(init, update)


def _cosine(one: Any, other: Any) -> jax.Array:
    norms = optax.tree.norm(one) * optax.tree.norm(other)
    return optax.tree.vdot(one, other) / jnp.maximum(norms, SMALLEST_NORM)
