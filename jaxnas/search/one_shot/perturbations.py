"""Perturbations of the mixture that weights learn with: functions `(key, weights, loss, t) -> weights`.

SmoothDARTS (Chen and Hsieh, ICML 2020): weights of the network that do well for mixtures around the present one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

NUM_STEPS = 7


def random(largest: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    """Returns the perturbation by uniform noise up to `largest(t)`, brought back to the simplex."""

    def perturb(key: jax.Array, weights: jax.Array, loss: Callable[[jax.Array], jax.Array], t: jax.Array) -> jax.Array:
        noise = jax.random.uniform(key, weights.shape, minval=-1, maxval=1)
        return on_simplex(weights + largest(t) * noise)

    return perturb


def adversarial(largest: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    """Returns the perturbation that raises the training loss most, found by ascent along signs from a random start.

    As in the authors' program, each step ends within the bound and is then brought back to the
    simplex, and the last one is taken, or the given weights if their loss is higher.
    """

    def perturb(key: jax.Array, weights: jax.Array, loss: Callable[[jax.Array], jax.Array], t: jax.Array) -> jax.Array:
        bound = largest(t)

        def climb(_: int, moved: jax.Array) -> jax.Array:
            shift = moved + 2 * bound / NUM_STEPS * jnp.sign(jax.grad(loss)(moved)) - weights
            return on_simplex(weights + jnp.clip(shift, -bound, bound))

        start = on_simplex(weights + bound * jax.random.uniform(key, weights.shape, minval=-1, maxval=1))
        moved = jax.lax.fori_loop(0, NUM_STEPS, climb, start)
        return jnp.where(loss(moved) >= loss(weights), moved, weights)

    return perturb


def on_simplex(weights: jax.Array) -> jax.Array:
    """Returns weights [E, K] without negative ones, each row divided by its sum; of a row without any above 0, the
    largest alone.
    """
    positive = jnp.maximum(weights, 0)
    total = positive.sum(-1, keepdims=True)
    largest = jax.nn.one_hot(weights.argmax(-1), weights.shape[-1], dtype=weights.dtype)
    return jnp.where(total > 0, positive / jnp.where(total > 0, total, 1), largest)
