"""Gradient boosting of trees: scikit-learn's, and with the extra `trees` XGBoost's and LightGBM's."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnas.checks import checked_function, checked_size
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor
from jaxnas.predictors.regressors import fitted, seed_of, where_known
from jaxnas.spaces.base import Space
from jaxnas.spaces.encodings import Encoding, one_hot

CITES = ("friedman2001greedy", "ke2017lightgbm", "chen2016xgboost")


@functools.cache
def hist_gb(space: Space, *, num_trees: int = 100, encoding: Encoding | None = None) -> Predictor:
    """Returns scikit-learn's gradient boosting on histograms, without a deviation.

    Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 2001; histograms as in
    Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.

    Args:
        num_trees: of the sum.
        encoding: of architectures; `one_hot` by default.
    """

    def made(seed: int, num_rows: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        leaf = max(1, min(20, num_rows // 10))
        return HistGradientBoostingRegressor(
            max_iter=num_trees, min_samples_leaf=leaf, early_stopping=False, random_state=seed
        )

    return _boosted("hist_gb", space, made, num_trees, encoding)


@functools.cache
def xgb(space: Space, *, num_trees: int = 200, encoding: Encoding | None = None) -> Predictor:
    """Returns XGBoost's gradient boosting, without a deviation; it needs `pip install 'jaxnas[trees]'`.

    Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016.

    Args:
        num_trees: of the sum.
        encoding: of architectures; `one_hot` by default.
    """

    def made(seed: int, num_rows: int) -> Any:
        return _of_extra("xgboost").XGBRegressor(
            n_estimators=num_trees, max_depth=4, learning_rate=0.1, subsample=0.8, n_jobs=1, random_state=seed
        )

    return _boosted("xgb", space, made, num_trees, encoding)


@functools.cache
def lgb(space: Space, *, num_trees: int = 200, encoding: Encoding | None = None) -> Predictor:
    """Returns LightGBM's gradient boosting, without a deviation; it needs `pip install 'jaxnas[trees]'`.

    Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.

    Args:
        num_trees: of the sum.
        encoding: of architectures; `one_hot` by default.
    """

    def made(seed: int, num_rows: int) -> Any:
        leaf = max(1, min(20, num_rows // 10))
        return _of_extra("lightgbm").LGBMRegressor(
            n_estimators=num_trees, min_child_samples=leaf, n_jobs=1, random_state=seed, verbose=-1
        )

    return _boosted("lgb", space, made, num_trees, encoding)


def _boosted(
    name: str, space: Space, made: Callable[[int, int], Any], num_trees: int, encoding: Encoding | None
) -> Predictor:
    checked_size("num_trees", num_trees)
    encode = one_hot(space) if encoding is None else checked_function("encoding", encoding)

    def fit(key: jax.Array, features: Array, y: Array, aux: Aux) -> Any:
        return fitted(made(seed_of(key), int(np.isfinite(np.asarray(y)).sum())), features, y)

    def predict(state: Any, features: Array, aux: Aux) -> Prediction:
        found = where_known(lambda rows: state.predict(rows), features, 1)[0] if state else _nothing(features)
        return Prediction(found, _nothing(features))

    hyperparameters = (("num_trees", num_trees), ("encoding", encoding))
    return Predictor(name, encode, fit, predict, jittable=False, hyperparameters=hyperparameters)


def _nothing(features: Array) -> np.ndarray:
    return np.full(len(features), np.nan, np.float32)


def _of_extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(f"Expected {module} to be installed, got none: pip install 'jaxnas[trees]'.") from None
