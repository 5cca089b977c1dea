"""An ensemble of small neural networks on features."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_function, checked_number, checked_size
from jaxnas.predictors import networks
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, Scale, standardized, unscaled
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

CITES = ("lakshminarayanan2017simple", "white2021bananas")
BATCH_SIZE = 32


class EnsembleState(NamedTuple):
    """The layers of M networks, with a leading axis, and the scale of the scores."""

    layers: networks.Layers
    scale: Scale


@functools.cache
def mlp(
    space: Space,
    *,
    num_networks: int = 3,
    width: int = 64,
    num_layers: int = 2,
    num_steps: int = 600,
    learning_rate: float = 0.01,
    encoding: Encoding | None = None,
) -> Predictor:
    """Returns an ensemble of networks; the deviation is that of their outputs.

    All are trained on all scores, from different weights and in different order: Lakshminarayanan, Pritzel and
    Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles", NeurIPS 2017, without the
    networks' own variances; as in BANANAS (White, Neiswanger and Savani, AAAI 2021).

    Args:
        num_networks: of the ensemble.
        width, num_layers: units of each hidden layer, and how many there are.
        num_steps, learning_rate: of AdamW with a cosine schedule on minibatches of 32.
        encoding: of architectures; `one_hot` by default.
    """
    sizes = {"num_networks": num_networks, "width": width, "num_layers": num_layers, "num_steps": num_steps}
    for name, size in sizes.items():
        checked_size(name, size)
    checked_number("learning_rate", learning_rate, above=0)
    encode = one_hot(space) if encoding is None else checked_function("encoding", encoding)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> EnsembleState:
        targets, known, scale = standardized(y)
        inputs = jnp.where(known[:, None], jnp.asarray(features), 0)

        def member(key: jax.Array) -> networks.Layers:
            layers = networks.new_layers(key, [inputs.shape[1], *[width] * num_layers, 1])
            return networks.trained(
                jax.random.fold_in(key, 0),
                layers,
                lambda layers, rows: networks.outputs(layers, inputs[rows])[:, 0],
                targets,
                known,
                num_steps=num_steps,
                batch_size=BATCH_SIZE,
                learning_rate=learning_rate,
            )

        return EnsembleState(jax.vmap(member)(jax.random.split(key, num_networks)), scale)

    def predict(state: EnsembleState, features: Array, aux: Aux) -> Prediction:
        features = jnp.asarray(features)
        found = jax.vmap(networks.outputs, (0, None))(state.layers, features)[..., 0]
        return unscaled(found.mean(0), found.std(0), state.scale, features)

    hyperparameters = (*sizes.items(), ("learning_rate", learning_rate), ("encoding", encoding))
    return Predictor("mlp", encode, fit, predict, hyperparameters=hyperparameters)
