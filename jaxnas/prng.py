"""Random numbers: keys by generator name, and index draws that need one random word each.

Simulations of searches spend much of their time on random numbers, so they use a counter-based hash generator by
default; `threefry` (JAX's own) can be chosen instead. Training uses threefry, but for dropout.
"""

import functools
import math
from collections.abc import Hashable

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import random as jax_random

from jaxnas.checks import checked_seed

PRNGS = ("hash", "threefry")

_GOLDEN = 0x9E3779B9
_ODD = 0x85EBCA6B


def make_key(seed: int, prng: str = "threefry") -> jax.Array:
    """Returns a typed PRNG key of the generator `prng`, one of `PRNGS`.

    Raises ValueError on another name, or a seed that is not a whole number from 0 to 2**32 - 1.
    """
    if prng not in PRNGS:
        raise ValueError(f"Expected a prng of {' or '.join(PRNGS)}, got {prng!r}.")
    word = seed if isinstance(seed, jax.Array) else np.uint32(checked_seed(seed))  # an array may be traced
    return jax.random.key(word, impl="threefry2x32" if prng == "threefry" else hash_implementation())


def draw_index(key: jax.Array, size: int | jax.Array | np.ndarray, shape: tuple[int, ...] = ()) -> jax.Array:
    """Returns int32 values uniform in [0, size); a value's probability is off by less than 2**-32 of one.

    It takes one random word a value; `jax.random.randint` takes two and a division.
    """
    return scale_word(jax.random.bits(key, shape, jnp.uint32), size)


def scale_word(word: jax.Array, size: int | jax.Array | np.ndarray) -> jax.Array:
    """Returns floor(word * size / 2**32) as int32: the high word of a 32 x 32 bit product, for `size` below 2**31."""
    high, low = word >> 16, word & 0xFFFF
    if isinstance(size, int) and size <= 1 << 16:
        factor = jnp.uint32(size)
        return ((high * factor + (low * factor >> 16)) >> 16).astype(jnp.int32)
    size = jnp.asarray(size).astype(jnp.uint32)
    size_high, size_low = size >> 16, size & 0xFFFF
    middle = high * size_low + (low * size_low >> 16)
    carried = low * size_high + (middle & 0xFFFF)
    return (high * size_high + (middle >> 16) + (carried >> 16)).astype(jnp.int32)


def _mix(word: jax.Array) -> jax.Array:
    """Returns the word mixed by the `lowbias32` finalizer (Ellis, "Hash Prospector", 2018)."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)


def _seed(seed: jax.Array) -> jax.Array:
    word = jnp.asarray(seed).astype(jnp.uint32)
    return jnp.stack([_mix(word), _mix(word + jnp.uint32(_GOLDEN))])


def _fold_in(key: jax.Array, data: jax.Array | int) -> jax.Array:
    """Returns a key whose first word differs for each data of one key.

    The second word depends on all that was folded in.
    """
    first = _mix(jnp.asarray(data).astype(jnp.uint32) * jnp.uint32(_GOLDEN) + key[0])
    return jnp.stack([first, key[1] * jnp.uint32(_ODD) + first])


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    counts = jnp.arange(math.prod(shape), dtype=jnp.uint32) + jnp.uint32(1 << 31)  # apart from the data of fold_in
    return jax.vmap(functools.partial(_fold_in, key))(counts).reshape(*shape, 2)


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    if bit_width == 64:
        high, low = _random_bits(key, 32, (2, *shape)).astype(jnp.uint64)
        return (high << 32) | low
    counts = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    words = _mix(_mix(counts * jnp.uint32(_GOLDEN) + key[0]) ^ key[1])  # once would leave x ^ (x + c) of a folded key
    return words.astype(jnp.dtype(f"uint{bit_width}"))


@functools.cache
def hash_implementation() -> Hashable:
    """Returns the counter-based hash generator, as JAX takes it for `impl`."""
    return jax_random.define_prng_impl(
        key_shape=(2,),
        seed=_seed,
        split=_split,
        random_bits=_random_bits,
        fold_in=_fold_in,
        name="jaxnas_hash",
        tag="hash",
    )
