"""How alpha learns: gradients of the loss on alpha's half of the data."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.search.one_shot.base import Hypergradient, Problem

BASELINE_DECAY = 0.99


def first(
    problem: Problem, parameters: Any, alpha: Any, memory: jax.Array, key: jax.Array
) -> tuple[jax.Array, Any, jax.Array]:
    """Returns the gradient with the weights unchanged: first order (Liu et al., ICLR 2019)."""
    loss = lambda alpha: problem.validation_loss(parameters, problem.sample(alpha, key))  # noqa: E731
    return *jax.value_and_grad(loss)(alpha), memory


def unrolled(
    problem: Problem, parameters: Any, alpha: Any, memory: jax.Array, key: jax.Array
) -> tuple[jax.Array, Any, jax.Array]:
    """Returns the gradient of the loss after one step of the weights, through that step: second order.

    It is exact, by reverse mode through reverse mode, and goes through the optimizer's own step, momentum and decay
    included; the finite difference of the authors' program is neither (Liu et al., ICLR 2019, section 2.3).
    """
    training_key, validation_key = jax.random.split(key)

    def loss(alpha: Any) -> jax.Array:
        sample = problem.sample(alpha, training_key)
        gradient = jax.grad(problem.training_loss)(parameters, sample)
        stepped = problem.updated(parameters, gradient)
        return problem.validation_loss(stepped, problem.sample(alpha, validation_key))

    return *jax.value_and_grad(loss)(alpha), memory


def score_function(log_probabilities: Callable[[Any], jax.Array], *, entropy: float = 1e-4) -> Hypergradient:
    """Returns the gradient of the expected validation score by the score function (Williams, 1992), which needs no
    gradient of the network.

    The baseline is a running mean of the scores before this one, as in ENAS (Pham et al., ICML 2018),
    so the estimate is unbiased. A descent follows it, so it is the gradient of the negative score.

    Args:
        log_probabilities: `alpha -> float32[E, K]`, of the choices that `Problem.sample` draws.
        entropy: the weight of the entropy of the choices, which is added to the score.
    """

    def gradient(
        problem: Problem, parameters: Any, alpha: Any, memory: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Any, jax.Array]:
        sample = problem.sample(alpha, key)
        assert sample.arch is not None  # which the sampler draws
        arch, score = sample.arch, problem.validation_score(parameters, sample)

        def objective(alpha: Any) -> jax.Array:
            logs = log_probabilities(alpha)
            log_probability = jnp.take_along_axis(logs, arch[:, None], axis=1).sum()
            return -(score - memory) * log_probability + entropy * (jnp.exp(logs) * logs).sum()

        return -score, jax.grad(objective)(alpha), BASELINE_DECAY * memory + (1 - BASELINE_DECAY) * score

    return gradient
