"""Policy gradient: REINFORCE."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.checks import checked_number
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy, factory_of_space
from jaxnas.strategies.parts.draws import draw_choices, uniform_marginals

CITES = ("williams1992simple", "zoph2017neural")


class ReinforceState(NamedTuple):
    """The policy's logits float32[D, V]; Adam's state; and the moving average of the scores, float32[].

    Logits are -inf beyond a decision's own values; the average is NaN before the first success.
    """

    logits: jax.Array
    adam: optax.OptState
    baseline: jax.Array


@factory_of_space
def reinforce(space: Space, *, learning_rate: float = 0.01, baseline_decay: float = 0.9) -> Strategy:
    """Returns REINFORCE: draws from a policy that follows the gradient of the expected score.

    Decisions are drawn independently. The policy starts uniform. A trial moves it by one step of Adam, weighted by
    how far its score is above a moving average of the scores before; a failed trial changes nothing. Williams,
    "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", Machine Learning
    1992; for NAS, Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017. Without their
    recurrent controller, and with the defaults of Dong and Yang, "NAS-Bench-201", ICLR 2020.

    Args:
        learning_rate: of Adam.
        baseline_decay: weight of the old moving average against the new score.
    """
    checked_number("learning_rate", learning_rate, above=0)
    checked_number("baseline_decay", baseline_decay, at_least=0, at_most=1)
    optimizer = optax.adam(learning_rate)

    def init(key: jax.Array, num_trials: int) -> ReinforceState:
        logits = jnp.where(uniform_marginals(space) > 0, 0.0, -jnp.inf)
        return ReinforceState(logits, optimizer.init(logits), jnp.float32(jnp.nan))

    def ask(state: ReinforceState, t: jax.Array, key: jax.Array) -> Query:
        drawn = draw_choices(key, jax.nn.softmax(state.logits), space)
        return Query(space.repaired(jax.random.fold_in(key, 1), drawn))

    def tell(state: ReinforceState, t: jax.Array, query: Query, observation: Observation) -> ReinforceState:
        score = observation.score
        baseline = jnp.where(jnp.isnan(state.baseline), score, state.baseline)
        chosen = query.arch[:, None] == np.arange(state.logits.shape[1])
        gradient = (baseline - score) * (chosen - jax.nn.softmax(state.logits))  # of the loss that Adam minimizes
        updates, adam = optimizer.update(gradient, state.adam)
        baseline = baseline_decay * baseline + (1 - baseline_decay) * score
        moved = ReinforceState(state.logits + updates, adam, baseline)
        return jax.tree.map(lambda new, old: jnp.where(jnp.isfinite(score), new, old), moved, state)

    hyperparameters = (("learning_rate", learning_rate), ("baseline_decay", baseline_decay))
    return Strategy("reinforce", init, ask, tell, hyperparameters=hyperparameters)
