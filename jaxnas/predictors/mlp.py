"""Small networks on features: an ensemble of them, and a linear regression on the last hidden layer of one."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_sizes
from jaxnas.predictors import networks
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, Scale, checked_encoding, standardized, unscaled
from jaxnas.predictors.gaussian import LINEAR, RATIOS, GaussianState, process
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding

CITES = {"mlp": ("lakshminarayanan2017simple", "white2021bananas"), "dngo": ("snoek2015scalable",)}
LEARNING_RATE = 0.01
"""The first of AdamW with a cosine schedule, on minibatches of 32."""


class EnsembleState(NamedTuple):
    """The layers of M networks, with a leading axis, and the scale of the scores."""

    layers: networks.Layers
    scale: Scale


class AdaptiveBasis(NamedTuple):
    """The layers of the network, and the regression on its last hidden layer."""

    layers: networks.Layers
    regression: GaussianState


@functools.cache
def mlp(
    space: Space,
    *,
    num_networks: int = 3,
    width: int = 64,
    num_layers: int = 2,
    num_steps: int = 600,
    encoding: Encoding | None = None,
) -> Predictor:
    """Returns an ensemble of networks; the deviation is over their outputs.

    All are trained on all scores, from different weights and in different order: Lakshminarayanan, Pritzel and
    Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles", NeurIPS 2017, without the
    networks' own variances; as in BANANAS (White, Neiswanger and Savani, AAAI 2021).

    Args:
        num_networks: of the ensemble.
        width, num_layers: units of each hidden layer, and how many there are.
        num_steps: of training.
        encoding: of architectures; `one_hot` by default.
    """
    sizes = {"num_networks": num_networks, "width": width, "num_layers": num_layers, "num_steps": num_steps}
    hyperparameters = (*checked_sizes(sizes), ("encoding", encoding))

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> EnsembleState:
        targets, known, scale = standardized(y)
        inputs = jnp.where(known[:, None], jnp.asarray(features), 0)
        member = functools.partial(_trained, inputs, targets, known, [width] * num_layers, num_steps)
        return EnsembleState(jax.vmap(member)(jax.random.split(key, num_networks)), scale)

    def predict(state: EnsembleState, features: Array, aux: Aux) -> Prediction:
        features = jnp.asarray(features)
        found = jax.vmap(networks.outputs, (0, None))(state.layers, features)[..., 0]
        return unscaled(found.mean(0), found.std(0), state.scale, features)

    return Predictor("mlp", checked_encoding(space, encoding), fit, predict, hyperparameters=hyperparameters)


@functools.cache
def dngo(
    space: Space, *, width: int = 50, num_layers: int = 3, num_steps: int = 600, encoding: Encoding | None = None
) -> Predictor:
    """Returns Bayesian linear regression on the features that a network has learned.

    Snoek et al., "Scalable Bayesian Optimization Using Deep Neural Networks", ICML 2015, with prior and noise of
    largest evidence over a grid rather than marginalized. Arguments as in `mlp`.
    """
    sizes = {"width": width, "num_layers": num_layers, "num_steps": num_steps}
    hyperparameters = (*checked_sizes(sizes), ("encoding", encoding))
    fit_linear, predict_linear = process(LINEAR, RATIOS)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> AdaptiveBasis:
        targets, known, _ = standardized(y)
        inputs = jnp.where(known[:, None], jnp.asarray(features), 0)
        layers = _trained(inputs, targets, known, [width] * num_layers, num_steps, key)
        return AdaptiveBasis(layers, fit_linear(key, networks.hidden(layers, inputs), y, aux))

    def predict(state: AdaptiveBasis, features: Array, aux: Aux) -> Prediction:
        return predict_linear(state.regression, networks.hidden(state.layers, jnp.asarray(features)), aux)

    return Predictor("dngo", checked_encoding(space, encoding), fit, predict, hyperparameters=hyperparameters)


def _trained(
    inputs: jax.Array, targets: jax.Array, known: jax.Array, widths: list[int], num_steps: int, key: jax.Array
) -> networks.Layers:
    """Returns a network of hidden layers of these widths, trained on the known targets float32[n]."""
    return networks.trained(
        jax.random.fold_in(key, 0),
        networks.new_layers(key, [inputs.shape[1], *widths, 1]),
        lambda layers, rows: networks.outputs(layers, inputs[rows])[:, 0],
        targets,
        known,
        num_steps=num_steps,
        learning_rate=LEARNING_RATE,
    )
