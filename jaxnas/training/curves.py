"""The measurements of trainings."""

from typing import NamedTuple

import numpy as np

from jaxnas.tasks.metrics import ACCURACY, Metric


class Curves(NamedTuple):
    """The measurements of trainings, with leading axes [A, S] (architectures, seeds), and with E epochs.

    `train`, `validation`, `test` [A, S, E]: correctly classified examples, int32, or for goals other than classes the
    metric, float32; training examples are measured during their training step, in training mode. `loss`: mean training
    loss of the epoch [A, S, E], NaN if validation outputs are not finite after it. `first_loss` and
    `first_gradient_norm`: of the first step [A, S]. If only the last epoch is tested (`TrainConfig.test`), `test` is
    [A, S, 1].
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    loss: np.ndarray
    first_loss: np.ndarray
    first_gradient_norm: np.ndarray

    def scores(self, split: str, num_examples: int, metric: Metric = ACCURACY) -> np.ndarray:
        """Returns the scores of a split, float32[A, S, E]; of the last epochs, if it is measured after these only.

        They are the proportion of correct examples, or for other goals the metric, with a sign such that larger is
        better. They are NaN after epochs with a loss or a validation output that is not finite, and in an empty split.

        Args:
            num_examples: the number of examples of the split, which counts are divided by.
            metric: the metric of the task.
        """
        values = np.asarray(getattr(self, split))
        if values.dtype.kind in "iu":
            scores = values.astype(np.float32) / np.float32(num_examples or np.nan)
        else:
            scores = np.float32(metric.better) * values
        known = np.isfinite(np.asarray(self.loss)[..., -values.shape[-1] :]) & np.isfinite(scores)
        return np.where(known, scores, np.float32(np.nan))
