"""Exhaustive search: every architecture in turn."""

import jax
import jax.numpy as jnp

from jaxnas.spaces.base import Space, check_rows
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space

CITES = ()


@factory_of_space
def exhaustive_search(space: Space) -> Strategy:
    """Returns exhaustive search: the architectures in the order of their rows, from the first again after the last.

    With as many trials as architectures it finds the best one (on a noisy benchmark, the best draw). A reference,
    not a search method.

    Raises ValueError if the architectures of the space have no rows.
    """
    check_rows(space)

    def init(key: jax.Array, num_trials: int) -> tuple[()]:
        return ()

    def ask(state: tuple[()], t: jax.Array, key: jax.Array) -> Query:
        return Query(space.arch_at(jnp.asarray(t, jnp.int32) % space.num_architectures))

    def tell(state: tuple[()], t: jax.Array, query: Query, observation: Observation) -> tuple[()]:
        return state

    return Strategy("exhaustive_search", init, ask, tell, parallel=True)
