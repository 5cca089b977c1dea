"""How a network is trained and what a training measures, whatever kind of network it is."""

from dataclasses import dataclass, field

from jaxnas.spaces.cells.network import Skeleton
from jaxnas.tasks.base import Task


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


def config_from_dict(fields: dict) -> TrainConfig:
    """Returns the configuration that `dataclasses.asdict` made a dict of, also where that went through JSON."""
    skeleton = fields["skeleton"]
    return TrainConfig(**{**fields, "skeleton": skeleton and Skeleton(**skeleton)})


def check_fit(task: Task, config: TrainConfig) -> None:
    """Raises ValueError where a task has too few training images for one batch."""
    num_images = task.train.images.shape[1]
    if config.batch_size > num_images:
        raise ValueError(f"Expected a batch_size up to the {num_images} training images, got {config.batch_size}.")
