"""Proxies of the signs of the inputs of activation functions: codes of examples and of units."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost.base import Batch, log
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks
from jaxnas.training.recorder import RECTIFIER

CITES = ("mellor2021neural", "peng2024swapnas", "chen2021tenas")
CODE_BITS = 16
"""Examples whose signs are the code of a unit."""
SINGULAR = 1e-10
NUM_SEGMENTS, NUM_STEPS, SEGMENT = 8, 16, 0.05
"""Segments from one example towards another, steps on each, and the share of the way that they go."""


def measure_forward(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns statistics of the signs at the activation functions of a network.

    `agreement` [B, B]: the number of signs that two examples share. `patterns`: the number of different codes of
    units, each the signs of 16 examples. `regions`: the number of regions of equal signs on a short segment from one
    example towards another, the mean over eight segments; there normalization is the identity of a fresh network.
    """
    variables = networks.init(key, arch)

    def tap(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, tuple]:
        if kind != RECTIFIER:
            return x, (jnp.zeros((x.shape[-1],) * 2), jnp.zeros(1 << CODE_BITS, bool))
        return x, (agreement(x, live), codes(x, live))

    _, (agree, seen) = networks.tapped(variables, arch, batch.inputs, tap)
    ways = jnp.linspace(0, SEGMENT, NUM_STEPS + 1)[:, None]
    starts, ends = (batch.inputs[part].reshape(NUM_SEGMENTS, 1, -1) for part in _ends(len(batch.inputs)))
    points = (starts + ways * (ends - starts)).reshape(-1, *batch.inputs.shape[1:])
    _, hashes = networks.tapped(variables, arch, points, hashed, "evaluate")
    hashes = hashes.reshape(2, NUM_SEGMENTS, NUM_STEPS + 1)
    changes = (hashes[..., 1:] != hashes[..., :-1]).any(0)
    return {"agreement": agree, "patterns": seen.sum(), "regions": 1 + changes.sum() / NUM_SEGMENTS}


def _ends(num_examples: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.arange(2 * NUM_SEGMENTS) % num_examples
    return numbers[:NUM_SEGMENTS], numbers[NUM_SEGMENTS:]


def agreement(x: jax.Array, live: jax.Array | None) -> jax.Array:
    """Returns how many signs of x [C, H, W, N] two examples have in common, [N, N]."""
    there = jnp.ones(len(x)) if live is None else live.astype(x.dtype)
    signs = (jnp.where(x > 0, 1.0, -1.0) * there[:, None, None, None]).reshape(-1, x.shape[-1])
    return (signs.T @ signs + there.sum() * x.shape[1] * x.shape[2]) / 2


def codes(x: jax.Array, live: jax.Array | None) -> jax.Array:
    """Returns which codes units of x [C, H, W, N] have, bool[2 ** 16]: the signs of the first 16 examples."""
    signs = (x[..., :CODE_BITS] > 0).astype(jnp.int32)
    found = (signs << jnp.arange(signs.shape[-1])).sum(-1)
    if live is not None:
        found = jnp.where(live[:, None, None], found, 1 << CODE_BITS)  # which is dropped
    return jnp.zeros(1 << CODE_BITS, bool).at[found.reshape(-1)].set(True, mode="drop")


def hashed(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """The tap of a hash of the signs of each example, uint32[2, N]: sums of random odd numbers, one for each unit."""
    if kind != RECTIFIER:
        return x, jnp.zeros((2, x.shape[-1]), jnp.uint32)
    there = (x > 0) if live is None else (x > 0) & live[:, None, None, None]
    size = int(np.prod(x.shape[:3]))
    weights = np.random.default_rng([number, size]).integers(0, 2**32, (2, size), np.uint32) | np.uint32(1)
    signs = there.reshape(size, -1).astype(jnp.uint32)
    return x, jnp.stack([(signs * each[:, None]).sum(0, dtype=jnp.uint32) for each in jnp.asarray(weights)])


FORWARD = Pass("forward", measure_forward, inside=True)


def nwot_of(found: np.ndarray) -> np.ndarray:
    """Returns log |det| of matrices of agreement [..., B, B]; -inf if |det| is 0, as with two examples of equal signs.

    The matrix is positive semi-definite; an eigenvalue below 1e-10 of the largest is 0 except for rounding.
    """
    finite = np.isfinite(found).all((-2, -1))
    values = np.linalg.eigvalsh(np.where(finite[..., None, None], found, 0).astype(np.float64))
    singular = values[..., 0] <= SINGULAR * values[..., -1]
    logs = log(np.where(singular[..., None], 1, values)).sum(-1)
    return np.where(finite, np.where(singular, -np.inf, logs), np.nan)


def distance_of(found: np.ndarray) -> np.ndarray:
    """Returns the mean share of signs in which two examples differ, of matrices of agreement [..., B, B]."""
    num_examples, most = found.shape[-1], found[..., 0, 0].astype(np.float64)
    with np.errstate(invalid="ignore"):
        return (1 - found.sum((-2, -1), dtype=np.float64) / most / num_examples**2) * num_examples / (num_examples - 1)


NWOT = Proxy(
    "log |det| of how many signs at activations each two examples share (Mellor et al. 2021).",
    FORWARD,
    lambda measured: nwot_of(measured["agreement"]),
)
RELU_DISTANCE = Proxy(
    "the mean share of signs at activations in which two examples differ: nwot's idea without its size.",
    FORWARD,
    lambda measured: distance_of(measured["agreement"]),
)
SWAP = Proxy(
    "the number of different patterns of signs that units have over 16 examples (Peng et al. 2024).",
    FORWARD,
    lambda measured: measured["patterns"],
)
LINEAR_REGIONS = Proxy(
    "the number of linear regions on short segments between examples (after Chen, Gong and Wang 2021).",
    FORWARD,
    lambda measured: measured["regions"],
)
