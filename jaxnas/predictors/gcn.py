"""A graph convolutional network on architectures as graphs with operations on vertices."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_sizes
from jaxnas.predictors import networks
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, Scale, standardized, unscaled
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import adjacency

CITES = ("wen2020neural",)
LEARNING_RATE = 0.005

Parameters = tuple[list[jax.Array], networks.Layers]
"""The weights of the graph layers [L][2][D, W], and the layers of the head."""


class GraphState(NamedTuple):
    """The parameters, and the scale of the scores."""

    convolutions: list[jax.Array]
    head: networks.Layers
    scale: Scale


@functools.cache
def gcn(space: Space, *, width: int = 64, num_layers: int = 3, num_steps: int = 600) -> Predictor:
    """Returns a network whose layers average over predecessors and over successors, without a deviation.

    Wen, Liu, Chen, Li, Bender and Kindermans, "Neural Predictor for Neural Architecture Search", ECCV 2020: each layer
    is the mean of relu(F H W) and relu(B H W'), with F and B the normalized adjacency matrices forward and backward and
    a loop at each vertex; then the mean over vertices and two dense layers. Layers are narrower here, and there is no
    dropout.

    Args:
        width, num_layers: of the graph layers.
        num_steps: of AdamW with a cosine schedule on minibatches of 32.
    """
    hyperparameters = checked_sizes({"width": width, "num_layers": num_layers, "num_steps": num_steps})
    num_labels = len(space.label_names)
    num_vertices = len(jax.eval_shape(space.labeled, jnp.zeros(len(space.decisions), jnp.int32))[0])
    outputs = jax.vmap(functools.partial(_output, num_vertices, num_labels), (None, 0))

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> GraphState:
        targets, known, scale = standardized(y)
        inputs = jnp.where(known[:, None], jnp.asarray(features), 0)
        convolutions, head = networks.trained(
            jax.random.fold_in(key, num_layers + 1),
            _new_parameters(key, num_labels, width, num_layers),
            lambda parameters, rows: outputs(parameters, inputs[rows]),
            targets,
            known,
            num_steps=num_steps,
            learning_rate=LEARNING_RATE,
        )
        return GraphState(convolutions, head, scale)

    def predict(state: GraphState, features: Array, aux: Aux) -> Prediction:
        features = jnp.asarray(features)
        mean = outputs((state.convolutions, state.head), features)
        return unscaled(mean, jnp.full_like(mean, jnp.nan), state.scale, features)

    return Predictor("gcn", adjacency(space), fit, predict, hyperparameters=hyperparameters)


def _new_parameters(key: jax.Array, num_labels: int, width: int, num_layers: int) -> Parameters:
    widths = [num_labels, *[width] * num_layers]
    convolutions = [
        jax.random.normal(jax.random.fold_in(key, number), (2, widths[number], width)) * (2 / widths[number]) ** 0.5
        for number in range(num_layers)
    ]
    return convolutions, networks.new_layers(jax.random.fold_in(key, num_layers), [width, width, 1])


def _output(num_vertices: int, num_labels: int, parameters: Parameters, features: jax.Array) -> jax.Array:
    """Returns the output for a graph, float32[], of its features: edges above the diagonal, then one-hot labels."""
    above = np.triu_indices(num_vertices, 1)
    flags, labels = features[: len(above[0])], features[len(above[0]) :]
    edges = jnp.zeros((num_vertices, num_vertices)).at[above].set(flags)
    values = labels.reshape(-1, num_labels)
    present = values.sum(-1, keepdims=True)
    loops = edges + jnp.eye(num_vertices) * present
    mixers = [each / jnp.maximum(each.sum(-1, keepdims=True), 1) for each in (loops, loops.T)]
    for weights in parameters[0]:
        parts = [jax.nn.relu(mixer @ (values @ part)) for mixer, part in zip(mixers, weights, strict=True)]
        values = sum(parts) / 2 * present
    mean = values.sum(0) / jnp.maximum(present.sum(), 1)
    return networks.outputs(parameters[1], mean)[0]
