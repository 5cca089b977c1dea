"""Cross-validation in which no class of equal networks is on both sides."""

import jax
import numpy as np

from jaxnas.checks import checked_size
from jaxnas.predictors.base import Array, Aux, Prediction, Predictor, compiled

NUM_FOLDS = 5


def folds(groups: np.ndarray, y: np.ndarray, num_folds: int = NUM_FOLDS, *, seed: int = 0) -> np.ndarray:
    """Returns the number of the fold of each architecture, int[n]: whole groups, spread over the scores.

    Groups are sorted by their mean score, and each run of `num_folds` neighbors is dealt out at random.

    Args:
        groups: equal for equal networks, int[n].
        y: scores, float[n]; a NaN sorts last.

    Raises ValueError on fewer groups than folds.
    """
    names, numbers = np.unique(groups, return_inverse=True)
    checked_size("num_folds", num_folds, 2, len(names), "the number of classes")
    sums = np.bincount(numbers, np.asarray(y, np.float64)) / np.bincount(numbers)
    order = np.argsort(sums, kind="stable")
    random = np.random.default_rng(seed)
    dealt = np.concatenate([random.permutation(num_folds) for _ in range(-(-len(names) // num_folds))])[: len(names)]
    fold_of_group = np.empty(len(names), int)
    fold_of_group[order] = dealt
    return fold_of_group[numbers]


def cross_validated(
    predictor: Predictor, key: jax.Array, features: Array, y: Array, aux: Aux, groups: np.ndarray
) -> Prediction:
    """Returns the prediction for each architecture from a fit to all folds except its own, float32[n].

    Everything that is learned, transforms included, is learned from the other folds.
    """
    predictor = compiled(predictor)
    features, y = np.asarray(features), np.asarray(y, np.float32)
    number = folds(groups, y, min(NUM_FOLDS, len(np.unique(groups))))
    found = np.full((2, len(y)), np.nan, np.float32)
    for fold in range(number.max() + 1):
        inside = number == fold
        left_out = np.where(inside, np.float32(np.nan), y)  # with all rows, so folds share a program
        state = predictor.fit(jax.random.fold_in(key, fold), features, left_out, aux)
        said = predictor.predict(state, features, aux)
        found[:, inside] = np.stack([np.asarray(part)[inside] for part in said])
    return Prediction(*found)
