"""A graph convolutional network on architectures as graphs with operations on vertices."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_number, checked_size
from jaxnas.predictors import networks
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, Scale, standardized, unscaled
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import adjacency

CITES = ("wen2020neural",)
BATCH_SIZE = 32


class GraphState(NamedTuple):
    """The weights of the graph layers [L][2][D, W], those of the head, and the scale of the scores."""

    convolutions: list[jax.Array]
    head: networks.Layers
    scale: Scale


@functools.cache
def gcn(
    space: Space, *, width: int = 64, num_layers: int = 3, num_steps: int = 600, learning_rate: float = 0.005
) -> Predictor:
    """Returns a network whose layers average over predecessors and over successors, without a deviation.

    Wen, Liu, Chen, Li, Bender and Kindermans, "Neural Predictor for Neural Architecture Search", ECCV 2020: each layer
    is the mean of relu(F H W) and relu(B H W'), with F and B the normalized adjacency matrices forward and backward and
    a loop at each vertex; then the mean over vertices and two dense layers. Layers are narrower here, and there is no
    dropout.

    Args:
        width, num_layers: of the graph layers.
        num_steps, learning_rate: of AdamW with a cosine schedule on minibatches of 32.
    """
    sizes = {"width": width, "num_layers": num_layers, "num_steps": num_steps}
    for name, size in sizes.items():
        checked_size(name, size)
    checked_number("learning_rate", learning_rate, above=0)
    num_labels = len(space.label_names)
    num_vertices = len(jax.eval_shape(space.labeled, jnp.zeros(len(space.decisions), jnp.int32))[0])
    above = np.triu_indices(num_vertices, 1)

    def graph(features: jax.Array) -> tuple[jax.Array, jax.Array]:
        flags, labels = features[: len(above[0])], features[len(above[0]) :]
        return jnp.zeros((num_vertices, num_vertices)).at[above].set(flags), labels.reshape(-1, num_labels)

    def output(parameters: tuple[list[jax.Array], networks.Layers], features: jax.Array) -> jax.Array:
        edges, values = graph(features)
        present = values.sum(-1, keepdims=True)
        loops = edges + jnp.eye(num_vertices) * present
        mixers = [each / jnp.maximum(each.sum(-1, keepdims=True), 1) for each in (loops, loops.T)]
        for weights in parameters[0]:
            parts = [jax.nn.relu(mixer @ (values @ part)) for mixer, part in zip(mixers, weights, strict=True)]
            values = sum(parts) / 2 * present
        mean = values.sum(0) / jnp.maximum(present.sum(), 1)
        return networks.outputs(parameters[1], mean)[0]

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> GraphState:
        targets, known, scale = standardized(y)
        inputs = jnp.where(known[:, None], jnp.asarray(features), 0)
        widths = [num_labels, *[width] * num_layers]
        convolutions = [
            jax.random.normal(jax.random.fold_in(key, number), (2, widths[number], width)) * (2 / widths[number]) ** 0.5
            for number in range(num_layers)
        ]
        head = networks.new_layers(jax.random.fold_in(key, num_layers), [width, width, 1])
        convolutions, head = networks.trained(
            jax.random.fold_in(key, num_layers + 1),
            (convolutions, head),
            lambda parameters, rows: jax.vmap(output, (None, 0))(parameters, inputs[rows]),
            targets,
            known,
            num_steps=num_steps,
            batch_size=BATCH_SIZE,
            learning_rate=learning_rate,
        )
        return GraphState(convolutions, head, scale)

    def predict(state: GraphState, features: Array, aux: Aux) -> Prediction:
        features = jnp.asarray(features)
        mean = jax.vmap(output, (None, 0))((state.convolutions, state.head), features)
        return unscaled(mean, jnp.full_like(mean, jnp.nan), state.scale, features)

    hyperparameters = (*sizes.items(), ("learning_rate", learning_rate))
    return Predictor("gcn", adjacency(space), fit, predict, hyperparameters=hyperparameters)
