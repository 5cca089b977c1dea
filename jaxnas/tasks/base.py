"""What a task is: a data set with fixed splits, its metric and its card."""

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from jaxnas.checks import unknown_name
from jaxnas.tasks.goals import GOALS
from jaxnas.tasks.metrics import Metric

SPLITS = ("train", "validation", "test")


class Split(NamedTuple):
    """One split of a data set.

    `inputs` is float32[V, n, H, W, C] for images and float32[V, n, F] for vectors of features; `labels` is int32[n].
    The V views of an example are alternatives: in training, each epoch draws one for each example; in validation and
    test, every view counts as an example. A test split may be empty.
    """

    inputs: np.ndarray
    labels: np.ndarray

    @property
    def num_examples(self) -> int:
        """Returns the number of examples that an evaluation counts, views included."""
        return self.inputs.shape[0] * self.inputs.shape[1]


class TaskSpec(NamedTuple):
    """What a network must know of a task; it is static and hashable.

    Attributes:
        kind: of the inputs, `"images"` or `"vectors"`.
        goal: a name of `jaxnas.tasks.goals.GOALS`.
        shape: of an example.
        num_outputs: how many numbers the network gives for an example.
    """

    kind: str
    goal: str
    shape: tuple[int, ...]
    num_outputs: int


@dataclass(frozen=True, eq=False)
class Task:
    """A task: data with fixed splits, and what networks are trained for.

    Attributes:
        name: how commands and tables call it.
        train, validation, test: disjoint splits, all normalised by the mean and standard deviation of the training
            inputs, vectors by those of each feature.
        num_classes: labels are 0 to num_classes - 1.
        card: what the data are, where they are from, licence, how they were split and changed.
        licence: SPDX identifier of the data's licence.
        mean, deviation: what the inputs were normalised by, so that others can be: numbers, or arrays that broadcast
            against an example.
        classes: what the labels stand for, in their order; by default the numbers themselves.
        kind: of the inputs: `"images"` or `"vectors"`; by default what their shape says.
        goal: what networks are trained for, a name of `jaxnas.tasks.goals.GOALS`: `"class"`, one label an example.

    Raises:
        ValueError: on an unknown goal.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    card: str
    licence: str = "unspecified"
    mean: float | np.ndarray = 0.0
    deviation: float | np.ndarray = 1.0
    classes: tuple = ()
    kind: str = ""
    goal: str = "class"

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise unknown_name("a goal", self.goal, GOALS)
        if not self.kind:
            object.__setattr__(self, "kind", "vectors" if self.train.inputs.ndim == 3 else "images")

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of an example: (height, width, channels) of images, (features,) of vectors."""
        return tuple(self.train.inputs.shape[2:])

    @property
    def metric(self) -> Metric:
        """Returns what scores on this task measure."""
        return GOALS[self.goal].metric

    @property
    def spec(self) -> TaskSpec:
        """Returns what a network must know of the task."""
        return TaskSpec(self.kind, self.goal, self.shape, self.num_classes)

    def without_validation(self) -> "Task":
        """Returns the task that trains on the validation data too, and has none to validate with.

        Where one of the splits has fewer views than the other, they repeat.
        """
        parts = (self.train, self.validation)
        views = np.arange(max(len(split.inputs) for split in parts))
        inputs = np.concatenate([split.inputs[views % len(split.inputs)] for split in parts], axis=1)
        train = Split(inputs, np.concatenate([split.labels for split in parts]))
        return replace(self, train=train, validation=Split(inputs[:1, :0], train.labels[:0]))

    def without_test(self) -> "Task":
        """Returns the task without its test data, for a search, which has no use for them."""
        return replace(self, test=Split(self.test.inputs[:1, :0], self.test.labels[:0]))

    @property
    def sha256(self) -> str:
        """Returns the SHA-256 of all arrays: shapes and little-endian values.

        The order is train, validation, test, inputs before labels.
        """
        digest = hashlib.sha256()
        for split in SPLITS:
            for array, dtype in zip(getattr(self, split), ("<f4", "<i4"), strict=True):
                digest.update(str(array.shape).encode())
                digest.update(np.ascontiguousarray(array, dtype).tobytes())
        return digest.hexdigest()


def normalized(
    name: str, splits: dict[str, Split], num_classes: int, card: str, licence: str, classes: tuple = ()
) -> Task:
    """Returns the task of these splits, normalised by the mean and standard deviation of the training inputs.

    Vectors are normalised by those of each feature; one that is constant in training is 0 everywhere. Values are cast
    to float32 after that.

    Raises:
        ValueError: where all images of training have one and the same value.
    """
    inputs = splits["train"].inputs.astype(np.float64)
    mean: float | np.ndarray
    deviation: float | np.ndarray
    # Rounded, so that the order in which a version of NumPy sums does not show in the arrays and their hash.
    if inputs.ndim == 3:
        mean = np.asarray([_rounded(value, 12) for value in inputs.mean((0, 1))])  # may be far from 0
        differs = inputs.max((0, 1)) > inputs.min((0, 1))  # the deviation of equal values need not be exactly 0
        deviation = np.asarray([_rounded(value) or np.inf for value in np.where(differs, inputs.std((0, 1)), 0)])
    elif inputs.max() == inputs.min():
        raise ValueError("Expected training images that differ, got constant ones.")
    else:
        mean, deviation = _rounded(inputs.mean()), _rounded(inputs.std())

    def normal(split: Split) -> Split:
        return Split(((split.inputs - mean) / deviation).astype(np.float32), split.labels.astype(np.int32))

    train, validation, test = (normal(splits[split]) for split in SPLITS)
    return Task(name, train, validation, test, num_classes, card, licence, mean, deviation, classes)


def _rounded(value: float, num_digits: int = 6) -> float:
    return float(f"{value:.{num_digits}g}")
