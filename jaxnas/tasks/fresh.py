"""Tasks that nobody has seen: the shifted digits, changed by a seed."""

import functools
from dataclasses import replace

import numpy as np

from jaxnas.tasks.base import SPLITS, Split, Task, normalized
from jaxnas.tasks.digits import shifted_digits

PREFIX, ROWS = "fresh-", "-rows"
FEWEST_CLASSES, NUM_DIGITS = 5, 10
_SEED = 20211
_TEXT = """
Changed by the seed {seed}: images are mirrored or turned (symmetry {symmetry} of 8) and filtered by a random 3x3
kernel; the ten digits are {num_classes} classes.
"""


@functools.lru_cache(maxsize=4)
def fresh_task(seed: int, rows: bool = False) -> Task:
    """Returns the shifted digits with other images and other classes, by a seed; with `rows` as sequences of rows.

    All images are mirrored or turned in one way and filtered by one random kernel of 3x3, and the ten digits are put
    together at random to 5 to 10 classes.
    """
    random, plain = np.random.default_rng([_SEED, seed]), shifted_digits()
    symmetry, kernel = int(random.integers(8)), random.normal(size=(3, 3))
    kernel[1, 1] += 3  # so that something of the image is left
    num_classes = int(random.integers(FEWEST_CLASSES, NUM_DIGITS + 1))
    repeated = random.integers(0, num_classes, NUM_DIGITS - num_classes)
    classes = random.permutation(np.concatenate([np.arange(num_classes), repeated])).astype(np.int32)

    def changed(split: Split) -> Split:
        return Split(_filtered(_turned(split.inputs, symmetry), kernel), classes[split.labels])

    splits = {name: changed(getattr(plain, name)) for name in SPLITS}
    name = f"{PREFIX}{seed}{ROWS if rows else ''}"
    title, _, text = plain.card.partition("\n")
    text += _TEXT.format(seed=seed, symmetry=symmetry, num_classes=num_classes)
    card = f"# {name}: {title.removeprefix('# shifted-digits: ')}, changed by a seed\n{text}"
    task = normalized(name, splits, num_classes, card, plain.license)
    return _by_rows(task) if rows else task


def fresh_task_named(name: str) -> Task | None:
    """Returns the task of a name such as `fresh-7` or `fresh-7-rows`; None of any other name."""
    seed = name.removeprefix(PREFIX).removesuffix(ROWS)
    is_fresh = name.startswith(PREFIX) and seed.isascii() and seed.isdecimal() and len(seed) < 11
    return fresh_task(int(seed), name.endswith(ROWS)) if is_fresh else None


def _by_rows(task: Task) -> Task:
    """Returns a task of images with each image as a sequence of its rows."""
    parts = {name: getattr(task, name) for name in SPLITS}
    splits = {name: Split(part.inputs[..., 0], part.labels) for name, part in parts.items()}
    return replace(task, kind="sequences", **splits)


def _turned(images: np.ndarray, symmetry: int) -> np.ndarray:
    """Returns square images [V, n, H, W, C] turned by quarters and mirrored."""
    turned = np.rot90(images, symmetry % 4, axes=(2, 3))
    return turned[:, :, ::-1] if symmetry >= 4 else turned


def _filtered(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Returns images [V, n, H, W, C] filtered by a kernel of 3x3, the pixels outside as dark as the darkest one."""
    height, width = images.shape[2:4]
    margin = ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0))
    padded = np.pad(images, margin, constant_values=images.min())
    places = [(row, column) for row in range(3) for column in range(3)]
    moved = [kernel[place] * padded[:, :, place[0] :, place[1] :][:, :, :height, :width] for place in places]
    return np.add.reduce(moved)
