"""Operations of an activation, a convolution and a normalisation are what their names say."""

import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells.operations import OPERATIONS


def test_they_are_an_activation_a_convolution_and_a_normalisation():
    x = np.random.RandomState(0).randn(2, 4, 3, 5).astype(np.float32)
    scale, bias, kernel = np.asarray([2.0, 3.0]), np.asarray([-1.0, 0.5]), np.eye(2, dtype=np.float32)
    parameters = {"kernel": jnp.asarray(kernel), "scale": jnp.asarray(scale), "bias": jnp.asarray(bias)}
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
