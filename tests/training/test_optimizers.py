"""Adam and the largest norm of a gradient, against NumPy; what configurations write of them."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.tasks.base import Split
from jaxnas.tasks.goals import GOALS
from jaxnas.training import loop
from jaxnas.training.config import TrainConfig, config_from_dict, config_to_dict
from jaxnas.training.networks import Applied, Variables

RANDOM = np.random.RandomState(1)
X, Y = RANDOM.randn(2, 4, 3).astype(np.float32), (5 + RANDOM.randn(2, 4)).astype(np.float32)


def trained(config):
    """Returns the weights [B, 3, 1] of two linear regressions, trained side by side, each on its own inputs."""

    def apply(variables, inputs, mode):
        return Applied(inputs @ variables.parameters)

    def batches(number):
        return jnp.asarray(X)[None], jnp.asarray(Y)[None]

    splits = (Split(X[:1], Y[0]), Split(X[:1, :0], Y[0, :0]), Split(X[:1, :0], Y[0, :0]))
    start = Variables(jnp.zeros((2, 3, 1)))

    def evaluate(variables, inputs, mode):
        return apply(variables, inputs, mode)

    return loop.run(evaluate, start, GOALS["value"], batches, lambda inputs: inputs, config, splits)[1].parameters


def expected(config):
    """Returns the same by NumPy: one step an epoch, all four examples at once."""
    found = []
    for x, y in zip(X.astype(float), Y.astype(float), strict=True):
        weights, mean, square = np.zeros(3), np.zeros(3), np.zeros(3)
        for step in range(config.num_epochs):
            gradient = 2 * x.T @ (x @ weights - y) / len(x)
            if config.clip is not None:
                gradient *= min(1, config.clip / np.linalg.norm(gradient))
            rate = config.learning_rate * 0.5 * (1 + np.cos(np.pi * step / config.num_epochs))
            if config.optimizer == "adam":
                mean = config.momentum * mean + (1 - config.momentum) * gradient
                square = 0.999 * square + 0.001 * gradient**2
                corrected = mean / (1 - config.momentum ** (step + 1)), square / (1 - 0.999 ** (step + 1))
                change = corrected[0] / (np.sqrt(corrected[1]) + 1e-8) + config.weight_decay * weights
            else:
                gradient = gradient + config.weight_decay * weights
                mean = config.momentum * mean + gradient
                change = gradient + config.momentum * mean
            weights = weights - rate * change
        found.append(weights)
    return np.asarray(found)[..., None]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_trainings_side_by_side_take_the_steps_of_the_optimizer_each_with_its_own_norm(optimizer, clip):
    config = TrainConfig(5, 4, 0.05, optimizer=optimizer, clip=clip, weight_decay=0.01)
    np.testing.assert_allclose(trained(config), expected(config), rtol=1e-4, atol=1e-6)


def test_configurations_write_only_what_is_not_as_it_always_was():
    config = TrainConfig()
    assert set(config_to_dict(config)) == {
        "num_epochs",
        "batch_size",
        "learning_rate",
        "momentum",
        "weight_decay",
        "network",
    }
    other = dataclasses.replace(config, optimizer="adam", clip=1.0, test="last")
    assert config_from_dict(config_to_dict(other), config) == other


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "adamw"}, "Did you mean adam.*Expected an optimizer of adam, sgd, got 'adamw'"),
        ({"clip": 0.0}, "Expected clip to be a number above 0, got 0.0"),
    ],
)
def test_wrong_optimizers_are_refused(fields, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        TrainConfig(**fields)
