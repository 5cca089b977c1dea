"""MeCo: the smallest eigenvalues of the correlations between channels."""

import jax
import jax.numpy as jnp

from jaxnas.predictors.zero_cost.base import Batch
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks
from jaxnas.training.recorder import BLOCK, LINEAR, NORM, OUTPUT

CITES = ("jiang2023meco",)
NUM_SQUARES = 20


def measure_meco(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns the sum of the smallest eigenvalue of the channels' correlations over layers, norms and blocks.

    Inputs are normal noise; all positions of all examples are the sample of the correlations. The outputs of a
    normalization correlate as its inputs do.
    """

    def tap(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        counts = kind in (LINEAR, NORM, BLOCK) and number != OUTPUT
        return x, smallest_eigenvalue(channel_correlations(x, live)) * there(live) if counts else jnp.float32(0)

    variables = networks.init(key, arch)
    return {"meco": networks.tapped(variables, arch, batch.noise[0], tap)[1]}


def there(live: jax.Array | None) -> jax.Array | int:
    """Returns whether any channel is the architecture's own."""
    return 1 if live is None else live.any()


def channel_correlations(x: jax.Array, live: jax.Array | None) -> jax.Array:
    """Returns the correlations [C, C] of the channels of x [C, H, W, N].

    A constant channel has 0 everywhere. Channels that are not live correlate with none, and have the largest possible
    eigenvalue on the diagonal, which leaves the smallest one unchanged.
    """
    rows = x.reshape(len(x), -1)
    rows = rows - rows.mean(1, keepdims=True)
    norms = jnp.sqrt(jnp.square(rows).sum(1, keepdims=True))
    rows = jnp.where(norms > 0, rows / jnp.where(norms > 0, norms, 1), 0)
    found = rows @ rows.T
    if live is None:
        return found
    return jnp.where(live[:, None] & live, found, 0) + jnp.diag(jnp.where(live, 0.0, len(x)))


def smallest_eigenvalue(matrix: jax.Array) -> jax.Array:
    """Returns the smallest eigenvalue of a positive semi-definite matrix with a diagonal of at most its size.

    C + 1 - matrix is squared again and again, which leaves the projection on the eigenvectors of the smallest one.
    """
    size = len(matrix)

    def squared(power: jax.Array, _: None) -> tuple[jax.Array, None]:
        power = power @ power
        return power / jnp.trace(power), None

    power = jnp.eye(size) - matrix / (size + 1)
    power = jax.lax.scan(squared, power / jnp.trace(power), None, NUM_SQUARES)[0] if size > 1 else jnp.eye(1)
    return jnp.maximum(jnp.sum(matrix * power), 0)


CORRELATIONS = Pass("meco", measure_meco, inside=True)
MECO = Proxy(
    "the smallest eigenvalue of the correlations of channels, summed over layers (after Jiang, Wang and Bie 2023).",
    CORRELATIONS,
    lambda measured: measured["meco"],
)
