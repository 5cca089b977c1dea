"""Batch normalization, pooling and initial weights of one network on float32[C, H, W, N], fast on CPU.

The images of a batch are side by side: every element-wise step and every reduction runs along contiguous memory, for
any number of channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

EPSILON = 1e-5


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
    """Returns x normalized by its batch's statistics, scaled and shifted; and the batch's mean and variance."""
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
    """Returns batch normalization (Ioffe & Szegedy, ICML 2015) of x [C, H, W, N], and the statistics it used.

    In training, x is normalized with the mean and variance of its batch, otherwise with the given ones.
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


@jax.custom_vjp
def average_pool(x: jax.Array) -> jax.Array:
    """Returns the mean over each pixel's 3x3 window, of the pixels inside the image, stride 1."""
    return _window_sums(_window_sums(x, 2), 1) * _inverse_areas(x)


def _average_pool_forward(x: jax.Array) -> tuple[jax.Array, None]:
    return average_pool(x), None


def _average_pool_backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
    """The windows that hold a pixel are the windows around the pixels in the window of that pixel."""
    return (_window_sums(_window_sums(gradient * _inverse_areas(gradient), 2), 1),)


average_pool.defvjp(_average_pool_forward, _average_pool_backward)


def _window_sums(x: jax.Array, axis: int) -> jax.Array:
    """Returns the sums over windows of three along an axis, of the positions inside.

    Sums of slices are joined: padding would be copied number by number.
    """
    size = x.shape[axis]
    if size == 1:
        return x

    def part(start: int, stop: int) -> jax.Array:
        return lax.slice_in_dim(x, start, stop, axis=axis)

    first, last = part(0, 1) + part(1, 2), part(size - 2, size - 1) + part(size - 1, size)
    if size == 2:
        return lax.concatenate([first, last], axis)
    middle = part(0, size - 2) + part(1, size - 1) + part(2, size)
    return lax.concatenate([first, middle, last], axis)


def _inverse_areas(x: jax.Array) -> np.ndarray:
    """Returns 1 / (number of pixels inside) for the 3x3 window around each pixel, [H, W, 1] of the type of x."""
    rows, columns = (_num_inside(size) for size in x.shape[1:3])
    return (1 / (rows[:, None, None] * columns[:, None])).astype(x.dtype)


def _num_inside(size: int) -> np.ndarray:
    """Returns how many positions of the window of three around each position along an axis are inside."""
    counts = np.full(size, 3)
    counts[0] -= 1
    counts[-1] -= 1
    return counts


def halve(x: jax.Array) -> jax.Array:
    """Returns the mean over 2x2 windows with stride 2, [C, ceil(H / 2), ceil(W / 2), N].

    A window over the edge is the mean of the pixels inside.
    """
    if x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0:
        return _halve_even(x)
    for axis in (1, 2):
        size = x.shape[axis]
        padding = [(0, size % 2 if position == axis else 0) for position in range(4)]
        padded = jnp.pad(x, padding)
        first, second = (lax.slice_in_dim(padded, start, None, 2, axis) for start in range(2))
        counts = np.full(first.shape[axis], 2, np.float32)
        counts[-1] -= size % 2
        x = (first + second) / counts.reshape(-1, *[1] * (3 - axis))
    return x


@jax.custom_vjp
def _halve_even(x: jax.Array) -> jax.Array:
    """Returns the mean over 2x2 windows of an image of even height and width, in one pass over memory."""
    channels, height, width, batch = x.shape
    x = x.reshape(channels, height // 2, 2, width // 2, 2, batch)
    return ((x[:, :, 0, :, 0] + x[:, :, 1, :, 0]) + (x[:, :, 0, :, 1] + x[:, :, 1, :, 1])) * 0.25


def _halve_even_forward(x: jax.Array) -> tuple[jax.Array, None]:
    return _halve_even(x), None


def _halve_even_backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
    channels, height, width, batch = gradient.shape
    spread = jnp.broadcast_to((gradient * 0.25)[:, :, None, :, None], (channels, height, 2, width, 2, batch))
    return (spread.reshape(channels, 2 * height, 2 * width, batch),)


_halve_even.defvjp(_halve_even_forward, _halve_even_backward)


def kaiming_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns normal weights with variance 2 / fan-in (He et al., ICCV 2015).

    Fan-in is the product of all axes but the last.
    """
    values = jax.random.normal(
        key, (int(np.prod(shape)),)
    )  # drawn flat: with four axes, XLA takes eight times as long to compile
    return values.reshape(shape) * np.sqrt(2 / np.prod(shape[:-1])).astype(np.float32)
