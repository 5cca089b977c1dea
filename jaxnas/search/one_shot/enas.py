"""ENAS: a policy that is rewarded by the supernet (Pham, Guan, Zoph, Le and Dean, ICML 2018)."""

import jax

from jaxnas.search.one_shot.base import Method, SearchRecipe, check_equal_choices
from jaxnas.search.one_shot.hypergradients import score_function
from jaxnas.search.one_shot.samplers import policy, policy_logits
from jaxnas.search.one_shot.selection import best_drawn
from jaxnas.spaces.base import Space

CITES = ("pham2018enas",)
BOUND, TEMPERATURE = 2.5, 5.0


def enas(space: Space, *, entropy: float = 1e-4) -> Method:
    """Returns ENAS with a controller of independent choices: each step trains one architecture that it draws and then
    rewards it by the score of another one; the best of 100 drawn ones is taken.

    The paper's controller is a recurrent network. The logits are bounded as its are.
    """
    check_equal_choices(space, "a controller")

    def logits(alpha: jax.Array) -> jax.Array:
        return policy_logits(alpha, BOUND, TEMPERATURE)

    return Method(
        "enas",
        policy(BOUND, TEMPERATURE),
        best_drawn(),
        score_function(lambda alpha: jax.nn.log_softmax(logits(alpha), axis=-1), entropy=entropy),
        probabilities=lambda alpha: jax.nn.softmax(logits(alpha), axis=-1),
        passes=1 + 1 / 3,  # the reward is one forward pass
        # The logits move by at most half of alpha: five times the travel for as much freedom.
        recipe=SearchRecipe(travel=30.0, alpha_decay=0.0),
        hyperparameters=(("entropy", entropy),),
    )
