"""A strategy whose queries are chosen by the scores of an earlier task, less and less so with time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas.checks import checked_number
from jaxnas.ranks import shared_ranks
from jaxnas.spaces.base import Space, check_rows
from jaxnas.strategies.base import Query, Strategy

NUM_ASKED = 8
"""How often the strategy is asked for each trial."""


def prior_guided(
    strategy: Strategy,
    space: Space,
    scores: ArrayLike | Callable[[jax.Array], jax.Array],
    *,
    weight: float = 4.0,
    decay: float = 30.0,
) -> Strategy:
    """Returns a strategy that is asked several times a trial; one of its answers is drawn by a prior and queried.

    The strategy is asked with several keys. An answer is drawn with probability in proportion to exp(z * w):
    z is its score on the earlier task in normal quantiles over the space, and w = `weight` / (1 + t / `decay`) fades
    with the number of trials t: in the end the new task dominates. The fading exponent is from Hvarfner, Stoll, Souza,
    Lindauer, Hutter and Nardi, "PiBO: Augmenting Acquisition Functions with User Beliefs for Bayesian Optimization",
    ICLR 2022. A trial takes as long as eight of the strategy.

    Args:
        strategy: any Strategy of `space` that does not change when it is asked.
        scores: of an earlier task, float[rows of the space], larger is better, NaN the worst; or a function
            `arch -> float32[]` whose values have the scale of normal quantiles.
        weight: of the prior in the first trial; 0 for none.
        decay: the number of trials after which the weight is halved.

    Raises ValueError on scores of another number than the space has rows, or numbers out of range.
    """
    checked_number("weight", weight, at_least=0)
    checked_number("decay", decay, above=0)
    prior = scores if callable(scores) else _looked_up(space, np.asarray(scores, np.float64))
    if strategy.most_given == 0 and not strategy.jittable:
        raise ValueError(f"Expected a strategy that can be asked several times, got {strategy.name}.")
    asked = jax.vmap if strategy.jittable else _one_by_one

    def ask(state: Any, t: jax.Array, key: jax.Array) -> Query:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(NUM_ASKED))

        def answer(key: jax.Array) -> Query:
            return jax.tree.map(lambda value: jnp.asarray(value, jnp.int32), strategy.ask(state, t, key))

        queries = asked(answer)(keys)
        strength = weight / (1 + t / decay)
        chances = jax.vmap(prior)(queries.arch) * strength
        chosen = jnp.argmax(chances + jax.random.gumbel(jax.random.fold_in(key, NUM_ASKED), (NUM_ASKED,)))
        return jax.tree.map(lambda values: values[chosen], queries)

    hyperparameters = (*strategy.hyperparameters, ("weight", weight), ("decay", decay), ("num_asked", NUM_ASKED))
    return strategy._replace(name=f"prior_guided_{strategy.name}", ask=ask, hyperparameters=hyperparameters)


def normal_quantiles(scores: np.ndarray) -> np.ndarray:
    """Returns the normal quantiles of the ranks of scores [A] among all, float32[A]; NaN counts as the lowest."""
    from scipy.special import ndtri

    ranks, _ = shared_ranks(np.where(np.isnan(scores), -np.inf, scores))
    return ndtri((ranks - 0.5) / len(scores)).astype(np.float32)


def checked_scores(space: Space, scores: np.ndarray) -> np.ndarray:
    """Returns scores by row of a space, float[rows]. Raises ValueError if their number differs from the rows."""
    check_rows(space)
    if scores.shape != (space.num_architectures,) or not np.isfinite(scores).any():
        raise ValueError(f"Expected {space.num_architectures:,} scores, one a row, got shape {list(scores.shape)}.")
    return scores


def _looked_up(space: Space, scores: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    values = normal_quantiles(checked_scores(space, scores))
    return lambda arch: jnp.asarray(values)[space.index(arch)]


def _one_by_one(answer: Callable[[jax.Array], Query]) -> Callable[[jax.Array], Query]:
    """Returns the function of several keys for an answer that cannot be traced."""
    return lambda keys: jax.tree.map(lambda *values: jnp.stack(values), *(answer(key) for key in keys))
