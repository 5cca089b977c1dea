"""Synaptic flow: how much the output of a network of absolute weights depends on each of them."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.predictors.zero_cost.base import Batch, Networks, log, sums_by_layer
from jaxnas.predictors.zero_cost.proxy import KERNELS, Pass, Proxy

CITES = ("tanaka2020pruning",)


def measure_absolute(networks: Networks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns for each layer the sum over its kernel w of |w| dR / d|w|, where R is the sum of outputs for inputs of 1.

    All weights are replaced by their absolute values. Normalization is the identity, as in a fresh network.
    """
    variables, kernels = networks.init(arch, key), networks.kernels(arch)
    weights = jax.tree.map(jnp.abs, variables.parameters)
    ones = jnp.ones((1, *networks.input_shape))

    def flow(weights: Any) -> jax.Array:
        return networks.outputs(arch, variables._replace(parameters=weights), ones, "identity").sum()

    value, gradients = jax.value_and_grad(flow)(weights)
    return {"flows": sums_by_layer(kernels, jax.tree.map(jnp.multiply, weights, gradients)), "output": value}


ABSOLUTE = Pass("absolute", measure_absolute, (KERNELS,))
SYNFLOW = Proxy(
    "the log of the synaptic flow through kernels, without data (Tanaka et al. 2020).",
    ABSOLUTE,
    lambda measured: log(measured["flows"].sum(-1, dtype="float64")),
)
