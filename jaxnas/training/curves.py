"""How a network is trained and what a training measures, whatever kind of network it is."""

from typing import NamedTuple

import numpy as np


class Curves(NamedTuple):
    """What trainings measured, with leading axes [A, S] (architectures, seeds), and [E] epochs where it says so.

    `train`, `validation`, `test`: correctly classified images [A, S, E], int32; training images are counted as they
    are trained on, in training mode. `loss`: mean training loss of the epoch [A, S, E]. `first_loss`,
    `first_gradient_norm`: of the first step [A, S].
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    loss: np.ndarray
    first_loss: np.ndarray
    first_gradient_norm: np.ndarray
