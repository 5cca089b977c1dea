"""Neural architecture search as a classifier of scikit-learn."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxnas import catalog
from jaxnas.search.nas import NAS
from jaxnas.search.result import SearchResult
from jaxnas.spaces.base import Space
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.strategies.base import Strategy
from jaxnas.tasks.arrays import Examples, examples_of
from jaxnas.tasks.base import Split, Task, normalized, token_task
from jaxnas.tasks.sequences import as_array, is_ragged, is_text
from jaxnas.training.config import TrainConfig
from jaxnas.training.fitted import FittedModel
from jaxnas.training.inputs import kind_for
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import default_config

VALIDATION_SHARE = 0.2
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


class NASClassifier(ClassifierMixin, BaseEstimator):
    """A classifier that searches for its architecture when it is fitted.

    A fifth of each class, drawn at random, is the validation data of the search. The best architecture is then trained
    on all samples. Features are normalized by the means and standard deviations of the other four fifths.

    Args:
        space: a search space or its name; by default multilayer perceptrons of one or two layers of up to 64 units, or
            recurrent cells for texts and for sequences of unequal length.
        num_trials: how many architectures are trained.
        num_epochs: epochs of a training.
        strategy: as of `jaxnas.NAS`.
        random_state: of the validation data and the search.

    Attributes:
        classes_: the classes, sorted.
        n_features_in_: the number of features.
        model_: the `FittedModel`.
        architecture_: the best architecture as readable values.
        validation_score_: its validation accuracy.
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

    def fit(self, X: Any, y: ArrayLike) -> "NASClassifier":  # noqa: N803, as scikit-learn has it
        """Returns the classifier, fitted to data and classes [n].

        Data are features [n, F], or images [n, H, W, C] for a cell space; texts, [n] strings; or sequences, [n] arrays
        [t, F] of unequal length, for a space whose networks take them, by default that of recurrent cells; or graphs,
        (features, adjacency), for a space of graph networks.

        Raises ValueError on values that are no finite numbers, fewer than two classes, or too few samples.
        """
        if are_sequences(self.space, X):
            space, examples = sequences_of(self.space, X)
            targets = column_or_1d(as_array(y, "one class for each example"))
            check_consistent_length(examples.values, targets)
        else:
            space = DEFAULT_SPACE if self.space is None else space_of(self.space)
            features, targets = validate_data(self, X, y, dtype=np.float64, allow_nd=True)
            examples = Examples("vectors" if features.ndim == 2 else "images", features)
        check_classification_targets(targets)
        self.classes_, labels = np.unique(targets, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Expected two or more classes, got {len(self.classes_)} class.")
        random = check_random_state(self.random_state)
        parts = parts_of(examples.values, labels, _validation_members(labels, random))
        task = task_of_parts(examples, parts, len(self.classes_), "NASClassifier")
        result, self.model_ = searched(
            space, task, self.strategy, self.num_trials, self.num_epochs, int(random.randint(2**31 - 1))
        )
        self.architecture_ = result.architecture
        self.validation_score_ = result.accuracy
        self.history_ = result.history
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the probability of each class, float64[n, K], in the order of `classes_`."""
        check_is_fitted(self)
        if self.model_.inputs.spec.kind in ("vectors", "images"):
            X = validate_data(self, X, dtype=np.float64, allow_nd=True, reset=False)  # noqa: N806
        return self.model_.predict_proba(X)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the most probable class of each sample, [n]."""
        best = self.predict_proba(X).argmax(-1)
        return self.classes_[best]


def space_of(space: Space | str) -> Space:
    """Returns a space, or that of a name."""
    return catalog.space(space) if isinstance(space, str) else space


def are_sequences(space: Space | str | None, values: Any) -> bool:
    """Returns whether data are texts, sequences or graphs, by themselves or because the space's networks take these."""
    if is_text(values) or is_ragged(values):
        return True
    found = None if space is None else space_of(space)
    if found is None or found.networks is None:
        return False
    return bool({"sequences", "graphs"} & {*networks_class(found).inputs})


def sequences_of(space: Space | str | None, values: Any) -> tuple[Space, Examples]:
    """Returns the space, by default that of recurrent cells, and the data as its networks take them."""
    space = space_of(catalog.SEQUENCE_SPACE if space is None else space)
    return space, examples_of(values, kind_for(space, values))


def searched(
    space: Space,
    task: Task,
    strategy: str | Callable[..., Strategy] | Strategy,
    num_trials: int,
    num_epochs: int,
    seed: int,
) -> tuple[SearchResult, FittedModel]:
    """Returns the result of a search, and the best architecture trained on all samples, without the data."""
    config = _config_of(space, task, num_epochs)
    nas = NAS(space, task, strategy=strategy, config=config, seed=seed, progress=False)
    result = nas.search(num_trials, num_finalists=0)
    model = result.train()
    model.task = None  # what is fitted does not carry its data
    return result, model


def _validation_members(labels: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Returns which samples are to validate, bool[n]: a fifth of each class, but of one with two or more at least one.

    Raises ValueError where no class has two samples.
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


def task_of_parts(
    examples: Examples, parts: dict[str, Split], num_outputs: int, estimator: str, goal: str = "class"
) -> Task:
    """Returns the task of the data of an estimator."""
    card = f"# Data that were given to {estimator}.\n"
    if examples.kind != "tokens":
        return normalized("data", parts, num_outputs, card, "unspecified", goal=goal, kind=examples.kind)
    given = examples.num_tokens, num_outputs, card, "unspecified"
    return token_task("data", parts, *given, goal=goal, vocabulary=examples.vocabulary)
