"""Neural architecture search as estimators of scikit-learn."""

import abc
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxnas import catalog
from jaxnas.search.nas import NAS
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import space_named
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.strategies.base import Strategy
from jaxnas.tasks.arrays import Examples, examples_of, real_labels
from jaxnas.tasks.base import Split, Task, normalized, token_task
from jaxnas.tasks.sequences import as_array, is_ragged, is_text
from jaxnas.training.config import TrainConfig
from jaxnas.training.inputs import kind_for
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import default_config

VALIDATION_SHARE = 0.2
MIN_SAMPLES, MIN_VALIDATION = 4, 2
"""Of a regressor: two to train and two to validate, whose targets can differ."""
DEFAULT_SPACE = MLPSpace(
    max_layers=2,
    max_units=64,
    activations=("relu", "tanh"),
    initializers=("lecun_normal", "glorot_uniform"),
    regularizers=("none", "l2"),
    dropout_rates=(0.0, 0.25),
)
"""Shallow networks, all of which a few samples can train."""
MIN_STEPS = 32
"""Steps of an epoch that batches are made smaller for, down to `MIN_BATCH` samples."""
MIN_BATCH = 4


class Estimator(BaseEstimator, abc.ABC):
    """An estimator that searches for its architecture when it is fitted.

    A fifth of the samples, drawn at random, is the validation data of the search. The best architecture is then trained
    on all samples. Features are normalized by the means and standard deviations of the other four fifths.

    Args:
        space: a search space or its name; by default multilayer perceptrons of one or two layers of
            up to 64 units, or recurrent cells for strings and for sequences of unequal length.
        num_trials: how many architectures are trained.
        num_epochs: epochs of a training.
        strategy: as of `jaxnas.NAS`.
        random_state: of the validation data and the search.

    Attributes:
        n_features_in_: the number of features.
        model_: the `FittedModel`.
        architecture_: the best architecture as readable values.
        validation_score_: its score on the validation data.
        history_: the trials as a pandas frame.
    """

    _goal: ClassVar[str]

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

    def fit(self, X: Any, y: ArrayLike) -> Self:  # noqa: N803, as scikit-learn has it
        """Returns the estimator, fitted to data and one target for each example.

        Data are features [n, F], or for classes images [n, H, W, C] for a cell space; [n] strings;
        or sequences, [n] arrays [t, F] of unequal length, for a space whose networks take them, by
        default recurrent cells; or graphs, (features, adjacency), for a space of graph networks.

        Raises ValueError on values that are no finite numbers, targets that do not differ, or too few samples.
        """
        space, examples, targets = self._checked(X, y)
        random = check_random_state(self.random_state)
        labels, num_outputs, chosen = self._labels(targets, random)
        parts = parts_of(examples.values, labels, chosen)
        task = _task_of(examples, parts, num_outputs, type(self).__name__, self._goal)
        config = _config_of(space, task, self.num_epochs)
        seed = int(random.randint(2**31 - 1))
        nas = NAS(space, task, strategy=self.strategy, config=config, seed=seed, progress=False)
        result = nas.search(self.num_trials, num_finalists=0)
        self.model_ = result.train()
        self.model_.task = None  # a fitted model does not carry its data
        self.architecture_ = result.architecture
        self.validation_score_ = result.accuracy
        self.history_ = result.history
        return self

    @abc.abstractmethod
    def _labels(self, targets: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, int, np.ndarray]:
        """Returns the labels [n], the number of outputs, and which samples are to validate, bool[n].

        Raises ValueError on too few samples, or targets that do not differ.
        """

    def _checked(self, values: Any, targets: ArrayLike) -> tuple[Space, Examples, np.ndarray]:
        """Returns the space, the data as its networks take them, and the targets."""
        if _are_sequences(self.space, values):
            space = _space_of(catalog.SEQUENCE_SPACE if self.space is None else self.space)
            examples = examples_of(values, kind_for(space, values))
            read = real_labels(targets) if self._goal == "value" else as_array(targets, "one class for each example")
            labels: np.ndarray = column_or_1d(read)
            check_consistent_length(examples.values, labels)
            return space, examples, labels
        classes = self._goal == "class"
        checks = {"dtype": np.float64, "allow_nd": classes, "y_numeric": not classes}
        features, labels = validate_data(self, values, targets, **checks)
        space = DEFAULT_SPACE if self.space is None else _space_of(self.space)
        return space, Examples("vectors" if features.ndim == 2 else "images", features), labels

    def _inputs(self, values: Any) -> Any:
        """Returns the data to predict for. Raises ValueError if they are not like those that were fitted to."""
        check_is_fitted(self)
        if self.model_.inputs.spec.kind not in ("vectors", "images"):
            return values
        return validate_data(self, values, dtype=np.float64, allow_nd=self._goal == "class", reset=False)


