"""AZ-NAS: expressivity, progressivity and trainability of the blocks of a network, reductions included."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost.base import Batch, tapped_shapes
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks
from jaxnas.training.recorder import BLOCK, REDUCTION

CITES = ("lee2024aznas",)
OFFSET, SMALLEST = 1e-8, 1e-6
KINDS = (BLOCK, REDUCTION)

Shape = tuple[int, ...]


def measure_blocks(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns the effect of the blocks 0 to m of a network on normal noise, forward, and on random signs, backward.

    `covariances` [m + 1, C, C] of the channels of each block's output; `products` [m, D, C] of the signs at a block's
    output with the gradients at its input, over all positions; both padded with zeros. `present` [m + 1]: which blocks
    the architecture has. `unchanged` [m]: whether the signs reach the input unchanged.
    """
    variables = networks.init(key, arch)
    shapes = tapped_shapes(networks, arch, variables, batch.noise[0], *KINDS)
    sign_key = jax.random.fold_in(key, 1)
    signs = [
        jax.random.rademacher(jax.random.fold_in(sign_key, n), shape, jnp.float32) for n, shape in enumerate(shapes)
    ]
    widest = max(shape[0] for shape in shapes)

    def cut(added: list[jax.Array]) -> tuple[jax.Array, tuple]:
        """Returns the sum of all blocks' outputs times signs; each depends only on the addition to its own input."""

        def tap(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, tuple]:
            if kind not in KINDS:
                zeros = jnp.zeros(len(shapes))
                return x, (jnp.float32(0), jnp.zeros((len(shapes), widest, widest)), zeros)
            own = x if live is None else jnp.where(live[:, None, None, None], x, 0)
            there = jnp.float32(1) if live is None else live.any().astype(jnp.float32)
            place = jnp.arange(len(shapes)) == number
            covariance = _padded(_covariance(own), (widest, widest)) * there * place[:, None, None]
            return jax.lax.stop_gradient(x) + added[number], ((own * signs[number]).sum(), covariance, there * place)

        total, covariances, present = networks.tapped(variables, arch, batch.noise[0], tap)[1]
        return total, (covariances, present)

    reaching, (covariances, present) = jax.grad(cut, has_aux=True)([jnp.zeros(shape) for shape in shapes])
    blocks = list(zip(reaching, signs[1:], strict=False))
    found = [_product(before, after) for before, after in blocks]
    largest = max(each.shape[0] for each in found), max(each.shape[1] for each in found)
    return {
        "covariances": covariances,
        "products": jnp.stack([_padded(each, largest) for each in found]),
        "present": present,
        "unchanged": jnp.stack([_equal(before, after) for before, after in blocks]),
    }


def _covariance(x: jax.Array) -> jax.Array:
    rows = x.reshape(len(x), -1)
    rows = rows - rows.mean(1, keepdims=True)
    return rows @ rows.T / rows.shape[1]


def _padded(matrix: jax.Array, shape: Shape) -> jax.Array:
    return jnp.pad(matrix, [(0, size - own) for size, own in zip(shape, matrix.shape, strict=True)])


def _product(before: jax.Array, after: jax.Array) -> jax.Array:
    """Returns the mean over positions of the products of channels of two blocks, [D, C].

    If the first block has more positions, all positions that one of the second covers count as separate channels.
    """
    rows, columns = (-(-before.shape[axis] // after.shape[axis]) for axis in (1, 2))
    height, width, num_examples = after.shape[1:]
    padding = [(0, 0), (0, rows * height - before.shape[1]), (0, columns * width - before.shape[2]), (0, 0)]
    parts = jnp.pad(before, padding).reshape(len(before), height, rows, width, columns, num_examples)
    parts = parts.transpose(0, 2, 4, 1, 3, 5).reshape(-1, math.prod(after.shape[1:]))
    return parts @ after.reshape(len(after), -1).T / math.prod(after.shape[1:])


def _equal(before: jax.Array, after: jax.Array) -> jax.Array:
    return (before == after).all() if before.shape == after.shape else jnp.bool_(False)


BLOCKS = Pass("blocks", measure_blocks, inside=True)


def entropies_of(covariances: np.ndarray) -> np.ndarray:
    """Returns the entropy of the eigenvalues of covariances [..., C, C] as shares of their sum; NaN if all are 0."""
    finite = np.isfinite(covariances).all((-2, -1))
    safe = np.where(finite[..., None, None], covariances, 0).astype(np.float64)
    values = np.clip(np.linalg.eigvalsh((safe + safe.swapaxes(-2, -1)) / 2), 0, None)
    with np.errstate(invalid="ignore"):
        shares = values / values.sum(-1, keepdims=True)
    return -(shares * np.log(shares + OFFSET)).sum(-1)


def expressivity_of(measured: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the sum of the entropies of the blocks that are present."""
    return np.where(measured["present"] > 0, entropies_of(measured["covariances"]), 0).sum(-1)


def progressivity_of(measured: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the least gain of entropy from one block to the next."""
    gains = np.diff(entropies_of(measured["covariances"]), axis=-1)
    return np.where(measured["present"][..., 1:] > 0, gains, np.inf).min(-1)


def trainability_of(measured: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the mean over blocks of 2 - s - 1 / s, s the largest singular value; -inf if a block does nothing."""
    products = measured["products"].astype(np.float64)
    finite = np.asarray(np.isfinite(products).all((-2, -1)))
    largest = np.linalg.norm(np.where(finite[..., None, None], products, 0), 2, (-2, -1))
    values = np.where(finite, 2 - largest - 1 / (largest + SMALLEST), np.nan)
    values = np.where(measured["unchanged"], -np.inf, values)
    there = measured["present"][..., 1:] > 0
    return np.where(there, values, 0).sum(-1) / np.maximum(there.sum(-1), 1)


AZ_EXPRESSIVITY = Proxy(
    "the entropy of the channels' principal components, summed over blocks (Lee and Ham 2024).", BLOCKS, expressivity_of
)
AZ_PROGRESSIVITY = Proxy(
    "the least gain of that entropy from a block to the next (Lee and Ham 2024).", BLOCKS, progressivity_of
)
AZ_TRAINABILITY = Proxy(
    "how well random gradients keep their length through each block (Lee and Ham 2024).", BLOCKS, trainability_of
)
