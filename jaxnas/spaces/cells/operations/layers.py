"""Convolution, batch normalisation and pooling of one network on float32[C, H, W, N], fast on CPU.

The images of a batch lie side by side, so that every element-wise step, every reduction and every matrix product runs
along contiguous memory, whatever the number of channels.

A convolution of a narrow image is written as a product with a Toeplitz matrix of its kernel: XLA's CPU back end runs
its own convolutions of few channels slowly, and under `jax.vmap` over kernels 100 to 200 times slower than the same
arithmetic as one product.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

EPSILON = 1e-5

MAX_FULL_TOEPLITZ_PIXELS = 9
MAX_ROW_TOEPLITZ_WIDTH = 8


def convolution_form(height: int, width: int) -> str:
    """Returns how a 3x3 convolution of an image of this size is computed.

    `"full"` and `"row"` are Toeplitz products, the other form is `"direct"`.
    """
    if height * width <= MAX_FULL_TOEPLITZ_PIXELS:
        return "full"
    return "row" if width <= MAX_ROW_TOEPLITZ_WIDTH else "direct"


def convolve(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Returns the 3x3 convolution of x [C, H, W, N] with kernel [3, 3, C, D] and padding 1.

    The result is [D, ceil(H / stride), ceil(W / stride), N].
    """
    form = convolution_form(*x.shape[1:3])
    if form == "full":
        return _convolve_full_toeplitz(x, kernel, stride)
    if form == "row":
        return _convolve_row_toeplitz(x, kernel, stride)
    return _convolve_direct(stride, x, kernel)


def convolve_pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the 1x1 convolution of x [C, H, W, N] with kernel [C, D]: [D, H, W, N]."""
    return (kernel.T @ x.reshape(x.shape[0], -1)).reshape(-1, *x.shape[1:])


def _tap_positions(size: int, stride: int) -> np.ndarray:
    """Returns float32[3, size, ceil(size / stride)]: 1 where tap j of output position q reads input position p."""
    taps = np.zeros((3, size, -(-size // stride)), np.float32)
    for tap in range(3):
        for output in range(taps.shape[2]):
            position = output * stride + tap - 1
            if 0 <= position < size:
                taps[tap, position, output] = 1
    return taps


def _convolve_row_toeplitz(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """One product of the Toeplitz matrix of the kernel along the height with [3 * C * H, columns * N]."""
    channels, height, width, batch = x.shape
    taps = _tap_positions(height, stride)
    height_out, width_out = taps.shape[2], -(-width // stride)
    matrix = jnp.einsum("ipq,ijcd->dqjcp", taps, kernel).reshape(-1, 3 * channels * height)
    padded = jnp.pad(x.reshape(channels * height, width, batch), ((0, 0), (1, 1), (0, 0)))
    last = (width_out - 1) * stride + 1
    columns = jnp.concatenate([padded[:, j : j + last : stride] for j in range(3)])
    return (matrix @ columns.reshape(len(columns), -1)).reshape(-1, height_out, width_out, batch)


def _convolve_full_toeplitz(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """One product of the Toeplitz matrix of the kernel over the whole image with [C * H * W, N]."""
    channels, height, width, batch = x.shape
    rows, columns = _tap_positions(height, stride), _tap_positions(width, stride)
    height_out, width_out = rows.shape[2], columns.shape[2]
    taps = np.einsum("iyr,jxs->ijyxrs", rows, columns).reshape(9, height * width, height_out * width_out)
    matrix = jnp.einsum("tpq,tcd->dqcp", taps, kernel.reshape(9, channels, -1)).reshape(-1, channels * height * width)
    return (matrix @ x.reshape(-1, batch)).reshape(-1, height_out, width_out, batch)


def _lax_convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("CHWN", "HWIO", "CHWN")
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve_direct(stride: int, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the convolution of `lax.conv_general_dilated`.

    Under `jax.vmap` it is one call a training instead of a grouped convolution, forward and backward.
    """
    return _sequential(functools.partial(_lax_convolution, stride=stride))(x, kernel)


