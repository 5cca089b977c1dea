"""What trainings measure."""

from typing import NamedTuple

import numpy as np


class Curves(NamedTuple):
    """What trainings measured, with leading axes [A, S] (architectures, seeds), and [E] epochs where it says so.

    `train`, `validation`, `test`: correctly classified examples [A, S, E], int32; training examples are counted as
    they are trained on, in training mode. `loss`: mean training loss of the epoch [A, S, E]. `first_loss`,
    `first_gradient_norm`: of the first step [A, S]. Where only the last epoch is tested (`TrainConfig.test`), `test` is
    [A, S, 1].
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    loss: np.ndarray
    first_loss: np.ndarray
    first_gradient_norm: np.ndarray

    def scores(self, split: str, num_examples: int) -> np.ndarray:
        """Returns the proportion of correct examples of a split, float32[A, S, E]; of the last epochs, if only of them.

        It is NaN where the loss was not finite by then, and everywhere in an empty split.
        """
        counts = np.asarray(getattr(self, split))
        proportions = counts.astype(np.float32) / np.float32(num_examples or np.nan)
        loss = np.asarray(self.loss)[..., -counts.shape[-1] :]
        return np.where(np.isfinite(loss), proportions, np.float32(np.nan))
