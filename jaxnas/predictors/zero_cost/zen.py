"""The Zen score: how much a small change of random inputs moves the last features of a network of random weights."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.predictors.zero_cost.base import Batch, log, tapped_shapes
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import Kernels, ScoredNetworks
from jaxnas.training.recorder import FEATURES, NORM

CITES = ("lin2021zen",)
CHANGE = 0.01


def measure_zen(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns the mean absolute change of the features, summed over them, and the sum of logs of norms' deviations.

    Inputs and kernels are standard normal; the change is 0.01 times such noise. The deviation at a normalization is the
    root of the mean over channels of the variance of its batch.
    """
    variables = networks.init(key, arch)
    drawn = normal_kernels(networks.kernels(arch), variables.parameters, jax.random.fold_in(key, 1))
    variables = variables._replace(parameters=drawn)
    first, more = batch.noise
    shape = tapped_shapes(networks, arch, variables, first, FEATURES)[0]

    def tap(kind: str, number: int, x: jax.Array, live: jax.Array | None) -> tuple[jax.Array, tuple]:
        features = x if live is None else jnp.where(live[:, None, None, None], x, 0)
        variance = _variance(x, live) if kind == NORM else 1.0
        return x, (features if kind == FEATURES else jnp.zeros(shape), jnp.log(variance) / 2)

    _, (features, deviations) = networks.tapped(variables, arch, first, tap)
    _, (changed, _) = networks.tapped(variables, arch, first + CHANGE * more, tap)
    return {"change": jnp.abs(features - changed).sum((0, 1, 2)).mean(), "deviations": deviations}


def _variance(x: jax.Array, live: jax.Array | None) -> jax.Array:
    """Returns the mean over channels of the variance of x [C, H, W, N]."""
    variances = jnp.var(x.reshape(len(x), -1), axis=1)
    return variances.mean() if live is None else jnp.where(live, variances, 0).sum() / live.sum()


def normal_kernels(kernels: Kernels, weights: Any, key: jax.Array) -> Any:
    """Returns the parameters with standard normal numbers instead of live kernels."""
    leaves, structure = jax.tree.flatten(weights)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        jax.random.normal(each_key, (each.size,)).reshape(each.shape)
        for each_key, each in zip(keys, leaves, strict=True)
    ]
    replaced = [
        jnp.where(live > 0, new, each)
        for live, new, each in zip(jax.tree.leaves(kernels.live), drawn, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, replaced)


NOISE = Pass("zen", measure_zen, inside=True)
ZEN = Proxy(
    "the log change of the last features when random inputs change a little, norms undone (Lin et al. 2021).",
    NOISE,
    lambda measured: log(measured["change"]) + measured["deviations"],
)
