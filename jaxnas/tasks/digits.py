"""The handwritten digits that scikit-learn ships, plain and shifted. No download."""

import functools

import numpy as np

from jaxnas.tasks.base import SPLITS, Split, Task, normalized

SIZES = {"train": 1024, "validation": 386, "test": 387}
MAX_SHIFT = 2
NUM_EVALUATION_VIEWS = 4

_CARD = """{title}

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998
(CC BY 4.0), its test part of 1,797 images of 8x8 pixels and 17 gray levels, as scikit-learn distributes it
(`sklearn.datasets.load_digits`, BSD-3-Clause).
Splits: 1,024 training, 386 validation and 387 test images, drawn once at random (seed {seed}). Images of one writer
may lie in several splits.
{changes}
Normalized by the mean and standard deviation of the training images.
"""
_LICENSE = "CC-BY-4.0"
_SPLIT_SEED = 20201


@functools.cache
def digits() -> Task:
    """Returns scikit-learn's digits, unchanged: an easy task, on which good architectures are hard to distinguish."""
    splits = {name: Split(images[None], labels) for name, (images, labels) in _raw_splits().items()}
    card = _CARD.format(
        title="# digits: handwritten digits, 8x8 pixels", seed=_SPLIT_SEED, changes="Images are unchanged."
    )
    return normalized("digits", splits, 10, card, _LICENSE)


@functools.cache
def shifted_digits() -> Task:
    """Returns the digits with each image moved by up to 2 pixels each way.

    In training a new shift is drawn each epoch, in evaluation there are 4 fixed ones.
    """
    raw = _raw_splits()
    steps = range(-MAX_SHIFT, MAX_SHIFT + 1)
    everywhere = np.stack(
        [_shifted(raw["train"][0], np.full((SIZES["train"], 2), (down, right))) for down in steps for right in steps]
    )
    splits = {"train": Split(everywhere, raw["train"][1])}
    random = np.random.RandomState(_SPLIT_SEED + 1)
    for name in SPLITS[1:]:
        images, labels = raw[name]
        shifts = random.randint(-MAX_SHIFT, MAX_SHIFT + 1, (NUM_EVALUATION_VIEWS, len(images), 2))
        splits[name] = Split(np.stack([_shifted(images, shift) for shift in shifts]), labels)
    changes = (
        f"Every image is moved by up to {MAX_SHIFT} pixels down or up and right or left, empty pixels black:\n"
        "a training image by a shift drawn anew each epoch, a validation or test image by "
        f"{NUM_EVALUATION_VIEWS} fixed\nrandom shifts, each counted as an image."
    )
    card = _CARD.format(
        title="# shifted-digits: handwritten digits, 8x8 pixels, moved by up to 2 pixels",
        seed=_SPLIT_SEED,
        changes=changes,
    )
    return normalized("shifted-digits", splits, 10, card, _LICENSE)


def _raw_splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(data.target))
    parts = np.split(order, np.cumsum(list(SIZES.values()))[:-1])
    images = data.images[..., None].astype(np.float32)
    return {name: (images[part], data.target[part]) for name, part in zip(SIZES, parts, strict=True)}


def _shifted(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Returns images [n, H, W, C] moved down and right by `shifts`, zeros moving in."""
    height, width = images.shape[1:3]
    margin = ((0, 0), (MAX_SHIFT, MAX_SHIFT), (MAX_SHIFT, MAX_SHIFT), (0, 0))
    padded = np.pad(images, margin)
    starts = MAX_SHIFT - shifts
    return np.stack(
        [image[top : top + height, left : left + width] for image, (top, left) in zip(padded, starts, strict=True)]
    )
