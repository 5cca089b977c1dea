"""Terms that are added to alpha's loss: functions `(alpha, t) -> float32[]`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def beta_decay(largest: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the mean over decisions of the logarithm of the sum of exponentials of alpha, by a weight that grows in a
    straight line (Ye et al., "beta-DARTS", CVPR 2022).
    """
    return lambda alpha, t: largest * t * jax.nn.logsumexp(alpha, axis=-1).mean()


def entropy(weight: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the entropy of the choices, summed over decisions, by a weight that grows in a straight line: choices
    become clear.
    """

    def regularize(alpha: jax.Array, t: jax.Array) -> jax.Array:
        logs = jax.nn.log_softmax(alpha, axis=-1)
        return -weight * t * (jnp.exp(logs) * logs).sum()

    return regularize
