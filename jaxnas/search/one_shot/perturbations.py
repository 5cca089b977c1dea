"""What is done to the mixture that weights learn with: functions `(key, weights, loss, t) -> weights`.

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


def adversarial(largest: Callable[[jax.Array], jax.Array], num_steps: int = NUM_STEPS) -> Callable[..., jax.Array]:
    """Returns the perturbation that raises the training loss most, found by projected ascent along signs.

    The result is never better than the weights given: the worst of all steps is kept.
    """

    def perturb(key: jax.Array, weights: jax.Array, loss: Callable[[jax.Array], jax.Array], t: jax.Array) -> jax.Array:
        bound = largest(t)

        def climb(_: int, carry: tuple) -> tuple:
            shift, worst, highest = carry
            moved = on_simplex(weights + shift)
            value, slope = jax.value_and_grad(loss)(moved)
            worst, highest = jnp.where(value > highest, moved, worst), jnp.maximum(value, highest)
            shift = jnp.clip(shift + 2 * bound / num_steps * jnp.sign(slope), -bound, bound)
            return shift, worst, highest

        start = bound * jax.random.uniform(key, weights.shape, minval=-1, maxval=1)
        shift, worst, highest = jax.lax.fori_loop(0, num_steps, climb, (start, weights, loss(weights)))
        moved = on_simplex(weights + shift)
        return jnp.where(loss(moved) > highest, moved, worst)

    return perturb


def on_simplex(weights: jax.Array) -> jax.Array:
    """Returns weights [E, K] without negative ones, each row divided by its sum; of an all-zero row, equal ones."""
    positive = jnp.maximum(weights, 0)
    total = positive.sum(-1, keepdims=True)
    return jnp.where(total > 0, positive / jnp.where(total > 0, total, 1), 1 / weights.shape[-1])
