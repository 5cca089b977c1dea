"""What a task is: a data set with fixed splits, its metric and its card."""

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

SPLITS = ("train", "validation", "test")


class Split(NamedTuple):
    """One split of a data set.

    `images` is float32[V, n, H, W, C], or float32[V, n, F] where a sample is a vector of features and no image;
    `labels` is int32[n]. The V views of an image are alternatives of it: in training, each epoch draws one for each
    image; in validation and test, every view counts as an image of its own. A test split may be empty.
    """

    images: np.ndarray
    labels: np.ndarray

    @property
    def num_images(self) -> int:
        """Returns the number of images that an evaluation counts, views included."""
        return self.images.shape[0] * self.images.shape[1]


@dataclass(frozen=True, eq=False)
class Task:
    """A classification task of images or vectors. The metric is the proportion of correctly classified ones.

    Attributes:
        name: how commands and tables call it.
        train, validation, test: disjoint splits, all normalised by the mean and standard deviation of the training
            images, vectors by those of each feature.
        num_classes: labels are 0 to num_classes - 1.
        card: what the data are, where they are from, licence, how they were split and changed.
        licence: SPDX identifier of the data's licence.
        mean, deviation: what the images were normalised by, so that others can be: numbers, or arrays that broadcast
            against an image.
        classes: what the labels stand for, in their order; by default the numbers themselves.
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

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Returns (height, width, channels), or (features,) of vectors."""
        return tuple(self.train.images.shape[2:])

    def without_validation(self) -> "Task":
        """Returns the task that trains on the validation images too, and has none to validate by.

        Where one of the splits has fewer views than the other, they repeat.
        """
        parts = (self.train, self.validation)
        views = np.arange(max(len(split.images) for split in parts))
        images = np.concatenate([split.images[views % len(split.images)] for split in parts], axis=1)
        train = Split(images, np.concatenate([split.labels for split in parts]))
        return replace(self, train=train, validation=Split(images[:1, :0], train.labels[:0]))

    def without_test(self) -> "Task":
        """Returns the task without its test images, for a search that has no use for them."""
        return replace(self, test=Split(self.test.images[:1, :0], self.test.labels[:0]))

    @property
    def sha256(self) -> str:
        """Returns the SHA-256 of all arrays: shapes and little-endian values.

        The order is train, validation, test, images before labels.
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
    """Returns the task of these splits, normalised by the training images' mean and standard deviation.

    Vectors are normalised by those of each feature; one that is constant in training is 0 everywhere.
    """
    images = splits["train"].images.astype(np.float64)
    # Rounded, so that the order in which a version of NumPy sums does not show in the arrays and their hash.
    if images.ndim == 3:
        mean = np.asarray([_rounded(value, 12) for value in images.mean((0, 1))])  # may be far from 0
        deviation = np.asarray([_rounded(value) or np.inf for value in images.std((0, 1))])
    else:
        mean, deviation = _rounded(images.mean()), _rounded(images.std())

    def normal(split):
        return Split(((split.images - mean) / deviation).astype(np.float32), split.labels.astype(np.int32))

    parts = (normal(splits[split]) for split in SPLITS)
    return Task(name, *parts, num_classes, card, licence, mean, deviation, classes)


def _rounded(value: float, num_digits: int = 6) -> float:
    return float(f"{value:.{num_digits}g}")
