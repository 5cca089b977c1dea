"""Depthwise convolutions on float32[C, H, W, N], a kernel for each channel, fast on CPU.

XLA's CPU back end runs grouped convolutions slowly. By shift and multiply, each tap of a kernel multiplies a shifted
image, and a loop over the taps inside the image runs along the images of a batch, for any number of channels. For
small images, a product with a matrix for each channel is several times as fast, and so are its gradients.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

MAX_PRODUCT_PIXELS = 64


def multiply_depthwise(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Returns the result of `convolve_depthwise`; for images of up to `MAX_PRODUCT_PIXELS`, by matrix products."""
    channels, height, width, batch = x.shape
    if height * width > MAX_PRODUCT_PIXELS:
        return convolve_depthwise(x, kernel, stride)
    placed = _placed_taps(kernel.shape[0], height, width, stride)
    matrices = (kernel.reshape(-1, channels).T @ placed.reshape(len(placed), -1)).reshape(channels, *placed.shape[1:])
    found = jnp.einsum("cpq,cqn->cpn", matrices, x.reshape(channels, -1, batch))
    return found.reshape(channels, -(-height // stride), -(-width // stride), batch)


@functools.lru_cache(maxsize=64)
def _placed_taps(size: int, height: int, width: int, stride: int) -> np.ndarray:
    """Returns 1 if a tap of a kernel takes a pixel to a result pixel, else 0, float32[taps, pixels out, pixels in]."""

    def along(length: int) -> np.ndarray:
        results = np.arange(0, length, stride)[:, None]
        return (results + np.arange(-(size // 2), size // 2 + 1)[:, None, None] == np.arange(length)).astype(np.float32)

    placed = np.einsum("aih,bjw->abijhw", along(height), along(width))
    return placed.reshape(size * size, -1, height * width)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve_depthwise(x: jax.Array, kernel: jax.Array, stride: int = 1, dilation: int = 1) -> jax.Array:
    """Returns the convolution of each channel of x [C, H, W, N] with its own kernel, padded to keep the size.

    Args:
        kernel: [k, k, C], k odd.
        stride: the result is [C, ceil(H / stride), ceil(W / stride), N].
        dilation: the distance of a kernel's taps.
    """
    height, width = (-(-size // stride) for size in x.shape[1:3])
    padded = _padded(x, kernel, dilation)
    taps = _taps(kernel.shape[0], dilation, *x.shape[1:3])
    terms = [
        _shifted(padded, row, column, height, width, stride, dilation) * kernel[row, column][:, None, None, None]
        for row, column in taps
    ]
    return functools.reduce(jnp.add, terms)


def _forward(
    x: jax.Array, kernel: jax.Array, stride: int, dilation: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve_depthwise(x, kernel, stride, dilation), (x, kernel)


def _backward(
    stride: int, dilation: int, residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradient of x is a convolution of the gradient, spread by the stride, with the turned kernel."""
    x, kernel = residuals
    spread = _spread(gradient, x.shape[1], x.shape[2], stride)
    gradient_x = convolve_depthwise(spread, kernel[::-1, ::-1], 1, dilation)
    return gradient_x, _gradient_kernel(x, kernel, gradient, stride, dilation)


convolve_depthwise.defvjp(_forward, _backward)


def _gradient_kernel(x: jax.Array, kernel: jax.Array, gradient: jax.Array, stride: int, dilation: int) -> jax.Array:
    """Returns the gradient of the kernel, 0 for taps that are always outside of the image."""
    size, (channels, height, width, batch) = kernel.shape[0], gradient.shape
    padded = _padded(x, kernel, dilation)
    inside = _taps(size, dilation, *x.shape[1:3])
    # Sums over pixels keep the images of a batch apart: sums along contiguous memory would be one long chain.
    products = [
        (_shifted(padded, row, column, height, width, stride, dilation) * gradient).sum((1, 2))
        for row, column in inside
    ]
    sums = jnp.stack(products).reshape(-1, batch) @ jnp.ones(batch, x.dtype)
    found = dict(zip(inside, jnp.unstack(sums.reshape(-1, channels)), strict=True))
    zero = jnp.zeros(channels, x.dtype)
    return jnp.stack([found.get((row, column), zero) for row in range(size) for column in range(size)]).reshape(
        kernel.shape
    )


def _taps(size: int, dilation: int, height: int, width: int) -> list[tuple[int, int]]:
    """Returns the taps of a kernel that some pixel of an image reads inside of it."""
    reach = size // 2

    def inside(length: int) -> list[int]:
        return [tap for tap in range(size) if abs(tap - reach) * dilation < length]

    return [(row, column) for row in inside(height) for column in inside(width)]


def _padded(x: jax.Array, kernel: jax.Array, dilation: int) -> jax.Array:
    """Returns x with zeros around, as far as a tap inside reaches; joined from whole blocks of memory."""
    reach = kernel.shape[0] // 2 * dilation
    for axis in (2, 1):
        shape = (*x.shape[:axis], reach, *x.shape[axis + 1 :])
        zeros = jnp.zeros(shape, x.dtype)
        x = jnp.concatenate([zeros, x, zeros], axis)
    return x


def _shifted(
    padded: jax.Array, row: int, column: int, height: int, width: int, stride: int, dilation: int
) -> jax.Array:
    """Returns the pixel that a tap of the kernel reads for each pixel of the result, [C, height, width, N]."""
    channels, batch = padded.shape[0], padded.shape[3]
    start = (0, row * dilation, column * dilation, 0)
    stop = (channels, start[1] + (height - 1) * stride + 1, start[2] + (width - 1) * stride + 1, batch)
    return lax.slice(padded, start, stop, (1, stride, stride, 1))


def _spread(gradient: jax.Array, height: int, width: int, stride: int) -> jax.Array:
    """Returns the gradient with zeros between its pixels, [C, height, width, N]."""
    for axis, size in ((1, height), (2, width)):
        if stride > 1:
            parts = [gradient, *[jnp.zeros_like(gradient)] * (stride - 1)]
            shape = (*gradient.shape[:axis], gradient.shape[axis] * stride, *gradient.shape[axis + 1 :])
            gradient = lax.slice_in_dim(jnp.stack(parts, axis + 1).reshape(shape), 0, size, axis=axis)
    return gradient
