"""The baselines of every proxy: parameters, multiply-accumulates, and layers with kernels."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.predictors.zero_cost.base import Batch
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.training.networks import ScoredNetworks

CITES = ()


def measure_layers(networks: ScoredNetworks, arch: jax.Array, key: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Returns how many convolutions and linear maps the network of an architecture has."""
    kernels = networks.kernels(arch)
    numbers = jnp.concatenate([jnp.ravel(each) for each in jax.tree.leaves(kernels.layer)])
    return {
        "layers": jnp.zeros(kernels.num_layers, bool)
        .at[numbers]
        .set(True, mode="drop", wrap_negative_indices=False)
        .sum()
    }


LAYERS = Pass("layers", measure_layers, inside=True)
SIZES = Pass("sizes", lambda networks, arch, key, batch: {})
"""Nothing is measured: sizes follow from the architecture alone; `scores.proxy_scores` has them from the trainer."""

PARAMS = Proxy("the number of parameters.", SIZES, lambda measured: measured["num_parameters"])
FLOPS = Proxy("the multiply-accumulates for one example.", SIZES, lambda measured: measured["num_flops"])
N_CONV = Proxy(
    "the number of convolutions and linear maps, those outside of cells included.",
    LAYERS,
    lambda measured: np.asarray(measured["layers"], np.float64),
)
