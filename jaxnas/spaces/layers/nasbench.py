"""The five operations of NAS-Bench-201 (Dong & Yang, ICLR 2020), under their official names."""

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers import convolution, feature_maps
from jaxnas.spaces.layers.base import IDENTITY, ZERO, Operation


def _zero(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    return jnp.zeros_like(x), statistics


def _skip(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    return x, statistics


def _convolution_1x1(x: jax.Array, parameters: dict) -> jax.Array:
    return convolution.convolve_pointwise(jax.nn.relu(x), parameters["kernel"])


def _convolution_3x3(x: jax.Array, parameters: dict) -> jax.Array:
    return convolution.convolve(jax.nn.relu(x), parameters["kernel"])


def _average_pool(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    return feature_maps.average_pool(x), statistics


def _init_1x1(key: jax.Array, num_channels: int) -> tuple[dict, dict]:
    parameters, statistics = feature_maps.init_batch_norm(num_channels)
    return {"kernel": feature_maps.kaiming_normal(key, (num_channels, num_channels)), **parameters}, statistics


def _init_3x3(key: jax.Array, num_channels: int) -> tuple[dict, dict]:
    parameters, statistics = feature_maps.init_batch_norm(num_channels)
    return {"kernel": feature_maps.kaiming_normal(key, (3, 3, num_channels, num_channels)), **parameters}, statistics


def _flops_1x1(num_channels: int, height: int, width: int) -> int:
    return height * width * num_channels**2


def _flops_3x3(num_channels: int, height: int, width: int) -> int:
    return 9 * height * width * num_channels**2


NONE = Operation("none", _zero, role=ZERO)
SKIP_CONNECT = Operation("skip_connect", _skip, role=IDENTITY)
NOR_CONV_1X1 = Operation(
    "nor_conv_1x1", feature_maps.batch_norm, _init_1x1, _convolution_1x1, _flops_1x1, rectifies=True
)
NOR_CONV_3X3 = Operation(
    "nor_conv_3x3", feature_maps.batch_norm, _init_3x3, _convolution_3x3, _flops_3x3, rectifies=True
)
AVG_POOL_3X3 = Operation("avg_pool_3x3", _average_pool)
