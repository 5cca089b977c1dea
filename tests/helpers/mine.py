"""What a user may write: a space with a custom operation, a task and a strategy, for `file.py:NAME`."""

import jax.numpy as jnp
from helpers.samples import SMALL, make_task

import jaxnas as jn

SPACE = SMALL
FEW = jn.CellSpace(2, SMALL.operations, name="few")
"""A space of an operation on one edge: five architectures, whose programs compile quickly."""
ARRAY = jnp.zeros(3)


def task():
    return make_task(num_images=160)


def first_only(space):
    """Returns a strategy that always asks for the first architecture."""

    def init(key, num_trials):
        return ()

    def ask(state, t, key):
        return jn.Query(space.arch_at(0))

    def tell(state, t, query, observation):
        return state

    return jn.Strategy("first_only", init, ask, tell)
