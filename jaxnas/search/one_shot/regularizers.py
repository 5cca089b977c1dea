"""Terms that are added to alpha's loss: functions `(alpha, t) -> float32[]`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnas.search.one_shot.samplers import concentrations


def beta_decay(largest: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the mean over decisions of the logarithm of the sum of exponentials of alpha, by a weight that grows in a
    straight line (Ye et al., "beta-DARTS", CVPR 2022).
    """
    return lambda alpha, t: largest * t * jax.nn.logsumexp(alpha, axis=-1).mean()


def divergence_from_uniform(weight: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the divergence of DrNAS's Dirichlet distributions from the uniform one, summed over decisions (Chen et
    al., ICLR 2021).
    """

    def regularize(alpha: jax.Array, t: jax.Array) -> jax.Array:
        given = concentrations(alpha)
        total, lgamma, digamma = given.sum(-1), jax.scipy.special.gammaln, jax.scipy.special.digamma
        normalizer = lgamma(total) - lgamma(given).sum(-1) - lgamma(jnp.float32(alpha.shape[-1]))
        return weight * (normalizer + ((given - 1) * (digamma(given) - digamma(total)[:, None])).sum(-1)).sum()

    return regularize


def entropy(weight: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the entropy of the choices, summed over decisions, by a weight that grows in a straight line: choices
    become clear.
    """

    def regularize(alpha: jax.Array, t: jax.Array) -> jax.Array:
        logs = jax.nn.log_softmax(alpha, axis=-1)
        return -weight * t * (jnp.exp(logs) * logs).sum()

    return regularize


def expected_cost(costs: jax.Array, weight: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the expected cost of an architecture, by costs float[E, K] of the choices, such as multiply-accumulates
    (`jaxnas.training.networks.MixedNetworks.flops`).
    """
    return lambda alpha, t: weight * (jax.nn.softmax(alpha, axis=-1) * jnp.asarray(costs)).sum()
