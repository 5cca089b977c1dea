"""The mean score of the nearest architectures."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.checks import checked_size
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, Scale, standardized, unscaled
from jaxnas.predictors.gaussian import squared_distances
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import one_hot

CITES = ("cover1967nearest",)


class NeighborsState(NamedTuple):
    """Features float32[n, F], standardized scores float32[n], which there are bool[n], and the scores' scale."""

    features: jax.Array
    targets: jax.Array
    known: jax.Array
    scale: Scale


@functools.cache
def knn(space: Space, *, num_neighbors: int = 5) -> Predictor:
    """Returns the mean of the scores of the nearest architectures, by the number of decisions that differ.

    All architectures at the distance of the last neighbor share the remaining weight. Cover and Hart, "Nearest Neighbor
    Pattern Classification", IEEE Transactions on Information Theory 1967. The deviation is the standard deviation of
    the neighbors' scores.

    Args:
        num_neighbors: the number of neighbors.
    """
    checked_size("num_neighbors", num_neighbors)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> NeighborsState:
        return NeighborsState(jnp.asarray(features), *standardized(y))

    def predict(state: NeighborsState, features: Array, aux: Aux) -> Prediction:
        features = jnp.asarray(features)
        distances = jnp.where(state.known, squared_distances(features, state.features), jnp.inf)
        weights = jax.vmap(functools.partial(tied_weights, num_neighbors))(distances)
        mean = weights @ state.targets
        variance = (weights * (state.targets - mean[:, None]) ** 2).sum(-1)
        return unscaled(mean, jnp.sqrt(variance), state.scale, features)

    return Predictor("knn", one_hot(space), fit, predict, hyperparameters=(("num_neighbors", num_neighbors),))


def tied_weights(number: int, distances: jax.Array) -> jax.Array:
    """Returns the weights of the nearest `number`, of sum 1; all at the last one's distance share the rest.

    So weights do not depend on the order of rows. Distances are float32[n], infinite for rows that do not count.
    """
    number = min(number, len(distances))
    limit = -jax.lax.top_k(-distances, number)[0][-1]
    limit = jnp.where(jnp.isfinite(limit), limit, jnp.where(jnp.isfinite(distances), distances, -jnp.inf).max())
    nearer = distances < limit - 1e-3
    tied = (distances <= limit + 1e-3) & ~nearer & jnp.isfinite(distances)
    left = jnp.maximum(number - nearer.sum(), 1)
    weights = nearer + tied * left / jnp.maximum(tied.sum(), 1)
    return weights / jnp.maximum(weights.sum(), 1)
