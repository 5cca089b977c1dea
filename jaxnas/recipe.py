"""How a network is trained and what a training measures, whatever kind of network it is."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.network.model import Skeleton
from jaxnas.tasks.base import Split, Task

EVALUATION_BATCH = 128

# Sums over several threads have another order: a training's numbers would depend on where it runs.
ONE_THREAD = {"xla_cpu_multi_thread_eigen": False}


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained: SGD with Nesterov momentum, a cosine schedule to zero, weight decay, batch norm.

    It is evaluated with batch statistics that are estimated anew after each epoch, on its first training batches.

    Attributes:
        num_epochs: epochs of the schedule; a fidelity is one of them.
        batch_size: images a step; the images left over in an epoch are dropped.
        learning_rate: at the first step.
        momentum, weight_decay: of SGD; the decay is on all parameters.
        skeleton: the network around the cells; None for networks without cells.
    """

    num_epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    skeleton: Skeleton | None = field(default_factory=Skeleton)

    def __post_init__(self):
        for name in ("num_epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected {name} of 1 or more, got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise ValueError(f"Expected a learning_rate above 0, got {self.learning_rate}.")


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


def training_key(arch: jax.Array, seed: int | jax.Array) -> jax.Array:
    """Returns the key of one training.

    It depends on the architecture and the seed number alone, never on what else is trained.
    """
    key = jax.random.key(0)
    for choice in jnp.unstack(jnp.asarray(arch)):
        key = jax.random.fold_in(key, choice)
    return jax.random.fold_in(key, seed)


def epoch_order(key: jax.Array, split: Split, num_steps: int, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """Returns the images of an epoch and the view of each, both int32[num_steps, batch_size]."""
    shape = (num_steps, batch_size)
    num_views, num_images = split.images.shape[:2]
    order_key, view_key = jax.random.split(key)
    indices = jax.random.permutation(order_key, num_images)[: num_steps * batch_size].reshape(shape)
    return indices, jax.random.randint(view_key, (num_steps * batch_size,), 0, num_views).reshape(shape)


def config_from_dict(fields: dict) -> TrainConfig:
    """Returns the configuration that `dataclasses.asdict` made a dict of, also where that went through JSON."""
    skeleton = fields["skeleton"]
    return TrainConfig(**{**fields, "skeleton": skeleton and Skeleton(**skeleton)})


def check_fit(task: Task, config: TrainConfig) -> None:
    """Raises ValueError where a task has too few training images for one batch."""
    num_images = task.train.images.shape[1]
    if config.batch_size > num_images:
        raise ValueError(f"Expected a batch_size up to the {num_images} training images, got {config.batch_size}.")
