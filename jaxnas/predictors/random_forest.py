"""Random forests, by scikit-learn."""

import functools
from typing import Any

import jax
import numpy as np

from jaxnas.checks import checked_function, checked_size
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor
from jaxnas.predictors.regressors import fitted, seed_of, where_known
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

CITES = ("breiman2001random",)


@functools.cache
def rf(space: Space, *, num_trees: int = 100, max_features: float = 0.5, encoding: Encoding | None = None) -> Predictor:
    """Returns a random forest; the deviation is that of its trees' predictions.

    Breiman, "Random Forests", Machine Learning 2001; scikit-learn's.

    Args:
        num_trees: of the forest.
        max_features: the share of features that each split chooses from.
        encoding: of architectures; `one_hot` by default.
    """
    checked_size("num_trees", num_trees)
    encode = one_hot(space) if encoding is None else checked_function("encoding", encoding)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(num_trees, max_features=max_features, random_state=seed_of(key))
        return fitted(forest, features, y)

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        def of_trees(rows: np.ndarray) -> np.ndarray:
            values = np.stack([tree.predict(rows) for tree in state.estimators_])
            return np.stack([values.mean(0), values.std(0)])

        if state is None:
            return Prediction(*np.full((2, len(features)), np.nan, np.float32))
        return Prediction(*where_known(of_trees, features, 2))

    hyperparameters = (("num_trees", num_trees), ("max_features", max_features), ("encoding", encoding))
    return Predictor("rf", encode, fit, predict, jittable=False, hyperparameters=hyperparameters)
