"""Trees: random forests and gradient boosting of scikit-learn, and with the extra `trees` of XGBoost and LightGBM."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, checked_encoding
from jaxnas.predictors.regressors import fitted, nothing_known, seed_of, where_known
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding

CITES = {
    "rf": ("breiman2001random",),
    "hist_gb": ("friedman2001greedy", "ke2017lightgbm"),
    "xgb": ("friedman2001greedy", "chen2016xgboost"),
    "lgb": ("friedman2001greedy", "ke2017lightgbm"),
}
NUM_TREES = 100
"""Of scikit-learn's models."""
NUM_BOOSTED = 200
"""Trees of XGBoost and LightGBM."""
SHARE_OF_FEATURES = 0.5
"""From which each split of the forest chooses."""


@functools.cache
def rf(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns a random forest; the deviation is over its trees' predictions.

    Breiman, "Random Forests", Machine Learning 2001; scikit-learn's.
    """

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(NUM_TREES, max_features=SHARE_OF_FEATURES, random_state=seed_of(key))
        return fitted(forest, features, y)

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        def of_trees(rows: np.ndarray) -> np.ndarray:
            values = np.stack([tree.predict(rows) for tree in state.estimators_])
            return np.stack([values.mean(0), values.std(0)])

        if state is None:
            return Prediction(nothing_known(features), nothing_known(features))
        return Prediction(*where_known(of_trees, features, 2))

    encode = checked_encoding(space, encoding)
    return Predictor("rf", encode, fit, predict, jittable=False, hyperparameters=(("encoding", encoding),))


@functools.cache
def hist_gb(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns scikit-learn's gradient boosting on histograms, without a deviation.

    Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 2001; histograms as in
    Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.
    """

    def made(seed: int, leaf: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            max_iter=NUM_TREES, min_samples_leaf=leaf, early_stopping=False, random_state=seed
        )

    return _boosted("hist_gb", space, made, encoding)


@functools.cache
def xgb(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns XGBoost's gradient boosting, without a deviation; it needs `pip install 'jaxnas[trees]'`.

    Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016.
    """

    def made(seed: int, leaf: int) -> Any:
        return _of_extra("xgboost").XGBRegressor(
            n_estimators=NUM_BOOSTED, max_depth=4, learning_rate=0.1, subsample=0.8, n_jobs=1, random_state=seed
        )

    return _boosted("xgb", space, made, encoding)


@functools.cache
def lgb(space: Space, *, encoding: Encoding | None = None) -> Predictor:
    """Returns LightGBM's gradient boosting, without a deviation; it needs `pip install 'jaxnas[trees]'`.

    Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.
    """

    def made(seed: int, leaf: int) -> Any:
        return _of_extra("lightgbm").LGBMRegressor(
            n_estimators=NUM_BOOSTED, min_child_samples=leaf, n_jobs=1, random_state=seed, verbose=-1
        )

    return _boosted("lgb", space, made, encoding)


def _boosted(name: str, space: Space, made: Callable[[int, int], Any], encoding: Encoding | None) -> Predictor:
    """Returns the predictor of a regressor that `made(seed, leaf)` gives, `leaf` the fewest scores of a leaf."""

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        leaf = max(1, min(20, int(np.isfinite(np.asarray(y)).sum()) // 10))
        return fitted(made(seed_of(key), leaf), features, y)

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        nothing = nothing_known(features)
        return Prediction(where_known(state.predict, features, 1)[0] if state else nothing, nothing)

    encode = checked_encoding(space, encoding)
    return Predictor(name, encode, fit, predict, jittable=False, hyperparameters=(("encoding", encoding),))


def _of_extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(f"Expected {module} to be installed, got none: pip install 'jaxnas[trees]'.") from None
