"""Goals of training: the loss, the measurements on each example, and the metric of scores."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.tasks.metrics import ACCURACY, CROSS_ENTROPY, R2, TAG_ACCURACY, Metric


class Goal(NamedTuple):
    """The goal that the networks of a task are trained for.

    Outputs are [..., n, K], or [..., n, T, K] with one a step; labels lack the axis K.

    Attributes:
        loss: `(outputs, labels) -> float32[...]`, the mean of a batch of n examples, minimized.
        measure: `(outputs, labels) ->` arrays [..., n] that are added up over examples: a count, or a tuple of numbers.
            Padding adds nothing: labels of -1, or NaN among labels that are real numbers.
        value: from the sums of `measure` to the values in curves and tables: the counts themselves, or the metric.
        metric: the metric of scores; for counts, the proportion of examples that count.
        counts: whether curves and tables hold counts of examples.
        each_step: whether there is an output for each step of a sequence.
    """

    loss: Callable[[jax.Array, jax.Array], jax.Array]
    measure: Callable[[jax.Array, jax.Array], Any]
    value: Callable[[Any], jax.Array]
    metric: Metric
    counts: bool = False
    each_step: bool = False


def _mean_cross_entropy(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean(-1)


def _is_most_probable(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.argmax(outputs, axis=-1) == labels


def _step_losses(outputs: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the cross-entropy summed over the real steps of each example, and how many these are, [..., n] both."""
    real = labels >= 0
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.where(real, labels, 0))
    return jnp.where(real, losses, 0).sum(-1), real.sum(-1).astype(jnp.float32)


def _mean_of_steps(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    losses, numbers = _step_losses(outputs, labels)
    return losses.sum(-1) / jnp.maximum(numbers.sum(-1), 1)


def _step_hits(outputs: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    hits = _is_most_probable(outputs, labels)  # never of -1
    return hits.sum(-1).astype(jnp.float32), (labels >= 0).sum(-1).astype(jnp.float32)


def _ratio(sums: tuple[jax.Array, jax.Array]) -> jax.Array:
    return sums[0] / sums[1]


def _mean_squared_error(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.square(outputs[..., 0] - labels).mean(-1)


def _squares(outputs: jax.Array, labels: jax.Array) -> tuple[jax.Array, ...]:
    """Returns of each example its squared error, 1, its label and the label's square; all 0 for padding."""
    known = ~jnp.isnan(labels)
    label = jnp.where(known, labels, 0)
    error = jnp.where(known, jnp.square(outputs[..., 0] - label), 0)
    return error, jnp.broadcast_to(known.astype(jnp.float32), error.shape), label, jnp.square(label)


def _explained(sums: tuple[jax.Array, ...]) -> jax.Array:
    """Returns R², the share of the labels' variance that is explained; below 0 if their mean explains more."""
    errors, number, total, squares = sums
    return 1 - errors / (squares - jnp.square(total) / number)


GOALS = {
    "class": Goal(_mean_cross_entropy, _is_most_probable, lambda counts: counts, ACCURACY, counts=True),
    "tags": Goal(_mean_of_steps, _step_hits, _ratio, TAG_ACCURACY, each_step=True),
    "next": Goal(_mean_of_steps, _step_losses, _ratio, CROSS_ENTROPY, each_step=True),
    "value": Goal(_mean_squared_error, _squares, _explained, R2),
}
"""The goals by name: `"class"`, one label an example; `"tags"`, one a step; `"next"`, the token that follows each
step; `"value"`, a real number an example."""


def is_undefined(goal: Goal, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns of which examples an output is not finite, bool[..., n]; steps without a label do not count."""
    found = ~jnp.isfinite(outputs).all(-1)
    return (found & (labels >= 0)).any(-1) if goal.each_step else found


def smoothed(goal: Goal, share: float | jax.Array) -> Goal:
    """Returns a goal of classes with smoothed labels: a share of each label's probability is spread over all classes.

    The loss is unchanged if the share is 0. Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the
    Inception Architecture for Computer Vision", CVPR 2016.
    """

    def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        own = jnp.take_along_axis(outputs, labels[..., None], axis=-1)[..., 0]
        return goal.loss(outputs, labels) + share * (own - outputs.mean(-1)).mean(-1)

    return goal._replace(loss=loss)
