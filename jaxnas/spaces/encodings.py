"""Encodings: functions of an architecture whose values, float32[F], predictors learn from.

An encoding takes one architecture of its space, which may be traced; `jax.vmap` gives batches. Architectures of an
enumerated space, which are rows, are looked up first, so that both have the same features.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import cardinalities
from jaxnas.spaces.enumerated import EnumeratedSpace

MAX_FEATURES = 1_000_000


@functools.cache
def choices_of(space) -> tuple[object, Callable]:
    """Returns the space behind the rows of an enumerated space, and the function that looks an architecture up there.

    Any other space is returned itself, with a function that changes nothing.
    """
    if isinstance(space, EnumeratedSpace):
        return space.space, lambda arch: space.space.arch_at(space.index(arch))
    return space, lambda arch: jnp.asarray(arch, jnp.int32)


@functools.cache
def one_hot(space) -> Callable:
    """Returns the encoding with one feature for each value of each decision, 1 where it is chosen: [D] -> float32[F].

    Features are ordered by decision and then by value.
    """
    plain, choices = choices_of(space)
    sizes = cardinalities(plain.decisions)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    values = np.concatenate([np.arange(size) for size in sizes])

    def encode(arch):
        return (choices(arch)[owners] == values).astype(jnp.float32)

    return encode
