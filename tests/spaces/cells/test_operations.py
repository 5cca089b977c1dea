"""Contract of operations, and the fast layers against plain formulas."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import NB201, SMALL
from jax import lax
from jax.test_util import check_grads

from jaxnas.spaces.cells import edges
from jaxnas.spaces.layers import OPERATIONS, convolution, feature_maps
from jaxnas.spaces.layers.base import IDENTITY, ZERO, Operation, as_operation

FUSED = ("mish_dconv3x3_instance", "hardswish_conv1x1_layer")
"""Two of 27, with what the operations of `nb201` do not have."""
CONTRACT = {operation.name: operation for operation in (*NB201.operations, SMALL.operations[-1])}
CONTRACT |= {name: OPERATIONS[name] for name in FUSED}
SHAPE = (2, 5, 4, 3)  # channels, height, width, images

over_operations = pytest.mark.parametrize("operation", CONTRACT.values(), ids=CONTRACT)


def normal(seed: int, shape) -> jax.Array:
    return jnp.asarray(np.random.RandomState(seed).standard_normal(shape))


def arrays(operation: Operation, seed: int = 1) -> tuple[dict, dict]:
    """Returns arrays as after some training: initial ones have scales of 1 and shifts of 0, which hides errors."""
    random = np.random.RandomState(seed)
    made = operation.arrays(jax.random.key(seed), SHAPE[0])
    return jax.tree.map(lambda value: value + random.uniform(0.1, 0.5, value.shape).astype(value.dtype), made)


@over_operations
@pytest.mark.parametrize("train", [False, True])
def test_operations_keep_shapes_and_compile_to_the_same(operation, train):
    x, (parameters, statistics) = normal(0, SHAPE), arrays(operation)
    y, changed = operation(x, parameters, statistics, train)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert jax.tree.map(jnp.shape, changed) == jax.tree.map(jnp.shape, statistics)
    compiled = jax.jit(operation, static_argnums=3)(x, parameters, statistics, train)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5), (y, changed), compiled)


@over_operations
def test_only_training_changes_statistics(operation):
    x, (parameters, statistics) = normal(0, SHAPE), arrays(operation)
    evaluated = operation(x, parameters, statistics, False)[1]
    jax.tree.map(np.testing.assert_array_equal, evaluated, statistics)
    trained = operation(x, parameters, statistics, True)[1]
    assert all(not np.allclose(trained[name], statistics[name]) for name in statistics)


@over_operations
@pytest.mark.parametrize("train", [False, True])
def test_gradients_of_operations_are_finite_differences(operation, train):
    with jax.enable_x64(True):
        x, (parameters, statistics) = normal(0, SHAPE), arrays(operation)
        assert x.dtype == jnp.float64

        def apply(x, parameters):
            return operation(x, parameters, statistics, train)[0]

        gradients = jax.grad(lambda *inputs: (apply(*inputs) ** 2).sum(), (0, 1))(x, parameters)
        assert all(np.isfinite(gradient).all() for gradient in jax.tree.leaves(gradients))
        check_grads(apply, (x, parameters), order=1, modes=["rev"], eps=1e-6, rtol=1e-6, atol=1e-6)


@over_operations
def test_parameters_fit_an_edge_and_come_back(operation):
    parameters, statistics = arrays(operation)
    shapes = edges.array_shapes(operation, SHAPE[0])
    sizes = edges.slot_sizes(tuple(CONTRACT.values()), SHAPE[0])
    for values, shape, size in zip((parameters, statistics), shapes, sizes, strict=True):
        vector = edges.pack(values, size)
        assert vector.shape == (size,)
        jax.tree.map(np.testing.assert_array_equal, edges.unpack(vector, shape), values)


def test_roles_are_what_operations_do():
    x = normal(0, SHAPE)
    for operation in CONTRACT.values():
        y = operation(x, *arrays(operation), False)[0]
        assert (operation.role == ZERO) == bool((y == 0).all())
        assert (operation.role == IDENTITY) == bool((y == x).all())


def test_a_function_is_an_operation_without_arrays():
    def double(x, parameters, statistics, train):
        return 2 * x, statistics

    operation = as_operation(double)
    assert operation.name == "double"
    assert operation.arrays(jax.random.key(0), 4) == ({}, {})
    assert operation.num_flops(4, 8, 8) == 0
    assert as_operation(operation) is operation
    with pytest.raises(ValueError, match=r"^Expected an operation: .*, got 'double'"):
        as_operation("double")


def test_a_function_is_given_images_first():
    def first_image(x, parameters, statistics, train):
        return jnp.broadcast_to(x[:1], x.shape), statistics

    x = normal(0, SHAPE)
    y, _ = as_operation(first_image)(x, {}, {}, False)
    np.testing.assert_array_equal(y, jnp.broadcast_to(x[..., :1], SHAPE))
    assert as_operation(first_image) == as_operation(first_image)


def reference_convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    padding = ((kernel.shape[0] // 2,) * 2, (kernel.shape[1] // 2,) * 2)
    return lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=("CHWN", "HWIO", "CHWN"))


def assert_close(found, expected):
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4), found, expected)


def value_and_gradients(function, stride: int):
    def call(x, kernel):
        y, pullback = jax.vjp(lambda x, kernel: function(x, kernel, stride), x, kernel)
        return y, pullback(jnp.cos(3 * y))

    return jax.jit(call)


SIZES = [(1, 1), (1, 4), (2, 2), (3, 3), (4, 4), (5, 2), (6, 7), (9, 8)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("form", ["full", "row", "direct"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_form_of_convolution_is_the_convolution(size, form, stride, monkeypatch):
    monkeypatch.setattr(convolution, "convolution_form", lambda height, width: form)
    x, kernel = normal(0, (3, *size, 2)), normal(1, (3, 3, 3, 5))

    found, expected = (
        value_and_gradients(function, stride)(x, kernel) for function in (convolution.convolve, reference_convolution)
    )
    assert_close(found, expected)


def second_derivatives(function, *inputs):
    """Returns the gradients of a norm of the gradients: differentiation in reverse, twice."""

    def norm(*inputs):
        gradients = jax.grad(lambda *inputs: jnp.sin(function(*inputs)).sum(), tuple(range(len(inputs))))(*inputs)
        return sum(jnp.square(gradient).sum() for gradient in gradients)

    return jax.jit(jax.grad(norm, tuple(range(len(inputs)))))(*inputs)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("form", ["full", "row", "direct"])
def test_convolutions_are_differentiated_twice(form, stride, monkeypatch):
    monkeypatch.setattr(convolution, "convolution_form", lambda height, width: form)
    with jax.enable_x64(True):
        inputs = normal(0, (2, 4, 3, 2)), normal(1, (3, 3, 2, 3)) / 3
        found, expected = (
            second_derivatives(lambda x, kernel, function=function: function(x, kernel, stride), *inputs)
            for function in (convolution.convolve, reference_convolution)
        )
        assert_equal_to_ten_digits(found, expected)


def assert_equal_to_ten_digits(found, expected) -> None:
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10), found, expected)


def test_pointwise_convolutions_batch_norm_and_pools_are_differentiated_twice():

    def pointwise(x, kernel):
        return reference_convolution(x, kernel[None, None], 1)

    def norm(x, scale, bias):
        return feature_maps.batch_norm(x, {"scale": scale, "bias": bias}, {}, True)[0]

    with jax.enable_x64(True):
        x, kernel, scale, bias = normal(0, (2, 4, 6, 3)), normal(1, (2, 3)), normal(2, (2,)), normal(3, (2,))
        pairs = [
            (convolution.convolve_pointwise, pointwise, (x, kernel)),
            (norm, naive_batch_norm, (x, scale, bias)),
            (feature_maps.average_pool, lambda x: window_means(x, 3, 1, ((1, 1), (1, 1))), (x,)),
            (feature_maps.halve, lambda x: window_means(x, 2, 2, ((0, 0), (0, 0))), (x,)),
        ]
        for ours, plain, inputs in pairs:
            assert_equal_to_ten_digits(second_derivatives(ours, *inputs), second_derivatives(plain, *inputs))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("form", ["full", "row", "direct"])
def test_vmap_over_kernels_is_a_loop_without_grouped_convolutions(form, stride, monkeypatch):
    monkeypatch.setattr(convolution, "convolution_form", lambda height, width: form)
    xs, kernels = normal(0, (3, 3, 5, 4, 2)), normal(1, (3, 3, 3, 3, 4))

    ours, reference = (
        value_and_gradients(function, stride) for function in (convolution.convolve, reference_convolution)
    )
    expected = [reference(x, kernel) for x, kernel in zip(xs, kernels, strict=True)]
    assert_close(jax.jit(jax.vmap(ours))(xs, kernels), jax.tree.map(lambda *values: jnp.stack(values), *expected))
    shared = jax.jit(jax.vmap(lambda kernel: convolution.convolve(xs[0], kernel, stride)))(kernels)
    assert_close(shared, jnp.stack([reference_convolution(xs[0], kernel, stride) for kernel in kernels]))
    # XLA's CPU back end runs grouped convolutions a hundred times slower
    program, naive = (str(jax.make_jaxpr(jax.vmap(function))(xs, kernels)) for function in (ours, reference))
    assert "feature_group_count=3" in naive
    assert program.count("feature_group_count") == program.count("feature_group_count=1")


def test_the_form_of_convolution_goes_by_the_size():
    forms = [convolution.convolution_form(*size) for size in [(2, 2), (3, 3), (4, 4), (32, 8), (8, 9), (32, 32)]]
    assert forms == ["full", "full", "row", "row", "direct", "direct"]


def test_pointwise_convolution_is_the_convolution():
    x, kernel = normal(0, (3, 4, 3, 2)), normal(1, (3, 5))
    assert_close(convolution.convolve_pointwise(x, kernel), reference_convolution(x, kernel[None, None], 1))


def naive_batch_norm(x, scale, bias):
    x = jnp.moveaxis(x, 0, -1)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return jnp.moveaxis(scale * (x - mean) / jnp.sqrt(variance + feature_maps.EPSILON) + bias, -1, 0)


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (3, 1, 1, 6), (1, 2, 2, 1)])
def test_batch_norm_is_the_plain_formula_with_its_gradients(shape):
    x, scale, bias = 1 + 2 * normal(0, shape), normal(1, shape[:1]), normal(2, shape[:1])
    statistics = {"mean": normal(3, shape[:1]), "variance": jnp.exp(normal(4, shape[:1]))}

    def ours(x, scale, bias):
        return feature_maps.batch_norm(x, {"scale": scale, "bias": bias}, statistics, True)[0]

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradients(function, *inputs):
        y, pullback = jax.vjp(function, *inputs)
        return y, pullback(jnp.cos(x))

    found, expected = (value_and_gradients(function, x, scale, bias) for function in (ours, naive_batch_norm))
    assert_close(found, expected)


def test_training_returns_the_statistics_of_the_batch_and_evaluation_uses_the_given_ones():
    x = 1 + 2 * normal(0, SHAPE)
    parameters = {"scale": normal(1, SHAPE[:1]), "bias": normal(2, SHAPE[:1])}
    statistics = {"mean": normal(3, SHAPE[:1]), "variance": jnp.exp(normal(4, SHAPE[:1]))}
    of_batch = feature_maps.batch_norm(x, parameters, statistics, True)[1]
    assert_close(of_batch["mean"], x.mean((1, 2, 3)))
    assert_close(of_batch["variance"], x.var((1, 2, 3)))
    evaluated, unchanged = feature_maps.batch_norm(x, parameters, statistics, False)
    assert unchanged is statistics
    normal_x = (jnp.moveaxis(x, 0, -1) - statistics["mean"]) / jnp.sqrt(statistics["variance"] + feature_maps.EPSILON)
    assert_close(jnp.moveaxis(evaluated, 0, -1), normal_x * parameters["scale"] + parameters["bias"])


def window_means(x: jax.Array, size: int, stride: int, padding) -> jax.Array:
    """Returns means over windows, of the pixels inside the image."""

    def total(values):
        padded = ((0, 0), *padding, (0, 0))
        return lax.reduce_window(values, 0.0, lax.add, (1, size, size, 1), (1, stride, stride, 1), padded)

    return total(x) / total(jnp.ones_like(x))


@pytest.mark.parametrize("size", list(itertools.product([1, 2, 3, 6], [1, 2, 5])), ids=str)
def test_pools_are_means_over_the_pixels_inside(size):
    x = normal(0, (2, *size, 3))
    odd = [(0, length % 2) for length in size]

    def plain(x):
        return window_means(x, 3, 1, ((1, 1), (1, 1))), window_means(x, 2, 2, odd)

    @functools.partial(jax.jit, static_argnums=0)
    def pools_and_gradients(function, x):
        found, pullback = jax.vjp(function, x)
        return found, pullback(jax.tree.map(jnp.cos, found))

    ours = pools_and_gradients(lambda x: (feature_maps.average_pool(x), feature_maps.halve(x)), x)
    assert_close(ours, pools_and_gradients(plain, x))


def test_initial_weights_have_the_variance_of_kaiming():
    weights = feature_maps.kaiming_normal(jax.random.key(0), (3, 3, 40, 50))
    assert weights.shape == (3, 3, 40, 50)
    assert abs(float(weights.mean())) < 1e-3
    np.testing.assert_allclose(weights.var(), 2 / (9 * 40), rtol=0.03)
