"""Steps of sequences, as networks read them, and states that a traced number chooses."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.tasks.base import TaskSpec


def num_features(spec: TaskSpec) -> int:
    """Returns the numbers of a step's input: features, one for each token, or the pixels of an image's row."""
    return spec.num_tokens if spec.kind == "tokens" else math.prod(spec.shape[1:])


def steps_of(spec: TaskSpec, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the numbers of each step float32[N, T, F], 0 for padding, and which steps are real, bool[N, T].

    Steps of images are their rows. Tokens may be given as numbers, too: 1 for each step's token, NaN for padding.
    """
    if spec.kind == "tokens" and inputs.ndim == 2:
        return jax.nn.one_hot(inputs, spec.num_tokens), inputs >= 0
    inputs = inputs.reshape(*inputs.shape[:2], -1)
    real = ~jnp.isnan(inputs[..., 0])
    return jnp.where(real[..., None], inputs, 0), real


def chosen(number: Any, states: Sequence[jax.Array]) -> jax.Array:
    """Returns the state of a number, which may be traced."""
    if isinstance(number, int):
        return states[number]
    found = states[0]
    for other, state in enumerate(states[1:], 1):
        found = jnp.where(number == other, state, found)
    return found
