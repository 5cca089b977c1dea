"""A proxy of the curvature of the loss at initialization."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.predictors.zero_cost.base import Batch
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks

CITES = ("wang2020picking",)


def measure_second_order(
    networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch
) -> dict[str, jax.Array]:
    """Returns the sum over kernels w of w (H g): H is the Hessian of the loss of the kernels, g their gradient."""
    variables, live = networks.init(key, arch), networks.kernels(arch).live

    def gradient(weights: Any) -> Any:
        def loss(weights: Any) -> jax.Array:
            return networks.loss(variables._replace(parameters=weights), arch, batch.inputs, batch.labels)

        return jax.grad(loss)(weights)

    weights = variables.parameters
    direction = jax.tree.map(lambda each, live: jax.lax.stop_gradient(each) * live, gradient(weights), live)
    # Gradients of the layers are written by hand and have no forward mode: the gradient of g . constant.
    products = jax.grad(lambda weights: _dot(gradient(weights), direction))(weights)
    return {"curvature": _dot(products, jax.tree.map(jnp.multiply, weights, live))}


def _dot(first: Any, second: Any) -> jax.Array:
    products = jax.tree.map(lambda one, other: (one * other).sum(), first, second)
    return jax.tree.reduce(jnp.add, products)


SECOND_ORDER = Pass("second_order", measure_second_order, inside=True)
GRASP = Proxy(
    "minus the sum of weight x (Hessian x gradient) over kernels (Wang, Zhang and Grosse 2020, at temperature 1).",
    SECOND_ORDER,
    lambda measured: -measured["curvature"],
)
