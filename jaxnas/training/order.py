"""The randomness of a training: its key, and the order of examples and views in an epoch."""

import jax
import jax.numpy as jnp

from jaxnas.tasks.base import Split

EVALUATION_BATCH = 128


def training_key(arch: jax.Array, seed: int | jax.Array) -> jax.Array:
    """Returns the key of one training.

    It depends on the architecture and the seed number alone, never on other trainings.
    """
    key = jax.random.key(0)
    for choice in jnp.unstack(jnp.asarray(arch)):
        key = jax.random.fold_in(key, choice)
    return jax.random.fold_in(key, seed)


def epoch_order(
    key: jax.Array, split: Split, num_steps: int, batch_size: int, num_views: int | jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Returns the examples of an epoch and the view of each, both int32[num_steps, batch_size].

    Views are drawn from the first `num_views`, which may be traced; None: from all.
    """
    shape, num_examples = (num_steps, batch_size), split.inputs.shape[1]
    num_views = split.inputs.shape[0] if num_views is None else num_views
    order_key, view_key = jax.random.split(key)
    indices = jax.random.permutation(order_key, num_examples)[: num_steps * batch_size].reshape(shape)
    return indices, jax.random.randint(view_key, (num_steps * batch_size,), 0, num_views).reshape(shape)
