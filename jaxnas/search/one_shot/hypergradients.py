"""How alpha learns: gradients of the loss on alpha's half of the data."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.search.one_shot.base import Hypergradient, Problem


def first(
    problem: Problem, parameters: Any, alpha: Any, memory: jax.Array, key: jax.Array
) -> tuple[jax.Array, Any, jax.Array]:
    """Returns the gradient with the weights as they are: first order (Liu et al., ICLR 2019)."""
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


def neumann(num_terms: int, step_size: float | None = None) -> Hypergradient:
    """Returns the implicit gradient with the inverse Hessian as a truncated Neumann series (Lorraine et al., AISTATS
    2020; Zhang et al., "iDARTS", ICML 2021).

    With H the Hessian of the training loss in the weights, v the gradient of the validation loss, and s the step size:
    `d_alpha L_va - d_alpha d_w L_tr (s sum_{j=0..n} (I - s H)^j v)`. With the weights at their optimum it tends to the
    exact gradient as n grows.

    Args:
        num_terms: n, 0 or more.
        step_size: by default the learning rate of the weights.
    """

    def gradient(
        problem: Problem, parameters: Any, alpha: Any, memory: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Any, jax.Array]:
        training_key, validation_key = jax.random.split(key)
        size = problem.learning_rate if step_size is None else step_size

        def validation(parameters: Any, alpha: Any) -> jax.Array:
            return problem.validation_loss(parameters, problem.sample(alpha, validation_key))

        def slope(parameters: Any, alpha: Any) -> Any:
            return jax.grad(problem.training_loss)(parameters, problem.sample(alpha, training_key))

        value, (v, direct) = jax.value_and_grad(validation, argnums=(0, 1))(parameters, alpha)

        def extend(_: int, carry: tuple) -> tuple:
            term, total = carry
            product = jax.vjp(lambda w: slope(w, alpha), parameters)[1](term)[0]  # the Hessian is symmetric
            term = jax.tree.map(lambda a, b: a - size * b, term, product)
            return term, jax.tree.map(jnp.add, total, term)

        _, total = jax.lax.fori_loop(0, num_terms, extend, (v, v))
        indirect = jax.vjp(lambda alpha: slope(parameters, alpha), alpha)[1](total)[0]
        return value, jax.tree.map(lambda a, b: a - size * b, direct, indirect), memory

    return gradient


def score_function(
    log_probabilities: Callable[[Any], jax.Array], *, decay: float = 0.99, entropy: float = 1e-4
) -> Hypergradient:
    """Returns the gradient of the expected validation score by the score function (Williams, 1992), which needs no
    gradient of the network.

    The baseline is a running mean of the scores before this one, as in ENAS (Pham et al., ICML 2018), so that the
    estimate is unbiased. A descent follows it, so that it is that of the negative score.

    Args:
        log_probabilities: `alpha -> float32[E, K]`, of the choices that `Problem.sample` draws.
        decay: of the running mean.
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

        return -score, jax.grad(objective)(alpha), decay * memory + (1 - decay) * score

    return gradient
