"""Products in bfloat16: exactly what rounding their factors gives, and never without a name."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL_MLP, make_task
from helpers.tiny_kind import TINY_KIND

import jaxnas as jn
from jaxnas.tables.building.plan import make_plan
from jaxnas.training.config import BFLOAT16, FLOAT32, TrainConfig, config_from_dict, config_to_dict
from jaxnas.training.experimental.precision import with_products_in
from jaxnas.training.trainer import Trainer

RANDOM = np.random.RandomState(0)
WEIGHTS = jnp.asarray(RANDOM.randn(4, 4), jnp.float32)


def rounded(values):
    return jnp.asarray(values).astype(jnp.bfloat16).astype(jnp.float32)


@jax.custom_vjp
def product(a, b):
    return a @ b


product.defvjp(lambda a, b: (a @ b, (a, b)), lambda kept, change: (change @ kept[1].T, kept[0].T @ change))


def network(weights, which, images, multiply=jnp.matmul, ruled=product):
    """Multiplies in a loop, in a branch, in a function of its own, in one with a derivative of its own."""

    def step(x, _):
        x = jax.lax.switch(which, [lambda x: multiply(x, weights), lambda x: ruled(x, weights), jnp.sin], x)
        return jnp.tanh(x) + jax.jit(multiply)(x, weights), x.sum()

    x, sums = jax.lax.scan(jax.checkpoint(step), images, None, length=3)
    return (x * x).sum() + sums.sum()


def with_gradient(weights, which, images):
    return jax.value_and_grad(network)(weights, which, images)


@jax.custom_vjp
def by_hand(a, b):
    return rounded(a) @ rounded(b)


def _backward(kept, change):
    a, b = map(rounded, kept)
    return rounded(change) @ b.T, a.T @ rounded(change)


by_hand.defvjp(lambda a, b: (by_hand(a, b), (a, b)), _backward)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_factors_are_rounded_wherever_they_are_multiplied_and_nothing_else_is(which):
    images = jnp.asarray(RANDOM.randn(3, 4), jnp.float32)
    expected = jax.value_and_grad(network)(WEIGHTS, which, images, by_hand, by_hand)
    found = jax.jit(with_products_in(BFLOAT16, with_gradient))(WEIGHTS, which, images)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == jnp.float32
        np.testing.assert_allclose(one, other, rtol=2e-5)
    exact = with_gradient(WEIGHTS, which, images)
    assert abs(found[0] - exact[0]) > 1e-4 * abs(exact[0])
    assert with_products_in(FLOAT32, with_gradient) is with_gradient


def test_convolutions_are_rounded_and_whole_numbers_are_not():
    images, kernel = RANDOM.randn(1, 6, 6, 2).astype(np.float32), RANDOM.randn(3, 3, 2, 2).astype(np.float32)

    def convolved(images, kernel):
        form = ("NHWC", "HWIO", "NHWC")
        counts = jnp.arange(3000).reshape(1, -1) @ jnp.ones((3000, 1), jnp.int32)
        return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=form), counts

    found, counts = with_products_in(BFLOAT16, convolved)(images, kernel)
    np.testing.assert_allclose(found, convolved(rounded(images), rounded(kernel))[0], rtol=1e-5, atol=1e-5)
    assert int(counts[0, 0]) == 2999 * 1500


@pytest.fixture(scope="module")
def vectors():
    random = np.random.RandomState(0)
    labels = np.arange(60) % 3
    return jn.task_from_arrays(random.randn(60, 5) + labels[:, None], labels, name="vectors")


def test_a_recipe_in_bfloat16_trains_otherwise_and_says_so(vectors):
    config = TrainConfig(num_epochs=2, batch_size=8, learning_rate=0.05)
    trainers = {name: Trainer(TINY_KIND, vectors, replace(config, precision=name)) for name in (FLOAT32, BFLOAT16)}
    exact, found = (trainers[name].curves([[0], [1]], [0, 1]) for name in (FLOAT32, BFLOAT16))
    assert np.isfinite(found.loss).all()
    assert found.loss.dtype == np.float32
    assert (found.first_loss != exact.first_loss).all()
    np.testing.assert_allclose(found.first_loss, exact.first_loss, rtol=0.02)
    assert "precision" not in config_to_dict(config)
    described = trainers[BFLOAT16].description()
    assert (described["config"]["precision"], described["plan"]) == (
        BFLOAT16,
        f"{trainers[FLOAT32].description()['plan']}-bfloat16",
    )
    assert config_from_dict(described["config"], config).precision == BFLOAT16
    names = [{chunk.name for chunk in make_plan(each, 1).chunks} for each in trainers.values()]
    assert not names[0] & names[1]  # no shard of one is one of the other


def test_what_cannot_train_in_bfloat16_refuses_it(vectors):
    config = TrainConfig(batch_size=8, precision=BFLOAT16)
    with pytest.raises(ValueError, match=r"^Expected a precision of float32 for .*, in which its plan switch-seq"):
        Trainer(SMALL_MLP, vectors, config)
    with pytest.raises(ValueError, match=r"^Did you mean .*Expected a precision of bfloat16, float32, got 'bfloat'"):
        TrainConfig(precision="bfloat")
    with pytest.raises(ValueError, match=r"^Expected a config in float32, in which proxies are computed"):
        jn.proxies.proxy_scores(TINY_KIND, [[0]], vectors, "snip", config)
    with pytest.raises(ValueError, match=r"^Expected a config in float32, in which supernets are trained"):
        jn.OneShot("nb201", make_task(), "rsps", config=replace(config, network=None), table=False)
