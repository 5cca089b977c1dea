"""Convolution, batch normalisation and pooling of one network on float32[N, H, W, C], fast on CPU under `jax.vmap`
over trainings.

`jax.vmap` of a convolution over kernels becomes a grouped convolution, which XLA's CPU back end runs 100 to 200
times slower than the same arithmetic as one matrix product. So the convolution of a narrow image is written as a
product with a Toeplitz matrix of its kernel.
"""

import functools

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
    """Returns the 3x3 convolution of x [N, H, W, C] with kernel [3, 3, C, D] and padding 1.

    The result is [N, ceil(H / stride), ceil(W / stride), D].
    """
    form = convolution_form(*x.shape[1:3])
    if form == "full":
        return _convolve_full_toeplitz(x, kernel, stride)
    if form == "row":
        return _convolve_row_toeplitz(x, kernel, stride)
    return _convolve_direct(stride, x, kernel)


def convolve_pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the 1x1 convolution of x [N, H, W, C] with kernel [C, D]: [N, H, W, D]."""
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], kernel.shape[-1])


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
    """One product of [N * rows, 3 * W * C] with the Toeplitz matrix of the kernel along the width."""
    batch, height, width, channels = x.shape
    taps = _tap_positions(width, stride)
    rows_out, width_out = -(-height // stride), taps.shape[2]
    matrix = jnp.einsum("jpq,ijcd->ipcqd", taps, kernel).reshape(3 * width * channels, -1)
    padded = jnp.pad(x.reshape(batch, height, width * channels), ((0, 0), (1, 1), (0, 0)))
    last = (rows_out - 1) * stride + 1
    rows = jnp.concatenate([padded[:, i : i + last : stride] for i in range(3)], axis=-1)
    return (rows.reshape(batch * rows_out, -1) @ matrix).reshape(batch, rows_out, width_out, -1)


def _convolve_full_toeplitz(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """One product of [N, H * W * C] with the Toeplitz matrix of the kernel over the whole image."""
    batch, height, width, channels = x.shape
    rows, columns = _tap_positions(height, stride), _tap_positions(width, stride)
    height_out, width_out = rows.shape[2], columns.shape[2]
    taps = np.einsum("iyr,jxs->ijyxrs", rows, columns).reshape(9, height * width, height_out * width_out)
    matrix = jnp.einsum("tpq,tcd->pcqd", taps, kernel.reshape(9, channels, -1)).reshape(height * width * channels, -1)
    return (x.reshape(batch, -1) @ matrix).reshape(batch, height_out, width_out, -1)


def _lax_convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve_direct(stride: int, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the convolution of `lax.conv_general_dilated`.

    Under `jax.vmap` it is one call a training instead of a grouped convolution, forward and backward.
    """
    return _sequential(functools.partial(_lax_convolution, stride=stride))(x, kernel)


def _convolve_direct_forward(stride, x, kernel):
    return _convolve_direct(stride, x, kernel), (x, kernel)


def _convolve_direct_backward(stride, residuals, gradient):
    def pullback(x, kernel, gradient):
        return jax.vjp(functools.partial(_lax_convolution, stride=stride), x, kernel)[1](gradient)

    return _sequential(pullback)(*residuals, gradient)


_convolve_direct.defvjp(_convolve_direct_forward, _convolve_direct_backward)


def _sequential(function):
    return jax.custom_batching.sequential_vmap(function)


def _channel_sums(x: jax.Array) -> jax.Array:
    """Returns the sums over all but the last axis.

    They are taken in two steps, so that the first runs over whole vectors of W * C values.
    """
    batch, height, width, channels = x.shape
    return x.reshape(batch * height, width * channels).sum(0).reshape(width, channels).sum(0)


def _scale_and_shift(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """Returns x * scale + shift with [C] vectors, over rows of W * C values."""
    batch, height, width, channels = x.shape
    rows = x.reshape(batch * height, width * channels)
    return (rows * jnp.tile(scale, width) + jnp.tile(shift, width)).reshape(x.shape)


@jax.custom_vjp
def _normalize_batch(x: jax.Array, scale: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns x normalised by its batch's statistics, scaled and shifted; and the batch's mean and variance."""
    return _normalize_batch_forward(x, scale, bias)[0]


def _normalize_batch_forward(x, scale, bias):
    count = x.size // x.shape[-1]
    mean = _channel_sums(x) / count
    variance = jnp.maximum(_channel_sums(x * x) / count - mean * mean, 0)
    inverse = lax.rsqrt(variance + EPSILON)
    factor = scale * inverse
    y = _scale_and_shift(x, factor, bias - mean * factor)
    return (y, mean, variance), (x, scale, mean, inverse)


def _normalize_batch_backward(residuals, gradients):
    x, scale, mean, inverse = residuals
    gradient = gradients[0]  # the statistics are kept, not differentiated
    count = x.size // x.shape[-1]
    gradient_bias = _channel_sums(gradient)
    gradient_scale = (_channel_sums(gradient * x) - mean * gradient_bias) * inverse
    factor = scale * inverse
    slope = -factor * inverse * gradient_scale / count
    offset = -factor * gradient_bias / count - slope * mean
    width = x.shape[2]
    rows = (x.shape[0] * x.shape[1], width * x.shape[3])
    gradient_x = (
        gradient.reshape(rows) * jnp.tile(factor, width)
        + x.reshape(rows) * jnp.tile(slope, width)
        + jnp.tile(offset, width)
    )
    return gradient_x.reshape(x.shape), gradient_scale, gradient_bias


_normalize_batch.defvjp(_normalize_batch_forward, _normalize_batch_backward)


def batch_norm(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    """Returns batch normalisation (Ioffe & Szegedy, ICML 2015) of x [N, H, W, C], and the statistics it used.

    In training, x is normalised by the mean and variance of its own batch, otherwise by the given ones.
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
    batch, height, width, channels = x.shape
    rows = jnp.pad(x.reshape(batch, height, width * channels), ((0, 0), (1, 1), (0, 0)))
    sums = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    padded = jnp.pad(sums, ((0, 0), (0, 0), (channels, channels)))
    span = width * channels
    sums = padded[:, :, :span] + padded[:, :, channels : channels + span] + padded[:, :, 2 * channels :]
    weights = _inverse_counts(height)[:, None] * np.repeat(_inverse_counts(width), channels)[None]
    return (sums * weights).reshape(x.shape)


def halve(x: jax.Array) -> jax.Array:
    """Returns the mean over 2x2 windows with stride 2, [N, ceil(H / 2), ceil(W / 2), C].

    A window over the edge is the mean of the pixels inside.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        padding = [(0, size % 2 if position == axis else 0) for position in range(4)]
        pairs = jnp.pad(x, padding).reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
        counts = np.full(pairs.shape[axis], 2, np.float32)
        counts[-1] -= size % 2
        x = pairs.sum(axis + 1) / counts.reshape(-1, *[1] * (3 - axis))
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
