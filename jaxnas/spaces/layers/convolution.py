"""Convolutions of one network on float32[C, H, W, N], fast on CPU.

The images of a batch are side by side: every matrix product runs along contiguous memory for any number of channels.

A convolution of a narrow image is a product with a Toeplitz matrix of its kernel: XLA's CPU back end runs its own
convolutions of few channels slowly, and under `jax.vmap` over kernels 100 to 200 times slower than the same arithmetic
as one product.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

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
    if form == "direct":
        return _one_by_one(functools.partial(_lax_convolution, stride=stride))(x, kernel)
    _, height, width, batch = x.shape
    if form == "full":
        columns, matrix = x.reshape(-1, batch), _full_matrix(kernel, height, width, stride)
    else:
        columns, matrix = _columns(x, stride), _row_matrix(kernel, height, stride)
    return _product(matrix, columns).reshape(-1, -(-height // stride), -(-width // stride), batch)


def convolve_pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the 1x1 convolution of x [C, H, W, N] with kernel [C, D]: [D, H, W, N]."""
    return _product(kernel.T, x.reshape(x.shape[0], -1)).reshape(-1, *x.shape[1:])


@jax.custom_vjp
def _product(matrix: jax.Array, columns: jax.Array) -> jax.Array:
    """Returns the product of a small matrix with long columns.

    Its gradients are products whose long axis is contiguous on both sides. Differentiation would choose others, along
    strided axes, and transpose the columns.
    """
    return matrix @ columns


def _product_forward(matrix: jax.Array, columns: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _product(matrix, columns), (matrix, columns)


def _product_backward(residuals: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    matrix, columns = residuals
    gradient_matrix = lax.dot_general(columns, gradient, (((1,), (1,)), ((), ()))).T
    return gradient_matrix, lax.dot_general(matrix, gradient, (((0,), (0,)), ((), ())))


_product.defvjp(_product_forward, _product_backward)


def _placed(kernel: jax.Array, axis: int, size: int, output: int, stride: int) -> jax.Array:
    """Returns a kernel's three taps along an axis of `size` positions, placed at the inputs that an output reads."""
    start = output * stride - 1
    first, stop = max(-start, 0), min(3, size - start)
    padding = [(0, 0)] * kernel.ndim
    padding[axis] = (start + first, size - start - stop)
    return jnp.pad(lax.slice_in_dim(kernel, first, stop, axis=axis), padding)


def _row_matrix(kernel: jax.Array, height: int, stride: int) -> jax.Array:
    """Returns the Toeplitz matrix of a kernel [3, 3, C, D] along the height, [D * rows out, 3 * C * rows in].

    It is made of padded kernels: a product with a constant would take three times as long.
    """
    kernel = jnp.transpose(kernel, (3, 1, 2, 0))
    rows = [_placed(kernel, 3, height, output, stride) for output in range(-(-height // stride))]
    return jnp.stack(rows, axis=1).reshape(kernel.shape[0] * len(rows), -1)


def _full_matrix(kernel: jax.Array, height: int, width: int, stride: int) -> jax.Array:
    """Returns the Toeplitz matrix of a kernel [3, 3, C, D] over the whole image, [D * pixels out, C * pixels in]."""
    kernel = jnp.transpose(kernel, (3, 2, 0, 1))
    pixels = []
    for row in range(-(-height // stride)):
        placed = _placed(kernel, 2, height, row, stride)
        pixels += [_placed(placed, 3, width, column, stride) for column in range(-(-width // stride))]
    return jnp.stack(pixels, axis=1).reshape(kernel.shape[0] * len(pixels), -1)


def _columns(x: jax.Array, stride: int) -> jax.Array:
    """Returns the pixels that three taps along the width read, [3 * C * H, columns * N]; 0 outside the image."""
    channels, height, width, batch = x.shape
    rows = channels * height
    if stride == 1 and width > 1:
        return _neighbors(x.reshape(rows, width * batch), batch)
    last = (-(-width // stride) - 1) * stride + 1
    padded = jnp.pad(x.reshape(rows, width, batch), ((0, 0), (1, 1), (0, 0)))
    return jnp.concatenate([padded[:, tap : tap + last : stride] for tap in range(3)]).reshape(3 * rows, -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _neighbors(x: jax.Array, batch: int) -> jax.Array:
    """Returns the left neighbors, the pixels and the right neighbors of rows of pixels [R, W * batch], one below
    another.

    Whole blocks of memory are joined; padding and slices would be copied number by number, and so would the sums that
    differentiation makes of them.
    """
    zeros = jnp.zeros((len(x), batch), x.dtype)
    left = jnp.concatenate([zeros, x[:, :-batch]], axis=1)
    right = jnp.concatenate([x[:, batch:], zeros], axis=1)
    return jnp.concatenate([left, x, right])


def _neighbors_forward(x: jax.Array, batch: int) -> tuple[jax.Array, None]:
    return _neighbors(x, batch), None


def _neighbors_backward(batch: int, _: None, gradient: jax.Array) -> tuple[jax.Array]:
    left, here, right = jnp.split(gradient, 3)
    first = here[:, :batch] + left[:, batch : 2 * batch]
    middle = here[:, batch:-batch] + left[:, 2 * batch :] + right[:, : -2 * batch]
    last = here[:, -batch:] + right[:, -2 * batch : -batch]
    return (jnp.concatenate([first, middle, last], axis=1),)


_neighbors.defvjp(_neighbors_forward, _neighbors_backward)


def _one_by_one(function: Callable) -> Callable:
    """Returns a function of arrays that is called once for each training under `jax.vmap`, and so are its gradients.

    XLA's CPU back end runs the grouped convolutions that batching would make of them slowly.
    """

    @jax.custom_vjp
    def call(*inputs: jax.Array) -> Any:
        return jax.custom_batching.sequential_vmap(function)(*inputs)

    def forward(*inputs: jax.Array) -> tuple[Any, tuple[jax.Array, ...]]:
        return call(*inputs), inputs

    def backward(inputs: tuple[jax.Array, ...], gradient: Any) -> tuple[jax.Array, ...]:
        def pullback(gradient: Any, *inputs: jax.Array) -> tuple[jax.Array, ...]:
            return jax.vjp(function, *inputs)[1](gradient)

        return _one_by_one(pullback)(gradient, *inputs)

    call.defvjp(forward, backward)
    return call


def _lax_convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("CHWN", "HWIO", "CHWN")
    )
