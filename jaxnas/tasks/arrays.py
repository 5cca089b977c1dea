"""Tasks from your own arrays."""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.tasks.base import SPLITS, Split, Task, normalized

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SPLIT_SEED = 20202
MIN_IMAGES = 10


def task_from_arrays(
    images: ArrayLike, labels: ArrayLike, split: ArrayLike | None = None, *, name: str = "mine", card: str = ""
) -> Task:
    """Returns the task of images, or vectors of features, and labels.

    Args:
        images: numbers, [n, H, W] or [n, H, W, C], height and width need not be equal; or [n, F], vectors of features,
            each of which is normalised by its own mean and deviation.
        labels: [n], integers or strings; classes are their sorted distinct values.
        split: [n], `"train"`, `"validation"` or `"test"` for each image; by default 60, 20 and 20 % of each class,
            drawn at random but always the same.
        name: how commands and tables call the task.
        card: what the data are, where they are from, their licence.

    Raises:
        ValueError: on shapes that do not match, values that are no finite numbers, one class only, or splits that are
            too small.
    """
    images, labels = _checked_images(images), _checked_labels(labels)
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"Expected one label for each of {len(images)} images, got labels of shape {list(labels.shape)}."
        )
    classes, labels = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"Expected labels of two or more classes, got {len(classes)}; add examples of another class.")
    split = _random_split(labels) if split is None else _checked_split(split, len(images))
    parts = {part: Split(images[split == part][None], labels[split == part]) for part in SPLITS}
    for part, (_, part_labels) in parts.items():
        if len(part_labels) < MIN_IMAGES:
            raise ValueError(
                f"Expected {MIN_IMAGES} or more {part} images, got {len(part_labels)}; add data, or split otherwise."
            )
    if not set(labels) <= set(parts["train"].labels):
        raise ValueError("Expected training images of every class, got classes without any.")
    train = parts["train"].inputs
    if train.max() == train.min() or (images.ndim == 2 and (train.max((0, 1)) == train.min((0, 1))).all()):
        raise ValueError("Expected training images that differ, got constant ones.")
    _warn_of_repeated(parts)
    sizes = ", ".join(f"{len(part_labels):,} {part}" for part, (_, part_labels) in parts.items())
    kind = "vectors" if images.ndim == 2 else "images"
    text = f"# {name}: your own {kind}, {' x '.join(map(str, images.shape[1:]))}\n\n{card or 'No source given.'}\n"
    text += f"{len(classes)} classes; {sizes} images.\n"
    of_what = "each feature in training" if images.ndim == 2 else "the training images"
    text += f"Normalised by the mean and standard deviation of {of_what}.\n"
    return normalized(name, parts, len(classes), text, "unspecified", tuple(classes.tolist()))


def _checked_labels(values: ArrayLike) -> np.ndarray:
    """Returns labels as integers, floats that are whole, or strings."""
    labels = np.asarray(values)
    if np.ma.is_masked(values):
        raise ValueError("Expected labels without a mask, got masked ones; drop those examples.")
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.reshape(-1)):
        labels = labels.astype(str)
    whole = labels.dtype.kind in "biuU" or (labels.dtype.kind == "f" and bool((labels == np.round(labels)).all()))
    if not whole or (labels.dtype.kind == "f" and not np.isfinite(labels).all()):
        got = "NaN or fractions" if labels.dtype.kind == "f" else str(labels.dtype)
        raise ValueError(
            f"Expected labels that are classes, integers or strings, got {got}; drop, bin or convert them."
        )
    return labels


def _warn_of_repeated(parts: dict[str, Split]) -> None:
    """Warns where examples of validation or test are in training, too, so that scores would be too good."""
    seen = {example.tobytes() for example in parts["train"].inputs[0]}
    repeated = {
        part: sum(example.tobytes() in seen for example in parts[part].inputs[0]) for part in ("validation", "test")
    }
    if any(repeated.values()):
        found = " and ".join(f"{count} {part}" for part, count in repeated.items() if count)
        warnings.warn(
            f"Expected different examples in each split, got {found} examples that are in training, too; their scores "
            "are too good.",
            UserWarning,
            stacklevel=3,
        )


def _checked_images(values: ArrayLike) -> np.ndarray:
    images = np.asarray(values)
    if np.ma.is_masked(values):
        raise ValueError("Expected images without a mask, got masked values; replace them, or drop those images.")
    if images.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected images of numbers, got {images.dtype}; turn words into numbers, say one-hot, first."
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim not in (2, 4) or 0 in images.shape:
        expected = "images of shape [n, H, W] or [n, H, W, C], or vectors of shape [n, F]"
        raise ValueError(f"Expected {expected}, got {list(images.shape)}.")
    if images.ndim == 2:  # of features, large numbers may differ by less than float32 can tell: normalised first
        images = images.astype(np.float64)
    with np.errstate(over="ignore"):
        small = images if images.ndim == 2 else images.astype(np.float32)
    if not np.isfinite(small).all():
        raise ValueError("Expected finite images, got NaN or infinite values; replace or drop those images.")
    return small


def _checked_split(values: ArrayLike, num_images: int) -> np.ndarray:
    split = np.asarray(values).astype(str)
    unknown = sorted(set(split.reshape(-1)) - set(SPLITS))
    if split.shape != (num_images,) or unknown:
        found = repr(str(unknown[0])) if unknown else f"shape {list(split.shape)}"
        raise ValueError(f"Expected a split of {', '.join(SPLITS)} for each of {num_images} images, got {found}.")
    return split


def _random_split(labels: np.ndarray) -> np.ndarray:
    """Returns the split of each image, in the same shares for each class."""
    split = np.empty(len(labels), object)
    random = np.random.RandomState(SPLIT_SEED)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        ends = np.round(np.cumsum(list(SHARES.values())) * len(members)).astype(int)
        for part, chosen in zip(SHARES, np.split(members, ends[:-1]), strict=True):
            split[chosen] = part
    return split.astype(str)
