"""A strategy that is first given architectures, such as those that were good on an earlier task."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.strategies.base import Query, Strategy, look_up
from jaxnas.strategies.wrappers.in_order import checked_archs

_SALT = 0x7761726D
"""Folded into the key of a run for the order; it leaves the strategy's draws unchanged."""


class WarmState(NamedTuple):
    """The state of the strategy, and the order int32[n] in which the architectures are asked."""

    inner: Any
    order: jax.Array


def warm_started(strategy: Strategy, archs: ArrayLike) -> Strategy:
    """Returns a strategy that first asks for given architectures, and then as the strategy would.

    The strategy observes the given trials like its other trials. They replace its first ones, at the fidelities that it
    would ask. Without architectures the result is the strategy itself. The idea is from Feurer, Springenberg and
    Hutter, "Initializing Bayesian Hyperparameter Optimization via Meta-Learning", AAAI 2015.

    Args:
        strategy: any Strategy whose first trials do not depend on one another. A strategy with rungs can be given at
            most as many architectures as its first rung holds.
        archs: int32[n, D]. Each run asks for them in a separate random order; a run of fewer trials asks for as many.

    Raises ValueError on anything but architectures, on more of them than the strategy can be given, or on architectures
    beyond its limit on sizes.
    """
    if not np.size(archs):
        return strategy
    choices = checked_archs(archs).astype(np.int64)
    most = strategy.most_given
    if most is not None and len(choices) > most:
        raise ValueError(
            f"Expected at most {most:,} architectures to begin {strategy.name} with, got {len(choices):,}: what it "
            "asks after those depends on what it drew."
        )
    if strategy.limit is not None:
        size, maximum = strategy.limit
        largest = float(np.asarray(jax.vmap(size)(jnp.asarray(choices))).max())
        if largest > maximum:
            raise ValueError(f"Expected architectures of a size up to {maximum:g}, got one of {largest:g}.")
    return _warm_started(strategy, tuple(map(tuple, choices.tolist())))


@functools.lru_cache(maxsize=256)
def _warm_started(strategy: Strategy, given: tuple[tuple[int, ...], ...]) -> Strategy:
    """Returns the same strategy for equal arguments: its runs are then compiled once."""
    archs = np.asarray(given, np.int32)

    def init(key: jax.Array, num_trials: int) -> WarmState:
        order = jax.random.permutation(jax.random.fold_in(key, _SALT), jnp.arange(len(archs), dtype=jnp.int32))
        return WarmState(strategy.init(key, num_trials), order)

    def ask(state: WarmState, t: jax.Array, key: jax.Array) -> Query:
        query = strategy.ask(state.inner, t, key)
        arch = jnp.asarray(query.arch, jnp.int32)
        if arch.shape != archs.shape[1:]:
            raise ValueError(
                f"Expected architectures of {len(arch)} choices to begin {strategy.name} with, got {archs.shape[1]}."
            )
        number = look_up(state.order, jnp.minimum(t, len(archs) - 1))
        return query._replace(arch=jnp.where(t < len(archs), jnp.asarray(archs)[number], arch))

    def tell(state: WarmState, t: jax.Array, query: Query, observation: Any) -> WarmState:
        return state._replace(inner=strategy.tell(state.inner, t, query, observation))

    def advance(state: WarmState, t: jax.Array, key: jax.Array) -> WarmState:
        return state._replace(inner=strategy.advance(state.inner, t, key))

    hyperparameters = (*strategy.hyperparameters, ("given", len(archs)), ("shuffle", True))
    return strategy._replace(
        name=f"warm_started_{strategy.name}",
        init=init,
        ask=ask,
        tell=tell,
        advance=advance,
        hyperparameters=hyperparameters,
        most_given=0,
    )
