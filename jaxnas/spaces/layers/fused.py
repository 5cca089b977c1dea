"""Activation, convolution and normalization as one operation: the 27 blocks of the cells of hierarchical NAS-Bench-201.

Schrodi et al., "Construction of Hierarchical Neural Architecture Search Spaces based on Context-free Grammars", NeurIPS
2023. Layer normalization has a scale and a shift for each channel here, theirs for each pixel, too.
"""

import functools
import itertools
from collections.abc import Callable

import jax

from jaxnas.spaces.layers import convolution, feature_maps
from jaxnas.spaces.layers.base import Activated, Operation
from jaxnas.spaces.layers.depthwise import convolve_depthwise

ACTIVATIONS = {"relu": jax.nn.relu, "hardswish": jax.nn.hard_swish, "mish": jax.nn.mish}
CONVOLUTIONS = ("conv3x3", "conv1x1", "dconv3x3")
NORMALIZATIONS = ("batch", "instance", "layer")
KERNEL = "taps_kernel"
"""It comes after the arrays of normalization in the order of names: they have the same place for all convolutions."""


def _convolved(function: Callable, x: jax.Array, parameters: dict) -> jax.Array:
    return function(x, parameters[KERNEL])


def _over(axes: tuple[int, ...], x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple:
    """Returns x [C, H, W, N] normalized over some axes of each image, by its own mean and variance at any time."""
    del train
    mean = x.mean(axes, keepdims=True)
    centered = x - mean
    y = centered * jax.lax.rsqrt((centered * centered).mean(axes, keepdims=True) + feature_maps.EPSILON)
    scale, bias = (parameters[name][:, None, None, None] for name in ("scale", "bias"))
    return y * scale + bias, statistics


def _init(kind: str, averages: bool, key: jax.Array, num_channels: int) -> tuple[dict, dict]:
    parameters, statistics = feature_maps.init_batch_norm(num_channels)
    if kind == "dconv3x3":
        kernel = feature_maps.kaiming_normal(key, (3, 3, 1, num_channels)).reshape(3, 3, num_channels)
    else:
        size = (3, 3) if kind == "conv3x3" else ()
        kernel = feature_maps.kaiming_normal(key, (*size, num_channels, num_channels))
    return {KERNEL: kernel, **parameters}, statistics if averages else {}


def _num_flops(kind: str, num_channels: int, height: int, width: int) -> int:
    taps = {"conv3x3": 9 * num_channels, "conv1x1": num_channels, "dconv3x3": 9}[kind]
    return taps * num_channels * height * width


_LINEAR: dict[str, Callable] = {
    "conv3x3": functools.partial(_convolved, convolution.convolve),
    "conv1x1": functools.partial(_convolved, convolution.convolve_pointwise),
    "dconv3x3": functools.partial(_convolved, convolve_depthwise),
}
_INITS = {key: functools.partial(_init, *key) for key in itertools.product(CONVOLUTIONS, (True, False))}
_NORMS: dict[str, Callable] = {
    "batch": feature_maps.batch_norm,
    "instance": functools.partial(_over, (1, 2)),
    "layer": functools.partial(_over, (0, 1, 2)),
}


def _fused(activation: str, kind: str, normalization: str) -> Operation:
    return Operation(
        f"{activation}_{kind}_{normalization}",
        _NORMS[normalization],
        _INITS[kind, normalization == "batch"],
        Activated(ACTIVATIONS[activation], _LINEAR[kind], KERNEL),
        functools.partial(_num_flops, kind),
        rectifies=True,
    )


FUSED = tuple(
    _fused(activation, kind, normalization)
    for activation in ACTIVATIONS
    for kind in CONVOLUTIONS
    for normalization in NORMALIZATIONS
)
"""The 27 blocks, named such as `relu_conv3x3_batch`."""
