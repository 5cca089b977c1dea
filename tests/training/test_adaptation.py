"""Learning rate and weight decay that follow their hypergradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.tiny_kind import TINY_KIND

import jaxnas as jn
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.cells.plans import in_packs
from jaxnas.training.config import TrainConfig, config_to_dict
from jaxnas.training.experimental.adaptation import adaptive_sgd
from jaxnas.training.recipe import Recipe
from jaxnas.training.trainer import Trainer

CURVATURES = jnp.asarray([1.0, 4.0])


def loss(parameters):
    return (CURVATURES * parameters**2).sum() / 2


def descended(optimizer, num_steps, start):
    state, parameters = optimizer.init(start), start
    for _ in range(num_steps):
        updates, state = optimizer.update(jax.grad(loss)(parameters), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    return parameters, state


def test_without_a_step_it_is_plain_sgd():
    schedule = optax.cosine_decay_schedule(1.0, 20)
    found, state = descended(adaptive_sgd(Recipe(0.1, 0.9, 0.01), schedule, 0.0), 7, jnp.ones(2))
    scaled = lambda count: 0.1 * schedule(count)  # noqa: E731
    plain = optax.chain(optax.add_decayed_weights(0.01), optax.sgd(scaled, momentum=0.9, nesterov=True))
    np.testing.assert_allclose(found, descended(plain, 7, jnp.ones(2))[0], rtol=1e-5)
    assert (state.log_rate, state.log_decay) == (0, 0)


def test_hypergradients_are_those_of_differences():
    """Of the loss after two steps with respect to what the first one was taken with, up to its norm."""

    def after(log_rate, log_decay):
        parameters = jnp.asarray([1.0, -2.0])
        slope = jax.grad(loss)(parameters) + 0.3 * jnp.exp(log_decay) * parameters
        return loss(parameters - 0.2 * jnp.exp(log_rate) * slope)

    _, state = descended(adaptive_sgd(Recipe(0.2, 0.0, 0.3), lambda count: 1.0, 0.5), 2, jnp.asarray([1.0, -2.0]))
    by_rate, by_decay = jax.grad(after, (0, 1))(0.0, 0.0)
    moved = jnp.asarray([1.0, -2.0]) - 0.2 * (CURVATURES + 0.3) * jnp.asarray([1.0, -2.0])
    gradient, direction = CURVATURES * moved, (CURVATURES + 0.3) * jnp.asarray([1.0, -2.0])
    norms = jnp.linalg.norm(gradient) * jnp.linalg.norm(direction)
    assert float(state.log_rate) == pytest.approx(float(-0.5 * by_rate / 0.2 / norms), rel=1e-5)
    assert np.sign(state.log_decay) == -np.sign(by_decay)


@pytest.mark.parametrize(("rate", "rises"), [(0.001, True), (0.6, False)])
def test_a_rate_that_is_too_small_rises_and_one_that_is_too_large_falls(rate, rises):
    _, state = descended(adaptive_sgd(Recipe(rate, 0.0, 0.0), lambda count: 1.0, 0.05), 30, jnp.ones(2))
    assert (state.log_rate > 0.5) if rises else (state.log_rate < -0.05)


def test_networks_are_trained_with_it_and_others_are_refused():
    generator = np.random.default_rng(0)
    task = jn.task_from_arrays(generator.normal(size=(60, 5)), generator.integers(0, 3, 60), name="points")
    config = TrainConfig(num_epochs=2, batch_size=8, adaptation=0.1)
    adapted = Trainer(TINY_KIND, task, config).curves([[0]], [0, 1])
    plain = Trainer(TINY_KIND, task, dataclasses.replace(config, adaptation=0.0)).curves([[0]], [0, 1])
    np.testing.assert_array_equal(adapted.first_loss, plain.first_loss)
    assert (adapted.loss != plain.loss).all()
    assert config_to_dict(config)["adaptation"] == 0.1
    assert "adaptation" not in config_to_dict(TrainConfig())
    with pytest.raises(ValueError, match="plan sequential"):
        next(in_packs(CellNetworks(jn.NB201, config, None), np.zeros((1, 6), int), None, None))
    with pytest.raises(ValueError, match="without clip or adaptation"):
        Trainer(jn.MLPSpace(2, 16), task, dataclasses.replace(config, network=None)).curves([[0] * 7])
    with pytest.raises(ValueError, match=r"from 0 to below 1, got 1\.5"):
        TrainConfig(adaptation=1.5)
    with pytest.raises(ValueError, match="Expected sgd for"):
        TrainConfig(adaptation=0.1, optimizer="adam")
