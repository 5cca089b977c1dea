"""Tasks that nobody has seen: the shifted digits, changed by a seed."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from jaxnas.tasks.base import SPLITS, Split, Task, normalized
from jaxnas.tasks.digits import shifted_digits

PREFIX, ROWS = "fresh-", "-rows"
_SEED, _FEWEST_CLASSES, _NUM_DIGITS = 20211, 5, 10


@functools.lru_cache(maxsize=4)
def fresh_task(seed: int, rows: bool = False) -> Task:
    """Returns the shifted digits, by a seed mirrored or turned, filtered by a random kernel, and of 5 to 10 classes.

    With `rows` they are sequences of rows.
    """
    random, plain = np.random.default_rng([_SEED, seed]), shifted_digits()
    symmetry, kernel = int(random.integers(8)), random.normal(size=(3, 3))
    kernel[1, 1] += 3  # the image stays readable
    num_classes = int(random.integers(_FEWEST_CLASSES, _NUM_DIGITS + 1))
    repeated = random.integers(0, num_classes, _NUM_DIGITS - num_classes)
    classes = random.permutation(np.concatenate([np.arange(num_classes), repeated])).astype(np.int32)

    def changed(split: Split) -> Split:
        turned = np.rot90(split.inputs, symmetry % 4, axes=(2, 3))
        return Split(_filtered(turned[:, :, ::-1] if symmetry > 3 else turned, kernel), classes[split.labels])

    name, text = f"{PREFIX}{seed}{ROWS if rows else ''}", plain.card.partition("\n")[2]
    text += f"Mirrored or turned, filtered by a random kernel, and of {num_classes} classes, by the seed {seed}.\n"
    card = f"# {name}: handwritten digits, changed by a seed\n{text}"
    task = normalized(name, {part: changed(getattr(plain, part)) for part in SPLITS}, num_classes, card, plain.license)
    if not rows:
        return task
    by_rows: dict[str, Any] = {
        part: Split(getattr(task, part).inputs[..., 0], getattr(task, part).labels) for part in SPLITS
    }
    return replace(task, kind="sequences", **by_rows)


def fresh_task_named(name: str) -> Task | None:
    """Returns the task of a name such as `fresh-7` or `fresh-7-rows`; None of any other name."""
    seed = name.removeprefix(PREFIX).removesuffix(ROWS)
    is_fresh = name.startswith(PREFIX) and seed.isascii() and seed.isdecimal() and len(seed) < 11
    return fresh_task(int(seed), name.endswith(ROWS)) if is_fresh else None


def _filtered(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    height, width = images.shape[2:4]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=images.min())
    moved = {at: padded[:, :, at[0] :, at[1] :][:, :, :height, :width] for at in np.ndindex(kernel.shape)}
    return np.add.reduce([kernel[at] * image for at, image in moved.items()])
