"""Products of independent distributions over the values of decisions."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities


def uniform_marginals(space: Space) -> jax.Array:
    """Returns the same probability for all values of each decision, float32[D, V], 0 beyond a decision's own."""
    sizes = cardinalities(space.decisions)[:, None]
    return jnp.asarray((np.arange(sizes.max()) < sizes) / sizes, jnp.float32)


def draw_choices(key: jax.Array, marginals: jax.Array, space: Space) -> jax.Array:
    """Returns an architecture int32[D] whose decisions are drawn independently, with one random word each.

    Args:
        marginals: the probabilities of each decision's values up to a factor, float32[D, V], 0 beyond its own.
    """
    cumulative = jnp.cumsum(marginals, axis=1)
    thresholds = jax.random.uniform(key, (len(marginals),)) * cumulative[:, -1]
    choices = (cumulative <= thresholds[:, None]).sum(1, dtype=jnp.int32)
    return jnp.minimum(choices, cardinalities(space.decisions) - 1)  # against rounding
