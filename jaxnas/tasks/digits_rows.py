"""The shifted digits, read row by row: sequences without a download."""

import functools
from dataclasses import replace

from jaxnas.tasks.base import Split, Task
from jaxnas.tasks.digits import shifted_digits


@functools.cache
def digits_rows() -> Task:
    """Returns the task `shifted-digits` with an image as a sequence of 8 rows, each of 8 gray levels."""
    images = shifted_digits()
    title, _, text = images.card.partition("\n")
    card = f"# digits-rows: {title.removeprefix('# shifted-digits: ')}, read row by row\n{text}"
    card += "A sequence has 8 steps, the rows of an image from top to bottom, of 8 values each.\n"
    train, validation, test = (
        Split(part.inputs[..., 0], part.labels) for part in (images.train, images.validation, images.test)
    )
    return replace(
        images, name="digits-rows", kind="sequences", card=card, train=train, validation=validation, test=test
    )