def _convolve_direct_forward(stride: int, x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return _convolve_direct(stride, x, kernel), (x, kernel)


def _convolve_direct_backward(
    stride: int, residuals: tuple[jax.Array, ...], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def pullback(x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.vjp(functools.partial(_lax_convolution, stride=stride), x, kernel)[1](gradient)

    return _sequential(pullback)(*residuals, gradient)


_convolve_direct.defvjp(_convolve_direct_forward, _convolve_direct_backward)


def _sequential(function: Callable) -> Callable:
    return jax.custom_batching.sequential_vmap(function)


def _channel_sums(x: jax.Array) -> jax.Array:
    """Returns the sums over all but the first axis."""
    return x.reshape(x.shape[0], -1).sum(1)


def _scale_and_shift(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """Returns x * scale + shift with [C] vectors."""
    return x * _per_channel(scale) + _per_channel(shift)


def _per_channel(vector: jax.Array) -> jax.Array:
    return vector[:, None, None, None]


@jax.custom_vjp
def _normalize_batch(x: jax.Array, scale: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns x normalised by its batch's statistics, scaled and shifted; and the batch's mean and variance."""
    return _normalize_batch_forward(x, scale, bias)[0]


def _normalize_batch_forward(
    x: jax.Array, scale: jax.Array, bias: jax.Array
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], tuple[jax.Array, ...]]:
    count = x.size // x.shape[0]
    mean = _channel_sums(x) / count
    variance = jnp.maximum(_channel_sums(x * x) / count - mean * mean, 0)
    inverse = lax.rsqrt(variance + EPSILON)
    factor = scale * inverse
    y = _scale_and_shift(x, factor, bias - mean * factor)
    return (y, mean, variance), (x, scale, mean, inverse)


def _normalize_batch_backward(
    residuals: tuple[jax.Array, ...], gradients: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, scale, mean, inverse = residuals
    gradient = gradients[0]  # the statistics are kept, not differentiated
    count = x.size // x.shape[0]
    gradient_bias = _channel_sums(gradient)
    gradient_scale = (_channel_sums(gradient * x) - mean * gradient_bias) * inverse
    factor = scale * inverse
    slope = -factor * inverse * gradient_scale / count
    offset = -factor * gradient_bias / count - slope * mean
    gradient_x = gradient * _per_channel(factor) + x * _per_channel(slope) + _per_channel(offset)
    return gradient_x, gradient_scale, gradient_bias


_normalize_batch.defvjp(_normalize_batch_forward, _normalize_batch_backward)


def batch_norm(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    """Returns batch normalisation (Ioffe & Szegedy, ICML 2015) of x [C, H, W, N], and the statistics it used.

    In training, x is normalised with the mean and variance of its batch, otherwise with the given ones.
    """
    if train:
        y, mean, variance = _normalize_batch(x, parameters["scale"], parameters["bias"])
        return y, {"mean": mean, "variance": variance}
    factor = parameters["scale"] * lax.rsqrt(statistics["variance"] + EPSILON)
    return _scale_and_shift(x, factor, parameters["bias"] - statistics["mean"] * factor), statistics


def init_batch_norm(num_channels: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of `batch_norm`."""
    zeros, ones = jnp.zeros(num_channels), jnp.ones(num_channels)
    return {"scale": ones, "bias": zeros}, {"mean": zeros, "variance": ones}


def average_pool(x: jax.Array) -> jax.Array:
    """Returns the mean over each pixel's 3x3 window, of the pixels inside the image, stride 1."""
    padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    sums = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
    padded = jnp.pad(sums, ((0, 0), (1, 1), (0, 0), (0, 0)))
    sums = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return sums * (_inverse_counts(x.shape[1])[:, None, None] * _inverse_counts(x.shape[2])[:, None])


def halve(x: jax.Array) -> jax.Array:
    """Returns the mean over 2x2 windows with stride 2, [C, ceil(H / 2), ceil(W / 2), N].

    A window over the edge is the mean of the pixels inside.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        padding = [(0, size % 2 if position == axis else 0) for position in range(4)]
        padded = jnp.pad(x, padding)
        first, second = (lax.slice_in_dim(padded, start, None, 2, axis) for start in range(2))
        counts = np.full(first.shape[axis], 2, np.float32)
        counts[-1] -= size % 2
        x = (first + second) / counts.reshape(-1, *[1] * (3 - axis))
    return x


def _inverse_counts(size: int) -> np.ndarray:
    """Returns 1 / (number of positions inside) for each window of three along an axis."""
    return (1 / _tap_positions(size, 1).sum((0, 1))).astype(np.float32)


def kaiming_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns normal weights with variance 2 / fan-in (He et al., ICCV 2015).

    Fan-in is the product of all axes but the last.
    """
    values = jax.random.normal(
        key, (int(np.prod(shape)),)
    )  # drawn flat: with four axes, XLA takes eight times as long to compile
    return values.reshape(shape) * np.sqrt(2 / np.prod(shape[:-1])).astype(np.float32)
