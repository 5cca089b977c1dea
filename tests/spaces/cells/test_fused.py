"""Operations of an activation, a convolution and a normalization are what their names say."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells import edges, shown
from jaxnas.spaces.cells.hierarchical import HIERARCHICAL_CELL
from jaxnas.spaces.layers import OPERATIONS, fused
from jaxnas.training.recorder import Recorder


def test_they_are_an_activation_a_convolution_and_a_normalization():
    x = np.random.RandomState(0).randn(2, 4, 3, 5).astype(np.float32)
    scale, bias, kernel = np.asarray([2.0, 3.0]), np.asarray([-1.0, 0.5]), np.eye(2, dtype=np.float32)
    parameters = {fused.KERNEL: jnp.asarray(kernel), "scale": jnp.asarray(scale), "bias": jnp.asarray(bias)}
    activated = {"relu": np.maximum(x, 0), "hardswish": x * np.clip(x + 3, 0, 6) / 6}
    activated["mish"] = x * np.tanh(np.log1p(np.exp(x)))
    for activation, expected in activated.items():
        for name, axes in (("instance", (1, 2)), ("layer", (0, 1, 2))):
            found, statistics = OPERATIONS[f"{activation}_conv1x1_{name}"](x, parameters, {}, True)
            spread = expected - expected.mean(axes, keepdims=True)
            normal = spread / np.sqrt(expected.var(axes, keepdims=True) + 1e-5)
            np.testing.assert_allclose(
                found, normal * scale[:, None, None, None] + bias[:, None, None, None], atol=1e-4
            )
            assert statistics == {}


def test_many_operations_are_chosen_part_by_part():
    """The switches of parts give what one switch of operations gives, and its gradients."""
    names = ("none", "skip_connect", "avg_pool_3x3", "relu_conv3x3_batch", "mish_conv1x1_batch", "relu_dconv3x3_layer")
    operations, random = tuple(OPERATIONS[name] for name in names), np.random.RandomState(0)
    x, gradient = random.randn(2, 2, 3, 2, 4).astype(np.float32)
    parameters, statistics = (random.uniform(0.5, 1, size) for size in edges.slot_sizes(operations, 2))

    def measured(passes):
        run, pull_back = passes(operations, 2, True)

        @jax.jit
        def both(index, *arrays):
            y, changed, kept = run(index, *arrays)
            return y, changed, *pull_back(index, *arrays, kept, gradient)

        return [both(index, x, jnp.asarray(parameters), jnp.asarray(statistics)) for index in range(len(names))]

    for found, expected in zip(measured(edges._by_parts), measured(edges._whole), strict=True):
        for each, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(each, other, rtol=1e-4, atol=1e-5)


def test_many_operations_show_their_inner_arrays_part_by_part():
    """The switches of parts show what the branches of operations show, and go on with what a tap returns."""
    names = ("none", "nor_conv_3x3", "avg_pool_3x3", "relu_conv3x3_batch", "mish_conv1x1_batch", "relu_dconv3x3_layer")
    operations, random = tuple(OPERATIONS[name] for name in names), np.random.RandomState(0)
    x = jnp.asarray(random.randn(2, 3, 2, 4), jnp.float32)
    arrays = [jnp.asarray(random.uniform(0.5, 1, size), jnp.float32) for size in edges.slot_sizes(operations, 2)]

    def tap(kind, number, x, live):
        place = ["rectifier", "linear", "norm"].index(kind)
        return 1.1 * x, jnp.zeros(3).at[place].set((1 + number) * (x * x).sum())

    def measured(passes):
        run = jax.jit(passes(operations, 2, True, Recorder(tap, 4), [5, 7, 9]))
        return [run(index, x, *arrays) for index in range(len(names))]

    alone = measured(shown._alone)
    assert [(np.asarray(found) > 0).astype(int).tolist() for _, found in alone] == [
        [0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 0],
    ]  # fmt: skip
    for found, expected in zip(measured(shown._by_parts), alone, strict=True):
        jax.tree.map(lambda *pair: np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-5), found, expected)


def test_the_hierarchical_cell_has_thirty_operations_on_six_edges():
    assert HIERARCHICAL_CELL.num_architectures == 30**6
    assert len({operation.name for operation in HIERARCHICAL_CELL.operations}) == 30
