"""Proxies of the gradient of the loss at initialization, and of the initial kernels themselves."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost.base import Batch, log, sums_by_layer
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.tasks.goals import GOALS
from jaxnas.training.networks import ScoredNetworks
from jaxnas.training.recorder import LINEAR

CITES = ("abdelfattah2021zero", "lee2019snip", "li2023zico", "turner2020blockswap")
MOST_RATIO = 1e4
"""Of mean and deviation of two gradients, which in single precision may be equal by chance."""


def measure_gradient(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns sums over each layer's kernel w and its gradient g: of w^2, g^2, |g w| and g w, and of all g^2."""
    variables, kernels = networks.init(key, arch), networks.kernels(arch)
    weights = variables.parameters

    def loss(weights: dict) -> jax.Array:
        return networks.loss(variables._replace(parameters=weights), arch, batch.inputs, batch.labels)

    gradients = jax.grad(loss)(weights)
    products = jax.tree.map(jnp.multiply, weights, gradients)
    return {
        "weights": sums_by_layer(kernels, jax.tree.map(jnp.square, weights)),
        "gradients": sums_by_layer(kernels, jax.tree.map(jnp.square, gradients)),
        "absolute": sums_by_layer(kernels, jax.tree.map(jnp.abs, products)),
        "products": sums_by_layer(kernels, products),
        "all": jax.tree.reduce(jnp.add, jax.tree.map(lambda each: jnp.square(each).sum(), gradients)),
    }


GRADIENT = Pass("gradient", measure_gradient, inside=True)

L2_NORM = Proxy(
    "the sum over layers of the norm of the initial kernel: nearly the number of convolutions.",
    GRADIENT,
    lambda measured: np.sqrt(measured["weights"]).sum(-1),
)
GRAD_NORM = Proxy(
    "the sum over layers of the norm of the kernel's gradient (Abdelfattah et al. 2021).",
    GRADIENT,
    lambda measured: np.sqrt(measured["gradients"]).sum(-1),
)
GRAD_NORM_GLOBAL = Proxy(
    "the norm of the gradient of all parameters together.", GRADIENT, lambda measured: np.sqrt(measured["all"])
)
SNIP = Proxy(
    "the sum of |gradient x weight| over kernels (Lee, Ajanthan and Torr 2019).",
    GRADIENT,
    lambda measured: measured["absolute"].sum(-1),
)
PLAIN = Proxy(
    "the sum of gradient x weight over kernels; 0 where normalization follows, so a negative control.",
    GRADIENT,
    lambda measured: measured["products"].sum(-1),
)


def measure_two_gradients(
    networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch
) -> dict[str, jax.Array]:
    """Returns for each layer the sum over its kernel of mean |g| over the deviation of g, of the two halves' gradients.

    The gradients are of the two halves of the batch at the same weights. Numbers whose gradients are equal are left
    out.
    """
    variables, kernels = networks.init(key, arch), networks.kernels(arch)
    half = len(batch.labels) // 2

    def gradient(part: slice) -> dict:
        def loss(weights: dict) -> jax.Array:
            found = variables._replace(parameters=weights)
            return networks.loss(found, arch, batch.inputs[part], batch.labels[part])

        return jax.grad(loss)(variables.parameters)

    def ratio(first: jax.Array, second: jax.Array) -> jax.Array:
        mean, deviation = (jnp.abs(first) + jnp.abs(second)) / 2, jnp.abs(first - second) / 2
        found = mean / jnp.where(deviation > 0, deviation, 1)
        return jnp.where(deviation > 0, jnp.minimum(found, MOST_RATIO), jnp.where(jnp.isnan(deviation), jnp.nan, 0))

    ratios = jax.tree.map(ratio, gradient(slice(half)), gradient(slice(half, 2 * half)))
    return {"ratios": sums_by_layer(kernels, ratios)}


TWO_GRADIENTS = Pass("two_gradients", measure_two_gradients, inside=True)


def zico_of(ratios: np.ndarray) -> np.ndarray:
    """Returns the sums [...] over layers of the logarithms of [..., L], of layers that are not 0."""
    return np.where(ratios == 0, 0, log(np.where(ratios == 0, 1, ratios))).sum(-1)


ZICO = Proxy(
    "the sum over layers of the log of summed mean / deviation of gradients of two batches (Li et al. 2023).",
    TWO_GRADIENTS,
    lambda measured: zico_of(measured["ratios"]),
)


@jax.custom_vjp
def _probe(x: jax.Array, place: jax.Array) -> jax.Array:
    """Returns x; the derivative with respect to `place`, a scalar, is x's Fisher information by channel, summed."""
    return x


def _probe_forward(x: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
    return x, x


def _probe_backward(x: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    return gradient, jnp.square((x * gradient).sum((1, 2))).mean(1).sum() / 2


_probe.defvjp(_probe_forward, _probe_backward)


def measure_fisher(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns the sum over layers and channels of half the mean square of (output x gradient), summed over pixels."""
    variables = networks.init(key, arch)

    def loss(place: jax.Array) -> jax.Array:
        def tap(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, tuple]:
            return (_probe(x, place) if kind == LINEAR else x), ()

        outputs = networks.tapped(variables, arch, batch.inputs, tap)[0]
        return GOALS[networks.spec.goal].loss(outputs, batch.labels)

    return {"fisher": jax.grad(loss)(jnp.float32(0))}


FISHER_PASS = Pass("channel_gradient", measure_fisher, inside=True)
FISHER = Proxy(
    "the Fisher information of the channels of all layers, summed (Turner et al. 2020).",
    FISHER_PASS,
    lambda measured: measured["fisher"],
)
