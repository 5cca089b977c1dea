"""Simulated annealing."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_number
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space

CITES = ("kirkpatrick1983optimization",)


class AnnealingState(NamedTuple):
    """The current architecture int32[D], its score, the allowed loss and the cooling, each float32[].

    The score is -inf before the first success. The allowed loss is by how much the next score may be lower, and the
    cooling is the logarithm of the temperatures' ratio from trial to trial.
    """

    arch: jax.Array
    score: jax.Array
    allowed_loss: jax.Array
    cooling: jax.Array


@factory_of_space
def simulated_annealing(space: Space, *, initial_temperature: float = 0.1, final_temperature: float = 0.01) -> Strategy:
    """Returns simulated annealing: better neighbors are accepted, worse ones with a falling probability.

    A uniform neighbor of the current architecture takes its place if it is better, and with probability
    exp(-loss / temperature) if it is worse. The temperature falls geometrically over the trials of the run. Trials
    are uniform draws until one succeeds. Kirkpatrick, Gelatt and Vecchi, "Optimization by Simulated Annealing",
    Science 1983. It has no temperatures for scores that are proportions; the defaults are for those, the last about
    the noise of a seed.

    Args:
        initial_temperature: of the first trial, in units of the score.
        final_temperature: of the last trial.
    """
    checked_number("initial_temperature", initial_temperature, above=0)
    checked_number("final_temperature", final_temperature, above=0, at_most=initial_temperature)
    ratio = math.log(final_temperature / initial_temperature)

    def init(key: jax.Array, num_trials: int) -> AnnealingState:
        arch = jnp.zeros(len(space.decisions), jnp.int32)
        return AnnealingState(arch, jnp.float32(-jnp.inf), jnp.float32(0), jnp.float32(ratio / max(num_trials - 1, 1)))

    def advance(state: AnnealingState, t: jax.Array, key: jax.Array) -> AnnealingState:
        """Draws by how much this trial may be worse: exp(-loss / T) is the chance that an exponential exceeds it."""
        temperature = initial_temperature * jnp.exp(state.cooling * t)
        return state._replace(allowed_loss=temperature * jax.random.exponential(key))

    def ask(state: AnnealingState, t: jax.Array, key: jax.Array) -> Query:
        return Query(jnp.where(state.score == -jnp.inf, space.sample(key), space.mutate(key, state.arch)))

    def tell(state: AnnealingState, t: jax.Array, query: Query, observation: Observation) -> AnnealingState:
        moves = observation.score >= state.score - state.allowed_loss  # never if the score is NaN
        arch = jnp.where(moves, query.arch, state.arch)
        return state._replace(arch=arch, score=jnp.where(moves, observation.score, state.score))

    hyperparameters = (("initial_temperature", initial_temperature), ("final_temperature", final_temperature))
    return Strategy("simulated_annealing", init, ask, tell, advance, hyperparameters)
