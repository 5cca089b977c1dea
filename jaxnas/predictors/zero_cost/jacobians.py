"""Proxies of the gradients of the outputs with respect to the inputs of several examples."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost.base import Batch
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import Networks

CITES = ("mellor2021neural", "lopes2021epenas")
OFFSET, ROUNDING = 1e-5, 1e-6
FEWEST, EXAMPLES_A_CLASS = 32, 4


def measure_jacobian(networks: Networks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns the correlations [n, n] of the gradients of the summed outputs with respect to each input, and labels.

    There are 32 examples, more if four of each class need more, and at most as many as the batch has.
    """
    num_examples = min(len(batch.inputs), max(FEWEST, EXAMPLES_A_CLASS * networks.spec.num_outputs))
    variables, inputs = networks.init(key, arch), batch.inputs[:num_examples]
    found = jax.grad(lambda inputs: networks.apply(variables, arch, inputs, mode="train").outputs.sum())(inputs)
    rows = found.reshape(num_examples, -1)
    return {"correlations": correlations(rows), "labels": batch.labels[:num_examples]}


def correlations(rows: jax.Array) -> jax.Array:
    """Returns the correlations [n, n] of rows [n, D]; NaN with a constant one."""
    centered = rows - rows.mean(1, keepdims=True)
    scaled = centered / jnp.sqrt(jnp.square(centered).sum(1, keepdims=True))
    return scaled @ scaled.T


INPUT_GRADIENT = Pass("input_gradient", measure_jacobian)


def jacov_of(found: np.ndarray) -> np.ndarray:
    """Returns -sum (log(v + k) + 1 / (v + k)) over the eigenvalues v of correlations [..., n, n], with k = 1e-5.

    An eigenvalue below 1e-6 is 0 but for the rounding of single precision, which 1 / v would show.
    """
    finite = np.isfinite(found).all((-2, -1))
    safe = np.where(finite[..., None, None], found, np.eye(found.shape[-1])).astype(np.float64)
    values = np.linalg.eigvalsh((safe + safe.swapaxes(-2, -1)) / 2)
    values = np.where(values < ROUNDING, 0, values) + OFFSET
    return np.where(finite, -(np.log(values) + 1 / values).sum(-1), np.nan)


def epe_of(found: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the sum over classes of |sum log(|correlation| + k)| over pairs of the class, of [..., n, n].

    NaN if labels are not classes of examples, int[..., n].
    """
    if labels.ndim != found.ndim - 1 or labels.dtype.kind == "f":
        return np.full(found.shape[:-2], np.nan)
    logs = np.log(np.abs(found.astype(np.float64)) + OFFSET)
    score = np.zeros(found.shape[:-2])
    for label in np.unique(labels):
        members = (labels == label).astype(np.float64)
        score += np.abs(np.einsum("...ij,...i,...j->...", logs, members, members))
    return score


JACOV = Proxy(
    "how little the Jacobians of examples correlate, by the eigenvalues (Mellor et al. 2020, version 1).",
    INPUT_GRADIENT,
    lambda measured: jacov_of(measured["correlations"]),
)
EPE_NAS = Proxy(
    "how the Jacobians of examples correlate within classes (Lopes, Alirezazadeh and Alexandre 2021).",
    INPUT_GRADIENT,
    lambda measured: epe_of(measured["correlations"], measured["labels"]),
)
