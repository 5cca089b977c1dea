"""Proxies of the gradients of single examples: the neural tangent kernel, and the agreement of signs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost.base import Batch
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks

CITES = ("chen2021tenas", "shu2022nasi", "zhang2022gradsign")
NUM_EXAMPLES = 16
LEAST_SHARE = 1e-6
"""Of the largest eigenvalue, below which the smallest one is rounding."""
LEAST_GRADIENT = 1e-5
"""Of the largest gradient of an example, up to which others are rounding, as those that a normalization makes 0."""


def measure_examples(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns the tangent kernel [n, n] of 16 examples, and `agreeing_signs` of kernels.

    The tangent kernel is of the summed outputs, in one batch; the signs are of the loss of each example alone, which
    is thus normalized by itself.
    """
    variables, live = networks.init(key, arch), networks.kernels(arch).live
    inputs, labels = batch.inputs[:NUM_EXAMPLES], batch.labels[:NUM_EXAMPLES]

    def outputs(weights: Any) -> jax.Array:
        found = networks.apply(variables._replace(parameters=weights), arch, inputs, mode="train").outputs
        return found.reshape(len(inputs), -1).sum(1)

    (rows,) = jax.vmap(jax.vjp(outputs, variables.parameters)[1])(jnp.eye(len(inputs)))
    flat = jax.tree.map(lambda each: each.reshape(len(inputs), -1), rows)

    def loss(weights: Any, example: jax.Array, label: jax.Array) -> jax.Array:
        return networks.loss(variables._replace(parameters=weights), arch, example[None], label[None])

    gradients = jax.vmap(jax.grad(loss), (None, 0, 0))(variables.parameters, inputs, labels)
    tangent = jax.tree.reduce(jnp.add, jax.tree.map(lambda each: each @ each.T, flat))
    return {"tangent": tangent, "signs": agreeing_signs(gradients, live)}


def agreeing_signs(gradients: Any, live: Any) -> jax.Array:
    """Returns the sum over live parameters of |sum of signs of the gradients of examples|, each [n, ...], without
    signs of rounding errors.
    """
    largest = [jnp.abs(each).reshape(len(each), -1).max(1) for each in jax.tree.leaves(gradients)]
    least = LEAST_GRADIENT * jnp.stack(largest).max(0)

    def agreeing(each: jax.Array, live: jax.Array) -> jax.Array:
        is_rounding = jnp.abs(each) <= least.reshape(-1, *[1] * (each.ndim - 1))
        return (jnp.abs(jnp.where(is_rounding, 0, jnp.sign(each)).sum(0)) * live).sum()

    return jax.tree.reduce(jnp.add, jax.tree.map(agreeing, gradients, live))


EXAMPLES = Pass("examples", measure_examples, inside=True)


def log_condition(tangent: np.ndarray) -> np.ndarray:
    """Returns the log of the largest over the smallest eigenvalue of kernels [..., n, n]; NaN if all are 0."""
    finite = np.isfinite(tangent).all((-2, -1))
    safe = np.where(finite[..., None, None], tangent, 0).astype(np.float64)
    values = np.linalg.eigvalsh((safe + safe.swapaxes(-2, -1)) / 2)
    largest = np.where(finite & (values[..., -1] > 0), values[..., -1], np.nan)
    return np.log(largest / np.maximum(values[..., 0], LEAST_SHARE * largest))


NTK_COND = Proxy(
    "the log condition number of the neural tangent kernel of 16 examples (Chen, Gong and Wang 2021).",
    EXAMPLES,
    lambda measured: log_condition(measured["tangent"]),
    better=-1,
)
NTK_TRACE = Proxy(
    "the mean of the diagonal of the neural tangent kernel of 16 examples (after Shu et al. 2022).",
    EXAMPLES,
    lambda measured: np.trace(measured["tangent"], axis1=-2, axis2=-1) / measured["tangent"].shape[-1],
)
GRADSIGN = Proxy(
    "the sum over kernels of |sum over 16 examples of the sign of the gradient|, rounding left out (Zhang and Jia "
    "2022).",
    EXAMPLES,
    lambda measured: measured["signs"],
)
