"""Neural architecture search as a regressor of scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxnas import catalog
from jaxnas.search.classifier import (
    DEFAULT_SPACE,
    VALIDATION_SHARE,
    are_sequences,
    parts_of,
    searched,
    sequences_of,
    space_of,
    task_of_parts,
)
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Strategy
from jaxnas.tasks.arrays import Examples, real_labels

MIN_SAMPLES, MIN_VALIDATION = 4, 2
"""Two to train and two to validate, whose targets can differ."""


class NASRegressor(RegressorMixin, BaseEstimator):
    """A regressor that searches for its architecture when it is fitted.

    A fifth of the samples, drawn at random, is the validation data of the search, which maximizes R2. The best
    architecture is then trained on all samples. Features and targets are normalized by the means and standard
    deviations of the other four fifths.

    Args:
        space: a search space or its name; by default multilayer perceptrons of one or two layers of up to 64 units, or
            recurrent cells for texts and for sequences of unequal length.
        num_trials: how many architectures are trained.
        num_epochs: epochs of a training.
        strategy: as of `jaxnas.NAS`.
        random_state: of the validation data and the search.

    Attributes:
        n_features_in_: the number of features.
        model_: the `FittedModel`.
        architecture_: the best architecture as readable values.
        validation_score_: its R2 on the validation data.
        history_: the trials as a pandas frame.
    """

    def __init__(
        self,
        space: Space | str | None = None,
        *,
        num_trials: int = 20,
        num_epochs: int = 20,
        strategy: str | Callable[..., Strategy] | Strategy = catalog.DEFAULT_STRATEGY,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.space = space
        self.num_trials = num_trials
        self.num_epochs = num_epochs
        self.strategy = strategy
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike) -> "NASRegressor":  # noqa: N803, as scikit-learn has it
        """Returns the regressor, fitted to data and real numbers [n].

        Data are features [n, F]; texts, [n] strings; or sequences, [n] arrays [t, F] of unequal length, for a space
        whose networks take them, by default that of recurrent cells.

        Raises ValueError on values that are no finite numbers, targets that do not differ, or too few samples.
        """
        if are_sequences(self.space, X):
            space, examples = sequences_of(self.space, X)
            targets = column_or_1d(real_labels(y))
            check_consistent_length(examples.values, targets)
        else:
            space = DEFAULT_SPACE if self.space is None else space_of(self.space)
            features, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            examples = Examples("vectors", features)
        if len(targets) < MIN_SAMPLES:
            raise ValueError(
                f"Expected {MIN_SAMPLES} or more samples to train on and to validate by, got {len(targets)}."
            )
        random = check_random_state(self.random_state)
        chosen = np.zeros(len(targets), bool)
        chosen[random.permutation(len(targets))[: max(MIN_VALIDATION, round(VALIDATION_SHARE * len(targets)))]] = True
        parts = parts_of(examples.values, targets, chosen)
        task = task_of_parts(examples, parts, 1, "NASRegressor", "value")
        result, self.model_ = searched(
            space, task, self.strategy, self.num_trials, self.num_epochs, int(random.randint(2**31 - 1))
        )
        self.architecture_ = result.architecture
        self.validation_score_ = result.accuracy
        self.history_ = result.history
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the predicted number of each sample, float64[n]."""
        check_is_fitted(self)
        if self.model_.inputs.spec.kind == "vectors":
            X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        return self.model_.predict(X)
