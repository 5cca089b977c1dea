"""Tasks from your own arrays."""

import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.tasks.base import SPLITS, Split, Task, normalized

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SPLIT_SEED = 20202
MIN_IMAGES = 10


def task_from_npz(path: str | os.PathLike) -> Task:
    """Returns the task of an `.npz` file with arrays `X`, `y` and optionally `split`.

    The arrays are as `task_from_arrays` takes them. Raises ValueError where the file cannot be read or its arrays are
    no task.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected {path} to be an .npz file of arrays, got: {error}.") from None
    if not {"X", "y"} <= set(arrays):
        raise ValueError(f"Expected arrays X and y in {path}, got {', '.join(arrays) or 'none'}.")
    return task_from_arrays(arrays["X"], arrays["y"], arrays.get("split"), name=path.stem)


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
    images, labels = _checked_images(images), np.asarray(labels)
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"Expected one label for each of {len(images)} images, got labels of shape {list(labels.shape)}."
        )
    if labels.dtype.kind == "f" and not (labels == np.round(labels)).all():
        raise ValueError(
            "Expected labels that are classes, integers or strings, got NaN or fractions; drop or bin them."
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
    if parts["train"].inputs.std() == 0:
        raise ValueError("Expected training images that differ, got constant ones.")
    sizes = ", ".join(f"{len(part_labels):,} {part}" for part, (_, part_labels) in parts.items())
    kind = "vectors" if images.ndim == 2 else "images"
    text = f"# {name}: your own {kind}, {' x '.join(map(str, images.shape[1:]))}\n\n{card or 'No source given.'}\n"
    text += f"{len(classes)} classes; {sizes} images.\n"
    of_what = "each feature in training" if images.ndim == 2 else "the training images"
    text += f"Normalised by the mean and standard deviation of {of_what}.\n"
    return normalized(name, parts, len(classes), text, "unspecified", tuple(classes.tolist()))


def _checked_images(values: ArrayLike) -> np.ndarray:
    images = np.asarray(values)
    if images.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected images of numbers, got {images.dtype}; turn words into numbers, say one-hot, first."
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim not in (2, 4) or 0 in images.shape:
        expected = "images of shape [n, H, W] or [n, H, W, C], or vectors of shape [n, F]"
        raise ValueError(f"Expected {expected}, got {list(images.shape)}.")
    images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise ValueError("Expected finite images, got NaN or infinite values; replace or drop those images.")
    return images


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