class NASClassifier(ClassifierMixin, Estimator):
    """A classifier that searches for its architecture when it is fitted.

    A fifth of each class validates; the search maximizes accuracy. Arguments and attributes are
    inherited from `Estimator`, plus `classes_`, the classes in order.
    """

    _goal = "class"

    def _labels(self, targets: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, int, np.ndarray]:
        check_classification_targets(targets)
        self.classes_, labels = np.unique(targets, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Expected two or more classes, got {len(self.classes_)} class.")
        return labels, len(self.classes_), _validation_members(labels, random)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the probability of each class, float64[n, K], in the order of `classes_`."""
        values = self._inputs(X)
        return self.model_.predict_proba(values)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the most probable class of each sample, [n]."""
        best = self.predict_proba(X).argmax(-1)
        return self.classes_[best]


class NASRegressor(RegressorMixin, Estimator):
    """A regressor that searches for its architecture when it is fitted.

    The search maximizes R2 on a fifth of the samples. Targets are normalized as features are.
    Arguments and attributes are inherited from `Estimator`.
    """

    _goal = "value"

    def _labels(self, targets: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, int, np.ndarray]:
        if len(targets) < MIN_SAMPLES:
            raise ValueError(
                f"Expected {MIN_SAMPLES} or more samples to train on and to validate by, got {len(targets)}."
            )
        chosen = np.zeros(len(targets), bool)
        chosen[random.permutation(len(targets))[: max(MIN_VALIDATION, round(VALIDATION_SHARE * len(targets)))]] = True
        return targets, 1, chosen

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the predicted number of each sample, float64[n]."""
        values = self._inputs(X)
        return self.model_.predict(values)


def _space_of(space: Space | str) -> Space:
    return space_named(space) if isinstance(space, str) else space


def _are_sequences(space: Space | str | None, values: Any) -> bool:
    """Returns whether data are strings, sequences or graphs, by type or because the space's networks take these."""
    if is_text(values) or is_ragged(values):
        return True
    found = None if space is None else _space_of(space)
    if found is None or found.networks is None:
        return False
    return bool({"sequences", "graphs"} & {*networks_class(found).inputs})


def _validation_members(labels: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Returns which samples are to validate, bool[n]: a fifth of each class, but of one with two or more at least one.

    Raises ValueError if no class has two samples.
    """
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        share = max(1, round(VALIDATION_SHARE * len(members)))
        chosen[members[: min(share, len(members) - 1)]] = True
    if not chosen.any():
        raise ValueError("Expected two or more samples of a class, to train on and to validate by, got one of each.")
    return chosen


def _config_of(space: Space, task: Task, num_epochs: int) -> TrainConfig:
    default, num_samples = default_config(space, task), len(task.train.labels)
    batch_size = min(default.batch_size, max(num_samples // MIN_STEPS, MIN_BATCH), num_samples)
    return replace(default, num_epochs=num_epochs, batch_size=batch_size)


def parts_of(samples: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> dict[str, Split]:
    """Returns the splits of samples, of which some are chosen to validate; none are to test."""
    samples = samples.astype(np.float32) if samples.ndim > 2 and samples.dtype.kind == "f" else samples
    members = {"train": ~chosen, "validation": chosen, "test": np.zeros(len(labels), bool)}
    return {split: Split(samples[each][None], labels[each]) for split, each in members.items()}


def _task_of(examples: Examples, parts: dict[str, Split], num_outputs: int, estimator: str, goal: str) -> Task:
    """Returns the task of the data of an estimator."""
    card = f"# Data that were given to {estimator}.\n"
    if examples.kind != "tokens":
        return normalized("data", parts, num_outputs, card, "unspecified", goal=goal, kind=examples.kind)
    given = examples.num_tokens, num_outputs, card, "unspecified"
    return token_task("data", parts, *given, goal=goal, vocabulary=examples.vocabulary)
