"""Random search."""

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_flag
from jaxnas.spaces.base import Space, check_rows
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space
from jaxnas.strategies.parts.draws import POOL_SIZE, Prefilter, best_drawn, checked_prefilter

CITES = ("li2019random",)

_ROUNDS = 4

RandomState = jax.Array | None
"""The key of the random order; None if draws can repeat."""


@factory_of_space
def random_search(
    space: Space, *, replacement: bool = True, prefilter: Prefilter | None = None, pool_size: int = POOL_SIZE
) -> Strategy:
    """Returns random search: every trial is a uniform draw from the space.

    The baseline of NAS: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search",
    UAI 2019.

    Args:
        replacement: whether an architecture can be drawn again. Without, trials are the beginning of a random order
            of the space, which starts over at its end.
        prefilter: a function `arch -> float32`, such as `bench.size("nwot")`: a trial is then the one with the largest
            value of `pool_size` uniform draws. docs/proxies.md measures the benefit.
        pool_size: the number of draws of which one is asked.

    Raises ValueError without replacement if the architectures of the space have no rows or a prefilter is given.
    """
    filtered = checked_prefilter(prefilter, pool_size)
    if prefilter is not None and not replacement:
        raise ValueError("Expected replacement with a prefilter, got a random order without.")
    if not checked_flag("replacement", replacement):
        check_rows(space)

    def init(key: jax.Array, num_trials: int) -> RandomState:
        return None if replacement else key

    def ask(state: RandomState, t: jax.Array, key: jax.Array) -> Query:
        if prefilter is not None:
            return Query(best_drawn(key, space.sample, prefilter, pool_size))
        if state is None:
            return Query(space.sample(key))
        return Query(space.arch_at(_shuffled(state, t % space.num_architectures, space.num_architectures)))

    def tell(state: RandomState, t: jax.Array, query: Query, observation: Observation) -> RandomState:
        return state

    hyperparameters = (("replacement", replacement), *filtered)
    return Strategy("random_search", init, ask, tell, hyperparameters=hyperparameters, parallel=True)


def _shuffled(key: jax.Array, position: jax.Array, size: int) -> jax.Array:
    """Returns the number at a position of a random order of [0, size), int32[]; a bijection, without a table.

    A Feistel network of four rounds on the next power of four, walked until it ends below `size`. Black and Rogaway,
    "Ciphers with Arbitrary Finite Domains", CT-RSA 2002.
    """
    half = max(-(-(size - 1).bit_length() // 2), 1)
    mask = jnp.uint32((1 << half) - 1)

    def encrypt(value: jax.Array) -> jax.Array:
        left, right = value >> half, value & mask
        for number in range(_ROUNDS):
            round_key = jax.random.fold_in(jax.random.fold_in(key, number), right)
            left, right = right, left ^ (jax.random.bits(round_key, (), jnp.uint32) & mask)
        return (left << half) | right

    start = encrypt(jnp.asarray(position).astype(jnp.uint32))
    return jax.lax.while_loop(lambda value: value >= size, encrypt, start).astype(jnp.int32)
