"""A limit on the size of architectures, around any strategy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.checks import checked_number
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import ANY, Query, Strategy, is_any

_NUM_DRAWS = 4096
_POOL_SIZE = 256
_NUM_ATTEMPTS = 32

Size = Callable[[jax.Array], jax.Array]
"""`arch int32[D] -> float32`."""


def constrained(strategy: Strategy, space: Space, size: Size, maximum: float) -> Strategy:
    """Returns a strategy that queries only architectures up to a size: it rejects those that are too large.

    The strategy is asked with other keys until its answer is small enough, 32 times at most. The query then falls back
    to a uniform draw from small architectures, so no strategy gets stuck. Queries within the limit are unchanged: with
    an infinite maximum the trajectory is the same as without the limit.

    Args:
        strategy: any Strategy of `space`.
        size: `arch int32[D] -> float32`, such as `bench.size("parameters")`.
        maximum: the largest size that may be queried.

    Raises ValueError if all of 4,096 random architectures are too large.
    """
    if maximum != float("inf"):
        checked_number("maximum", maximum)
    pool = _small_architectures(space, size, maximum)
    repeat = _ask_compiled if strategy.jittable else _ask_in_python

    def ask(state: Any, t: jax.Array, key: jax.Array) -> Query:
        query = repeat(strategy, size, maximum, state, t, key)
        small = size(query.arch) <= maximum
        drawn = pool[prng.draw_index(jax.random.fold_in(key, _NUM_ATTEMPTS), len(pool))]
        seed = query.seed if is_any(query.seed) else jnp.where(small, query.seed, ANY)
        return Query(jnp.where(small, query.arch, drawn), query.fidelity, seed)

    hyperparameters = (*strategy.hyperparameters, ("maximum", maximum), ("num_attempts", _NUM_ATTEMPTS))
    name = f"constrained_{strategy.name}"
    limit = None if maximum == float("inf") else (size, float(maximum))
    return strategy._replace(name=name, ask=ask, hyperparameters=hyperparameters, limit=limit)


def _ask_compiled(strategy: Strategy, size: Size, maximum: float, state: Any, t: jax.Array, key: jax.Array) -> Query:
    def ask(number: jax.Array) -> Query:
        attempt_key = jax.tree.map(
            lambda first, other: jnp.where(number == 0, first, other),
            jax.random.key_data(key),
            jax.random.key_data(jax.random.fold_in(key, number)),
        )
        query = strategy.ask(state, t, jax.random.wrap_key_data(attempt_key, impl=jax.random.key_impl(key)))
        return jax.tree.map(lambda value: jnp.asarray(value, jnp.int32), query)

    def again(carry: tuple[jax.Array, Query]) -> tuple[jax.Array, Query]:
        return carry[0] + 1, ask(carry[0])

    def too_large(carry: tuple[jax.Array, Query]) -> jax.Array:
        number, query = carry
        return (number < _NUM_ATTEMPTS) & (size(query.arch) > maximum)

    return jax.lax.while_loop(too_large, again, (jnp.int32(1), ask(jnp.int32(0))))[1]


def _ask_in_python(strategy: Strategy, size: Size, maximum: float, state: Any, t: jax.Array, key: jax.Array) -> Query:
    query = strategy.ask(state, t, key)
    for number in range(1, _NUM_ATTEMPTS):
        if size(query.arch) <= maximum:
            break
        query = strategy.ask(state, t, jax.random.fold_in(key, number))
    return query


def _small_architectures(space: Space, size: Size, maximum: float) -> jax.Array:
    """Returns some random architectures up to a size, int32[P, D]."""
    with jax.ensure_compile_time_eval():
        archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), _NUM_DRAWS))
        sizes = np.asarray(jax.vmap(size)(archs))
    small = np.asarray(archs)[sizes <= maximum][:_POOL_SIZE]
    if not len(small):
        raise ValueError(
            f"Expected a maximum that some architecture keeps to, got {maximum:g}, below the smallest size of "
            f"{_NUM_DRAWS:,} random ones, {sizes.min():g}."
        )
    return jnp.asarray(small)
