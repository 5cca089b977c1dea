"""Synaptic flow: how much the output of a network of absolute weights depends on each of them."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.predictors.zero_cost.base import Batch, input_shape, log, sums_by_layer
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks

CITES = ("tanaka2020pruning",)


def measure_absolute(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns for each layer the sum over its kernel w of |w| dR / d|w|, where R is the sum of outputs for inputs of 1.

    All weights are replaced by their absolute values. Normalization is the identity, as in a fresh network.
    """
    variables, kernels = networks.init(key, arch), networks.kernels(arch)
    weights = jax.tree.map(jnp.abs, variables.parameters)
    ones = jnp.ones((1, *input_shape(networks.spec)))

    def flow(weights: Any) -> jax.Array:
        found = variables._replace(parameters=weights)
        return networks.apply(found, arch, ones, mode="identity").outputs.sum()

    value, gradients = jax.value_and_grad(flow)(weights)
    return {"flows": sums_by_layer(kernels, jax.tree.map(jnp.multiply, weights, gradients)), "output": value}


ABSOLUTE = Pass("absolute", measure_absolute, inside=True)
SYNFLOW = Proxy(
    "the log of the synaptic flow through kernels, without data (Tanaka et al. 2020).",
    ABSOLUTE,
    lambda measured: log(measured["flows"].sum(-1, dtype="float64")),
)
