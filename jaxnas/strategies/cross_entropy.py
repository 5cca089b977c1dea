"""Estimation of distribution: the cross-entropy method."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_number, checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space, failed_as_worst, warn_of_short_run
from jaxnas.strategies.parts.draws import draw_choices, uniform_marginals

CITES = ("rubinstein1999cross", "deboer2005tutorial")


class CrossEntropyState(NamedTuple):
    """The marginals float32[D, V], a row a decision, and the current batch.

    The batch is architectures int32[B, D] and scores float32[B].
    """

    marginals: jax.Array
    archs: jax.Array
    scores: jax.Array


@factory_of_space
def cross_entropy(space: Space, *, batch_size: int = 50, elite_share: float = 0.1, smoothing: float = 0.7) -> Strategy:
    """Returns the cross-entropy method: draws from marginals that are refitted to the best of each batch.

    Decisions are drawn independently. The marginals start uniform. The elite's frequencies are mixed with the old
    marginals; failed trials are never elite, and a batch without a success changes nothing. Rubinstein, "The
    Cross-Entropy Method for Combinatorial and Continuous Optimization", Methodology and Computing in Applied
    Probability 1999. The smoothing follows De Boer, Kroese, Mannor and Rubinstein, "A Tutorial on the
    Cross-Entropy Method", Annals of Operations Research 2005, with its usual elite share and smoothing, in smaller
    batches.

    Args:
        batch_size: trials between two refits.
        elite_share: the share of a batch that is refitted to, at least one trial.
        smoothing: weight of the elite's frequencies against the old marginals; 1 forgets those.
    """
    checked_size("batch_size", batch_size)
    checked_number("elite_share", elite_share, above=0, at_most=1)
    checked_number("smoothing", smoothing, above=0, at_most=1)
    elite_size = max(1, round(batch_size * elite_share))
    num_decisions = len(space.decisions)

    def init(key: jax.Array, num_trials: int) -> CrossEntropyState:
        warn_of_short_run("cross_entropy", num_trials, batch_size + 1, "so that all are uniform draws")
        archs = jnp.zeros((batch_size, num_decisions), jnp.int32)
        return CrossEntropyState(uniform_marginals(space), archs, jnp.full(batch_size, -jnp.inf))

    def refitted(state: CrossEntropyState) -> jax.Array:
        scores, elite = jax.lax.top_k(state.scores, elite_size)
        values = np.arange(state.marginals.shape[1])
        counts = ((state.archs[elite][..., None] == values) & (scores > -jnp.inf)[:, None, None]).sum(0)
        frequencies = counts / jnp.maximum(counts.sum(1, keepdims=True), 1)
        mixed = state.marginals + smoothing * (frequencies - state.marginals)
        return jnp.where(counts.sum() > 0, mixed, state.marginals)

    def advance(state: CrossEntropyState, t: jax.Array, key: jax.Array) -> CrossEntropyState:
        ends_batch = (t > 0) & (t % batch_size == 0)
        return state._replace(marginals=jax.lax.cond(ends_batch, refitted, lambda state: state.marginals, state))

    def ask(state: CrossEntropyState, t: jax.Array, key: jax.Array) -> Query:
        drawn = draw_choices(key, state.marginals, space)
        return Query(space.repaired(jax.random.fold_in(key, 1), drawn))

    def tell(state: CrossEntropyState, t: jax.Array, query: Query, observation: Observation) -> CrossEntropyState:
        slot, score = t % batch_size, failed_as_worst(observation.score)
        archs = state.archs.at[slot].set(query.arch)
        return CrossEntropyState(state.marginals, archs, state.scores.at[slot].set(score))

    hyperparameters = (("batch_size", batch_size), ("elite_share", elite_share), ("smoothing", smoothing))
    return Strategy("cross_entropy", init, ask, tell, advance, hyperparameters)
