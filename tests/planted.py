"""A supernet whose loss grows with a known cost of the choices, and with nothing else: what methods must find."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.tasks.base import Split, Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Family, Shared, Size

COSTS = np.asarray([[0.5, -1, 0, 1], [-1, 1, 0.5, 0], [0, 0.5, 1, -1]], np.float32)
BEST = COSTS.argmin(1)


@dataclass(frozen=True)
class PlantedSpace(Space):
    """Three decisions with four choices, which could be widths."""

    name: str = "planted"
    decisions: tuple[Decision, ...] = tuple(Decision(name, (1, 2, 3, 4)) for name in "abc")
    family: ClassVar[str] = "planted:FAMILY"


def _logits(parameters, cost, inputs):
    margin = inputs[:, 0] - cost
    return jnp.stack([margin, jnp.zeros_like(margin)], axis=1) + 0 * parameters["w"]


def init(space, config, spec, key, partial=1):
    return {"w": jnp.zeros(2)}


def path(space, config, spec, parameters, arch, inputs, gates=None):
    costs = jnp.asarray(COSTS)[jnp.arange(3), arch]
    costs = costs if gates is None else gates.scale * costs + gates.offset
    return _logits(parameters, costs.sum(), inputs)


def mixture(space, config, spec, parameters, weights, inputs, partial=1):
    return _logits(parameters, (weights * COSTS).sum(), inputs)


def one(*arguments, **options):
    return {"w": np.float32(1)}


def flops(space, config, spec):
    return 1.0, np.ones((3, 4))


FAMILY = Family(
    config=TrainConfig(num_epochs=1, batch_size=32),
    inputs=("vectors",),
    init=None,
    apply=None,
    kernels=None,
    module=None,
    size=lambda space, config, spec, arch: Size(1, 13),
    plans={},
    shared=Shared(init, path, mixture, one, one, flops),
)
PLANTED = PlantedSpace()


def planted_task() -> Task:
    """Returns a task of one feature, spread evenly, so that scores tell costs apart."""
    inputs = np.random.RandomState(0).permutation(np.linspace(-4, 4, 2048)).astype(np.float32)[None, :, None]
    split = Split(inputs, np.zeros(2048, np.int32))
    return Task("spread", split, split, split, 2, "made by the tests")
