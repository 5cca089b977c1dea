"""How a network is trained."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from jaxnas.checks import checked_number, unknown_name
from jaxnas.tasks.base import Task

FLOAT32, BFLOAT16 = "float32", "bfloat16"
PRECISIONS = (FLOAT32, BFLOAT16)

MAX_EPOCHS = 100_000
MAX_BATCH = 2**20
TEST_EPOCHS = ("all", "last")
OPTIMIZERS = ("sgd", "adam")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained: SGD with Nesterov momentum, or Adam; a cosine schedule to zero, and weight decay.

    Batch normalization is evaluated with statistics that are estimated again after each epoch, on its first training
    batches.

    Attributes:
        num_epochs: epochs of the schedule; a fidelity is one of them.
        batch_size: examples a step; those left over in an epoch are dropped.
        learning_rate: the rate at the first step.
        momentum: the momentum of SGD; for Adam, the decay of the mean of gradients.
        weight_decay: on all parameters; decoupled for Adam (Loshchilov and Hutter, ICLR 2019).
        network: further settings of the kind of network, a frozen dataclass such as the `Skeleton` of cells; None for
            the default of the kind.
        test: after which epochs the test split is evaluated, `"all"` or only the `"last"`. The training is the same.
        optimizer: `"sgd"`, or `"adam"` (Kingma and Ba, ICLR 2015).
        clip: the largest norm of a step's gradient, to which longer ones are cut; None for no limit.
        adaptation: the largest change in a step of the logarithms of learning rate and weight decay, which then follow
            their hypergradients (`jaxnas.training.experimental.adaptation`); 0 for none. Only for SGD in the plan
            `"sequential"`.
        precision: of matmul and convolution inputs: `"float32"`, or `"bfloat16"`
            (`jaxnas.training.experimental.precision`). Sums, parameters and statistics are float32 in both.
        resolution: the height in pixels that images are shrunk to, by means over squares; None: unchanged.
    """

    num_epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    network: Any = None
    test: str = "all"
    optimizer: str = OPTIMIZERS[0]
    clip: float | None = None
    adaptation: float = 0.0
    precision: str = FLOAT32
    resolution: int | None = None

    def __post_init__(self) -> None:
        for name, largest, why in (
            ("num_epochs", MAX_EPOCHS, "each of which is a fidelity"),
            ("batch_size", MAX_BATCH, "which are in memory at once"),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Expected {name} of 1 or more, got {value!r:.40}.")
            if value > largest:
                raise ValueError(f"Expected {name} of at most {largest:,}, {why}, got {value:,}.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"Expected a finite learning_rate above 0, got {self.learning_rate}.")
        if self.test not in TEST_EPOCHS:
            raise ValueError(f"Expected test of {' or '.join(TEST_EPOCHS)}, got {self.test!r:.40}.")
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("an optimizer", self.optimizer, OPTIMIZERS)
        if self.precision not in PRECISIONS:
            raise unknown_name("a precision", self.precision, PRECISIONS)
        if self.clip is not None:
            checked_number("clip", self.clip, above=0)
        if not 0 <= self.adaptation < 1:
            raise ValueError(f"Expected an adaptation from 0 to below 1, got {self.adaptation}.")
        if self.adaptation and self.optimizer != OPTIMIZERS[0]:
            raise ValueError(f"Expected {OPTIMIZERS[0]} for an adaptation, got {self.optimizer}.")


_LEFT_OUT = ("test", "optimizer", "clip", "adaptation", "precision", "resolution")
"""Fields whose defaults are not written: older tables and journals lack them."""


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """Returns the configuration as JSON values, which `config_from_dict` reads; some defaults are omitted."""
    fields = asdict(config)
    return {
        name: value for name, value in fields.items() if name not in _LEFT_OUT or value != getattr(TrainConfig, name)
    }


def config_from_dict(fields: dict[str, Any], default: TrainConfig) -> TrainConfig:
    """Returns the configuration of a dict from `config_to_dict`, also after a round trip through JSON.

    Args:
        fields: manifests of version 0.1.0 call the field `network` `skeleton`.
        default: the default of the kind of space; it determines the type of `network`.
    """
    fields = dict(fields)
    network = fields.pop("skeleton", None) or fields.pop("network", None)
    fields.pop("network", None)
    return TrainConfig(**fields, network=None if network is None else type(default.network)(**network))


def check_fit(task: Task, config: TrainConfig) -> None:
    """Raises ValueError if a task has too few training examples for one batch."""
    num_examples = task.train.inputs.shape[1]
    if config.batch_size > num_examples:
        raise ValueError(f"Expected a batch_size up to the {num_examples} training examples, got {config.batch_size}.")
