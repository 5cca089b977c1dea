"""Bayesian linear regression on the last hidden layer of a network."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_function, checked_size
from jaxnas.predictors import networks
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, standardized
from jaxnas.predictors.gaussian import GaussianState, process
from jaxnas.predictors.linear import LINEAR, RATIOS
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

CITES = ("snoek2015scalable",)
BATCH_SIZE = 32


class AdaptiveBasis(NamedTuple):
    """The layers of the network, and the regression on its last hidden layer."""

    layers: networks.Layers
    regression: GaussianState


@functools.cache
def dngo(
    space: Space, *, width: int = 50, num_layers: int = 3, num_steps: int = 600, encoding: Encoding | None = None
) -> Predictor:
    """Returns Bayesian linear regression on the features that a network has learned.

    Snoek et al., "Scalable Bayesian Optimization Using Deep Neural Networks", ICML 2015, with prior and noise of
    largest evidence over a grid rather than marginalized.

    Args:
        width, num_layers: units of each hidden layer, and how many there are.
        num_steps: of training by AdamW.
        encoding: of architectures; `one_hot` by default.
    """
    sizes = {"width": width, "num_layers": num_layers, "num_steps": num_steps}
    for name, size in sizes.items():
        checked_size(name, size)
    encode = one_hot(space) if encoding is None else checked_function("encoding", encoding)
    fit_linear, predict_linear = process(LINEAR, RATIOS)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> AdaptiveBasis:
        targets, known, _ = standardized(y)
        inputs = jnp.where(known[:, None], jnp.asarray(features), 0)
        layers = networks.trained(
            jax.random.fold_in(key, 0),
            networks.new_layers(key, [inputs.shape[1], *[width] * num_layers, 1]),
            lambda layers, rows: networks.outputs(layers, inputs[rows])[:, 0],
            targets,
            known,
            num_steps=num_steps,
            batch_size=BATCH_SIZE,
            learning_rate=0.01,
        )
        return AdaptiveBasis(layers, fit_linear(key, networks.hidden(layers, inputs), y, aux))

    def predict(state: AdaptiveBasis, features: Array, aux: Aux) -> Prediction:
        return predict_linear(state.regression, networks.hidden(state.layers, jnp.asarray(features)), aux)

    hyperparameters = (*sizes.items(), ("encoding", encoding))
    return Predictor("dngo", encode, fit, predict, hyperparameters=hyperparameters)
