"""What a network is trained for: the loss of a goal, what is counted, and the metric that scores report."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.tasks.metrics import ACCURACY, Metric


class Goal(NamedTuple):
    """What networks of a task are trained for.

    Attributes:
        loss: `(outputs [..., n, K], labels [..., n]) -> float32[..., n]`, minimised in the mean over examples.
        count: `(outputs, labels) -> bool[..., n]`, what is counted of each example; a label of -1 never counts.
        metric: the proportion of examples that count.
    """

    loss: Callable[[jax.Array, jax.Array], jax.Array]
    count: Callable[[jax.Array, jax.Array], jax.Array]  # type: ignore[assignment]  # tuples have a method of this name
    metric: Metric


def _is_most_probable(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.argmax(outputs, axis=-1) == labels


GOALS = {"class": Goal(optax.softmax_cross_entropy_with_integer_labels, _is_most_probable, ACCURACY)}
"""The goals by name: `"class"`, one label an example."""
