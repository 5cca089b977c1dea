"""Transformers: counts, notation, and what layers compute against plain formulas."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.spaces.transformers import network
from jaxnas.spaces.transformers.networks import TransformerNetworks
from jaxnas.spaces.transformers.space import TRANSFORMER_SMALL, TRANSFORMER_TINY, TransformerSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.recorder import SILENT

SPACE = TransformerSpace(2, (4,), (1, 2), (3,), name="few-transformers")
TOKENS = TaskSpec("tokens", "class", (7,), 3, 5)


def test_classes_are_counted_by_their_layers():
    assert TRANSFORMER_TINY.num_architectures == 9 * 27**3
    assert TRANSFORMER_SMALL.num_architectures == 2 * 27**2
    assert len(np.unique(TRANSFORMER_TINY.classes())) == 3 * (27 + 27**2 + 27**3) == 61_317
    assert len(np.unique(TRANSFORMER_SMALL.classes())) == 756


def test_architectures_are_written_and_read():
    text = "48/2-64-attention/4-32-conv5"
    arch = TRANSFORMER_TINY.from_str(text)
    assert TRANSFORMER_TINY.to_str(arch) == text
    assert TRANSFORMER_TINY.decode(arch)["layers"][1] == {"heads": 4, "hidden": 32, "mixer": "conv5"}
    other = arch.at[-1].set(2)  # of a layer that is absent
    assert TRANSFORMER_TINY.to_str(other) == f"{text}+1-32-fourier"
    np.testing.assert_array_equal(TRANSFORMER_TINY.from_str(TRANSFORMER_TINY.to_str(other)), other)
    np.testing.assert_array_equal(TRANSFORMER_TINY.canonical(other), arch)
    labels, edges = TRANSFORMER_TINY.labeled(arch)
    assert (labels >= 0).sum() == 5
    assert edges.sum() == 4
    for wrong in ("", "48", "47/2-64-attention", "48/2-64", f"{text}+", "/".join([text] * 2), f"{text}+1-32-fft"):
        with pytest.raises(ValueError, match=r"Expected "):
            TRANSFORMER_TINY.from_str(wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": (3,)}, "Expected heads that divide each width"),
        ({"widths": (64, 32)}, "Expected widths of ascending ints"),
        ({"mixers": ("attention", "atention")}, "Did you mean attention"),
        ({"mixers": ()}, "Expected one or more different mixers"),
    ],
)
def test_impossible_spaces_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TransformerSpace(**arguments)


def arrays_of(width: int, seed: int = 0) -> dict:
    random = np.random.RandomState(seed)
    sizes = {"width": width, "heads": 2, "hidden": 6, "taps": network.TAPS}
    made = {name: random.randn(*(sizes[kind] for kind in kinds)) for name, kinds in network.IN_LAYER.items()}
    return {name: jnp.asarray(values, jnp.float32) for name, values in made.items()}


def test_attention_is_that_of_each_head():
    own, x = arrays_of(8), np.random.RandomState(1).randn(2, 5, 8).astype(np.float32)
    real = np.ones((2, 5), bool)
    real[1, 3:] = False
    in_head = np.repeat(np.eye(2, dtype=np.float32), 4, axis=1)
    found = network._attention(SILENT, own, jnp.asarray(in_head), 4, jnp.asarray(real), jnp.asarray(x))
    query, key, value = (x @ own[f"{name}_kernel"] + own[f"{name}_offset"] for name in ("query", "key", "value"))
    parts = []
    for part in (slice(0, 4), slice(4, 8)):
        scores = np.exp(query[..., part] @ np.swapaxes(key[..., part], 1, 2) / 2) * real[:, None]
        parts.append(scores / scores.sum(-1, keepdims=True) @ value[..., part])
    expected = np.concatenate(parts, -1) @ own["given_kernel"] + own["given_offset"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_fourier_transform_is_over_steps_and_over_the_numbers_of_each_head():
    x = np.random.RandomState(1).randn(2, 5, 8).astype(np.float32)
    in_head = jnp.repeat(jnp.eye(2), 4, axis=1)
    found = network._fourier(SILENT, {}, in_head, 4, jnp.ones((2, 5), bool), jnp.asarray(x))
    expected = np.concatenate([np.fft.fft2(x[..., part], axes=(1, 2)).real for part in (slice(4), slice(4, 8))], -1)
    np.testing.assert_allclose(found, expected / 20**0.5, atol=1e-5)


def test_the_convolution_has_a_kernel_for_each_head():
    own, x = arrays_of(8), np.random.RandomState(1).randn(1, 6, 8).astype(np.float32)
    in_head = jnp.repeat(jnp.eye(2), 4, axis=1)
    found = network._convolution(SILENT, own, in_head, 4, jnp.ones((1, 6), bool), jnp.asarray(x))
    value = x[0] @ own["value_kernel"] + own["value_offset"]
    columns = [np.convolve(value[:, each], own["taps_kernel"][::-1, each // 4], "same") for each in range(8)]
    expected = np.stack(columns, 1) @ own["given_kernel"] + own["given_offset"]
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4)


def test_steps_of_padding_change_nothing():
    """A sequence of four tokens and padding has the outputs of the network of four steps."""
    choice = network.decided(SPACE, SPACE.from_str("4/2-3-attention/1-3-conv5"))
    networks = TransformerNetworks(SPACE, TransformerNetworks.default, TOKENS)
    arrays = jax.jit(networks.init)(jax.random.key(0), SPACE.from_str("4/2-3-attention/1-3-conv5")).parameters
    outputs = jax.jit(functools.partial(network.outputs, SPACE), static_argnums=0)
    tokens = jnp.asarray([[0, 3, 1, 2, -1, -1, -1]])
    short = {**arrays, "positions": arrays["positions"][:4]}
    found = outputs(TOKENS._replace(shape=(4,)), choice, short, tokens[:, :4])
    np.testing.assert_allclose(outputs(TOKENS, choice, arrays, tokens), found, atol=1e-5)
    assert np.abs(found).max() > 0.01
